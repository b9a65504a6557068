"""Writes versions, ledger entries and keys as broker, publisher and operator would, for the API to read."""

from __future__ import annotations

import zlib
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import orjson

from services.broker.api.tokens import Token, digest, new_token

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

USCC = "91150303M0000B027F"
OTHER_USCC = "91150304M0000C0389"
AUTHORITY = {"name": "乌海市工业和信息化局", "uscc": "11150300M0000L112J", "region": "150300"}
HEAD = "update sequence_head set feed = feed + 1 returning feed"


def body(
    subject: str = USCC, state: str = "LISTED", areas: Sequence[str] = ("SA08",), **changes: Any
) -> dict[str, Any]:
    """A record's body as JSON, with one measure in each of `areas`."""
    codes = {"PRICE": "PP01", "CREDIT": "CP01"}
    measures = [
        {"area": area, "code": codes.get(area, f"M{area[2:]}01"), "start": "2022-03-10", "end": "2025-03-10"}
        for area in areas
    ]
    return {
        "state": state,
        "cause": None,
        "in_force": state == "LISTED",
        "subject": subject,
        "former_subjects": [],
        "names": [{"name": "乌海市示例铁合金有限责任公司", "from": None}],
        "legal_rep": "张某",
        "dimensions": ["ENERGY"],
        "reasons": ["F01"],
        "effective_due": "2022-02-28",
        "listed_on": "2022-03-10",
        "publicity_until": "2025-03-10",
        "record_class": "SERIOUS_LIST",
        "severity": "SERIOUS",
        "measures": measures,
        "flags": [],
        "case_ids": ["WH-2021-0007"],
        "authority": AUTHORITY,
        "co_authorities": [],
        "decision": {
            "doc_no": "乌工信列决字〔2022〕5号",
            "doc_type": "LISTING",
            "decided_on": "2022-03-08",
            "served_on": "2022-03-10",
        },
        "revocation": None,
        "industry": None,
        "capacity_items": [],
        "bases": [],
        "warnings": [],
        **changes,
    }


class Register:
    """Everything commits at once unless the caller opened a transaction on `connection`, a superuser's."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection

    async def version(
        self,
        record_uid: str,
        version: int = 1,
        *,
        op: str = "UPSERT",
        cause: str | None = None,
        areas: Sequence[str] = ("SA08",),
        regions: Sequence[str] = ("150303", "150300", "150000"),
        channels: Sequence[str] = (),
        case_id: str = "WH-2021-0007",
        doc_key: str = "乌工信列决字〔2022〕5号",
        of: dict[str, Any] | None = None,
        notify: bool = True,
    ) -> int:
        """Write one version of a record to feed and record; its sequence number."""
        content = of or body(areas=areas)
        lane = content["subject"]
        lane_hash = zlib.crc32(lane.encode()) % 32768
        now = datetime.now(UTC)
        async with self.connection.transaction():
            seq: int = await self.connection.fetchval(HEAD)
            await self.connection.execute(
                "insert into feed (seq, record_uid, version, kind, op, state, cause, subject, lane,"
                " lane_hash, regions, areas, channels, body, registered_at)"
                " values ($1,$2,$3,'RECORD',$4,$5,$6,$7,$7,$8,$9,$10,$11,$12,$13)",
                seq, record_uid, version, op, content["state"], cause, lane, lane_hash, list(regions),
                list(areas), list(channels), orjson.dumps(content), now,
            )  # fmt: skip
            await self.connection.execute(
                "insert into record (record_uid, version, seq, state, cause, subject, lane, lane_hash,"
                " case_id, authority_uscc, doc_key, regions, areas, channels, listed_on, publicity_until,"
                " updated_at)"
                " values ($1,$2,$3,$4,$5,$6,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16) on conflict (record_uid)"
                " do update set version = excluded.version, seq = excluded.seq, state = excluded.state,"
                " cause = excluded.cause, areas = excluded.areas, updated_at = excluded.updated_at",
                record_uid, version, seq, content["state"], cause, lane, lane_hash, case_id,
                AUTHORITY["uscc"], doc_key, list(regions), list(areas), list(channels),
                date(2022, 3, 10), date(2025, 3, 10), now,
            )  # fmt: skip
            if notify:
                await self.connection.execute("notify liancheng_feed")
        return seq

    async def key(
        self,
        *scopes: str,
        areas: Sequence[str] = (),
        regions: Sequence[str] = (),
        expires_at: datetime | None = None,
    ) -> Token:
        token = new_token()
        await self.connection.execute(
            "insert into api_key (key_id, name, secret_sha256, scopes, areas, regions, expires_at)"
            " values ($1, 'test', $2, $3, $4, $5, $6)",
            token.key_id, digest(token.secret), list(scopes), list(areas), list(regions), expires_at,
        )  # fmt: skip
        return token

    async def destination(self, code: str, **columns: Any) -> None:
        values = {"name_zh": code, "name_en": code, "url": "http://127.0.0.1:9/", "secrets": b"", **columns}
        await self._insert("destination", {"code": code, **values})

    async def attempt(self, reader: str, record_uid: str, version: int, outcome: str, **columns: Any) -> None:
        values = {"kind": "ATTEMPT", "op": "UPSERT", "attempt": 1, "settled_at": datetime.now(UTC), **columns}
        row = {"reader": reader, "record_uid": record_uid, "version": version, "outcome": outcome, **values}
        await self._insert("ledger", row)

    async def inbox(self, **columns: Any) -> int:
        values = {
            "topic": "t",
            "kafka_partition": 0,
            "kafka_offset": 0,
            "received_at": datetime.now(UTC),
            "content_sha256": b"",
            "holds_key": False,
            "verdict": "ACCEPTED",
        }
        inbox_id: int = await self._insert("inbox", {**values, **columns}, "inbox_id")
        return inbox_id

    async def lease(self, destination: str, shard: int, **columns: Any) -> None:
        await self._insert("lease", {"destination": destination, "shard": shard, **columns})

    async def parked(self, destination: str, record_uid: str, **columns: Any) -> None:
        values = {"lane": USCC, "shard": 0, "version": 1, "seq": 1, "due_at": datetime.now(UTC), **columns}
        await self._insert(
            "parked_delivery", {"destination": destination, "record_uid": record_uid, **values}
        )

    async def _insert(self, table: str, row: dict[str, Any], returning: str = "1") -> Any:
        places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
        statement = f"insert into {table} ({', '.join(row)}) values ({places}) returning {returning}"  # noqa: S608
        return await self.connection.fetchval(statement, *row.values())

"""Records read back: found by case, code or document; with their history, and who holds which version."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from services.broker.api.models import RecordAnswer, RecordList, SubjectAnswer
from tests.broker.api.register import OTHER_USCC, USCC, body

if TYPE_CHECKING:
    from tests.broker.api.conftest import World
    from tests.broker.api.http_client import Client

pytestmark = pytest.mark.asyncio
BANK: dict[str, Any] = {"areas": ["SA08"], "regions": ["150300"], "shards": 1}


async def holding(client: Client, destination: str, uid: str = "R1") -> dict[str, Any] | None:
    answer = await client.get(f"/v1/records/{uid}")
    shown = RecordAnswer.model_validate_json(answer.body).destinations
    assert shown is not None
    found = [one.model_dump() for one in shown if one.destination == destination]
    return found[0] if found else None


async def test_a_record_is_found_by_case_code_and_document_number(world: World) -> None:
    await world.register.version("R1")
    await world.register.version("R2", case_id="WH-2021-0008", doc_key="另〔2022〕6号", of=body(OTHER_USCC))
    client = await world.agency()
    found_by: list[dict[str, Any]] = [
        {"case_id": "WH-2021-0007"},
        {"uscc": USCC.lower()},
        {"doc_no": "乌工信列决字[2022] ５号"},
    ]
    for query in found_by:
        answer = await client.get("/v1/records", **query)
        found = RecordList.model_validate_json(answer.body)
        assert [record.record_uid for record in found.items] == ["R1"], query
        assert found.next is None
    assert (await client.get("/v1/records", case_id="none")).json == {"items": [], "next": None}
    not_one: list[dict[str, Any]] = [{}, {"case_id": "x", "uscc": USCC}]
    for query in not_one:
        answer = await client.get("/v1/records", **query)
        assert (answer.status, answer.json["errors"][0]["code"]) == (422, "exactly_one")
    assert (await client.get("/v1/records", uscc="9115")).code == "E_USCC_LENGTH"


async def test_lists_are_paged_and_a_cursor_belongs_to_its_list(world: World) -> None:
    for number in range(5):
        await world.register.version(f"R{number}")
    client = await world.agency()
    for path, query in ((f"/v1/subjects/{USCC}", {}), ("/v1/records", {"case_id": "WH-2021-0007"})):
        uids: list[str] = []
        target: str | None = path
        parameters: dict[str, Any] = {**query, "limit": 2}
        while target is not None:
            answer = await client.get(target, **parameters)
            uids += [item["record_uid"] for item in answer.json["items"]]
            link = answer.headers.get("link")
            assert (link is None) == (answer.json["next"] is None)
            target, parameters = (link[1 : link.index(">")] if link else None), {}
        assert uids == [f"R{number}" for number in range(5)]
    first = (await client.get(f"/v1/subjects/{USCC}", limit=2)).json["next"]
    assert (await client.get("/v1/records", case_id="WH-2021-0007", cursor=first)).code == "E_CURSOR"


async def test_a_subject_shows_its_records_in_their_newest_version(world: World) -> None:
    await world.register.version("R1")
    await world.register.version(
        "R1", 2, op="RETRACT", cause="REVOKED", of=body(state="REVOKED", cause="REVOKED")
    )
    answer = await (await world.agency()).get(f"/v1/subjects/{USCC}")
    found = SubjectAnswer.model_validate_json(answer.body)
    assert [(one.record_uid, one.version, one.state, one.cause) for one in found.items] == [
        ("R1", 2, "REVOKED", "REVOKED")
    ]


async def test_a_record_has_its_versions_and_an_agency_sees_those_that_concern_it(world: World) -> None:
    await world.register.version("R1", areas=(), of=body(state="FACT_FOUND", areas=()))
    await world.register.version("R1", 2)
    seen = {}
    for asker in (await world.agency(), await world.auditor()):
        answer = await asker.get("/v1/records/R1")
        record = RecordAnswer.model_validate_json(answer.body)
        assert (record.record_uid, record.version, record.sequence, record.state) == ("R1", 2, 2, "LISTED")
        seen[record.destinations is None] = [
            (one.version, one.sequence, one.state) for one in record.versions
        ]
    assert seen == {True: [(2, 2, "LISTED")], False: [(1, 1, "FACT_FOUND"), (2, 2, "LISTED")]}


async def test_a_destination_goes_from_queued_over_parked_to_held_to_retracted(world: World) -> None:
    register, auditor = world.register, await world.auditor()
    await register.destination("BANK", **BANK)
    await register.destination("ELSEWHERE", areas=["SA08"], regions=["320400"])
    await register.version("R1")
    queued = await holding(auditor, "BANK")
    assert queued is not None
    assert (queued["state"], queued["holds"], queued["waiting"]["version"]) == ("QUEUED", None, 1)
    assert await holding(auditor, "ELSEWHERE") is None

    await register.attempt("BANK", "R1", 1, "RETRYABLE", status=503)
    await register.lease("BANK", 0, position=1)
    due = datetime.now(UTC) + timedelta(seconds=30)
    await register.parked("BANK", "R1", attempt=1, due_at=due, last_error="HTTP_503")
    parked = await holding(auditor, "BANK")
    assert parked is not None
    assert (parked["state"], parked["holds"]) == ("PARKED", None)
    assert parked["waiting"] == {
        "state": "PARKED",
        "version": 1,
        "attempt": 1,
        "due_at": due,
        "last_error": "HTTP_503",
    }
    assert (parked["last"]["outcome"], parked["last"]["status"]) == ("RETRYABLE", 503)

    await register.connection.execute("delete from parked_delivery")
    await register.attempt("BANK", "R1", 1, "ACCEPTED", status=200)
    held = await holding(auditor, "BANK")
    assert held is not None
    assert (held["state"], held["holds"], held["waiting"], held["may_hold"]) == ("HELD", 1, None, [])

    await register.version(
        "R1", 2, op="RETRACT", cause="REVOKED", areas=(), of=body(state="REVOKED", areas=())
    )
    owed = await holding(auditor, "BANK")
    assert owed is not None
    assert (owed["state"], owed["holds"], owed["waiting"]["version"]) == ("QUEUED", 1, 2), (
        "whoever holds it is owed its end, addressed or not"
    )
    await register.attempt("BANK", "R1", 2, "ACCEPTED", op="RETRACT")
    await register.connection.execute("update lease set position = 2")
    retracted = await holding(auditor, "BANK")
    assert retracted is not None
    assert (retracted["state"], retracted["holds"], retracted["retracted"]) == ("RETRACTED", None, 2)


async def test_an_unknown_outcome_may_hold_until_it_is_known(world: World) -> None:
    register, auditor = world.register, await world.auditor()
    await register.destination("BANK", **BANK)
    await register.version("R1")
    await register.lease("BANK", 0, position=1)
    await register.attempt("BANK", "R1", 1, "UNKNOWN", error="OWNER_LOST")
    found = await holding(auditor, "BANK")
    assert found is not None
    assert (found["state"], found["holds"], found["may_hold"]) == ("MAY_HOLD", None, [1])
    await register.attempt("BANK", "R1", 1, "ACCEPTED", attempt=2)
    found = await holding(auditor, "BANK")
    assert found is not None
    assert (found["state"], found["holds"], found["may_hold"]) == ("HELD", 1, [])


async def test_rejected_and_superseded_versions_are_told_apart(world: World) -> None:
    register, auditor = world.register, await world.auditor()
    await register.version("R1")
    for code, outcome in (("BANK", "REJECTED"), ("LAND", "SUPERSEDED")):
        await register.destination(code, **BANK)
        await register.lease(code, 0, position=1)
        await register.attempt(code, "R1", 1, outcome)
        found = await holding(auditor, code)
        assert found is not None
        assert (found["state"], found["holds"]) == (outcome, None)


async def test_a_record_is_public_once_a_public_site_acknowledged_it_and_while_it_is_in_force(
    world: World,
) -> None:
    register, auditor = world.register, await world.auditor()
    await register.version("R1", channels=("CREDIT_CHINA", "NCISP"))

    async def public() -> bool:
        shown: bool = (await auditor.get("/v1/records/R1")).json["public"]
        return shown

    for code in ("NCISP", "CREDIT_CHINA"):
        await register.destination(code, channel=code, shards=1)
        assert not await public()
        await register.attempt(code, "R1", 1, "ACCEPTED")
    assert await public(), "NCISP is for agencies, CREDIT_CHINA for everybody"
    await register.version("R1", 2, op="RETRACT", cause="REVOKED", of=body(state="REVOKED"))
    assert not await public()

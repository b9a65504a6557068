"""The inbox read back: every message with the verdict that stands, newest first."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from services.broker.api.models_inside import InboxPage
from tests.broker.api.conftest import serving
from tests.broker.api.register import USCC

if TYPE_CHECKING:
    from schemas.catalogue.catalogue import Catalogue
    from tests.broker.api.conftest import World
    from tests.broker.api.http_client import Client
    from tests.stack import TestDatabase

pytestmark = pytest.mark.asyncio
PATH = "/v1/inbox"


async def ids(client: Client, **query: Any) -> list[int]:
    found: list[int] = []
    cursor: dict[str, Any] = {}
    while True:
        answer = await client.get(PATH, **query, **cursor)
        page = InboxPage.model_validate_json(answer.body)
        found += [item.inbox_id for item in page.items]
        if page.next is None:
            return found
        cursor = {"cursor": page.next}


async def test_a_message_has_the_shape_of_its_verdict(world: World) -> None:
    event = {"event_source": "//wuhai/miit", "event_id": "evt-1", "event_type": "capacity.exit.overdue"}
    finding = {
        "code": "E_NOT_YET_DUE",
        "field": "data.obligation.due_on",
        "value": None,
        "expected": "2022-06-01",
    }
    warning = {"code": "W_STAT_YEAR", "field": "data.obligation.stat_year", "value": 2019, "expected": 2020}
    first = await world.register.inbox(**event, subject=USCC, case_id="C1", record_uid="R1", version=1)
    await world.register.inbox(**event, verdict="DUPLICATE", duplicate_of=first)
    findings = (
        '[{"code":"E_NOT_YET_DUE","field":"data.obligation.due_on","value":null,"expected":"2022-06-01"},'
    )
    findings += '{"code":"W_STAT_YEAR","field":"data.obligation.stat_year","value":2019,"expected":2020}]'
    await world.register.inbox(
        verdict="HELD",
        findings=findings,
        reevaluate_on=date(2022, 6, 1),
        waits_for="plan.published",
        alert=True,
    )
    answer = await (await world.auditor()).get(PATH)
    held, duplicate, accepted = answer.json["items"]
    assert InboxPage.model_validate_json(answer.body).next is None
    assert (held["verdict"], held["codes"], held["warnings"]) == ("HELD", [finding], [warning])
    assert (held["reevaluate_on"], held["waits_for"], held["alert"]) == ("2022-06-01", "plan.published", True)
    assert held["event"] == {"source": None, "id": None}
    assert duplicate["duplicate_of"] == {"source": "//wuhai/miit", "id": "evt-1"}
    assert (accepted["record_uid"], accepted["version"], accepted["duplicate_of"]) == ("R1", 1, None)
    assert accepted["event"] == {"source": "//wuhai/miit", "id": "evt-1"}


async def test_filters_and_pages_lose_nothing(database: TestDatabase, catalogue: Catalogue) -> None:
    async with serving(database, catalogue, api_inbox_scan_rows=3) as world:
        for number in range(1, 11):
            await world.register.inbox(
                verdict="HELD" if number % 5 == 0 else "ACCEPTED",
                case_id=f"C{number % 2}",
                subject=USCC if number < 4 else None,
            )
        client = await world.auditor()
        for limit in (1, 2, 100):
            assert await ids(client, limit=limit) == list(range(10, 0, -1))
            assert await ids(client, limit=limit, verdict="HELD") == [10, 5]
            assert await ids(client, limit=limit, case_id="C1") == [9, 7, 5, 3, 1]
            assert await ids(client, limit=limit, uscc=USCC.lower()) == [3, 2, 1]
            assert await ids(client, limit=limit, uscc=USCC, case_id="C1", verdict="ACCEPTED") == [3, 1]


async def test_what_is_no_verdict_is_refused(world: World) -> None:
    answer = await (await world.auditor()).get(PATH, verdict="LOST")
    assert (answer.status, answer.json["errors"][0]["code"]) == (422, "enum")

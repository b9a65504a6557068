"""`GET /v1/check` over the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from services.broker.api.models import CheckAnswer
from tests.broker.api.register import OTHER_USCC, USCC, body

if TYPE_CHECKING:
    from tests.broker.api.conftest import World
    from tests.broker.api.http_client import Client

pytestmark = pytest.mark.asyncio
PATH = "/v1/check"
NEVER: dict[str, Any] = {
    "listed": False,
    "since": None,
    "until": None,
    "decision": None,
    "measures": [],
    "flags": [],
    "matched_on": None,
}


async def ask(client: Client, uscc: str = USCC, area: str = "SA08") -> CheckAnswer:
    answer = await client.get(PATH, uscc=uscc, area=area)
    assert answer.status == 200, answer
    return CheckAnswer.model_validate_json(answer.body)


async def test_a_listed_enterprise_is_told_with_basis_and_dates(world: World) -> None:
    await world.register.version("R1")
    client = await world.agency()
    found = await ask(client)
    assert (found.uscc, found.area, found.listed, found.matched_on) == (USCC, "SA08", True, "uscc")
    assert (str(found.since), str(found.until), str(found.as_of)) == (
        "2022-03-10",
        "2025-03-10",
        "2022-06-01",
    )
    assert found.decision is not None
    assert found.decision.doc_no == "乌工信列决字〔2022〕5号"
    (measure,) = found.measures
    assert (measure.code, measure.family, measure.force) == ("M0801", "AREA", "ADVISORY")
    assert measure.basis
    assert found.data_version == 1
    assert found.known_at.tzinfo is not None


async def test_an_ended_or_revoked_record_answers_byte_for_byte_as_one_never_listed(world: World) -> None:
    await world.register.version("R1")
    client = await world.agency()
    for version, state in enumerate(("SUSPENDED", "REMOVED", "REVOKED"), 2):
        await world.register.version("R1", version, op="RETRACT", cause="OTHER", of=body(state=state))
        ended = (await client.get(PATH, uscc=USCC, area="SA08")).json
        never = (await client.get(PATH, uscc=OTHER_USCC, area="SA08")).json
        assert {key: ended[key] for key in NEVER} == NEVER
        differ = {key for key in ended if ended[key] != never[key]}
        assert differ <= {"uscc", "known_at"}
        assert ended["data_version"] == version


async def test_the_code_is_normalised_before_it_is_looked_up(world: World) -> None:
    await world.register.version("R1")
    found = await ask(await world.agency(), uscc=" 9115-0303m0000b027f ")
    assert (found.uscc, found.listed) == (USCC, True)


async def test_a_wrong_code_is_a_problem_with_its_own_code(world: World) -> None:
    client = await world.agency()
    cases = {
        "91150303M0000B0275": "E_USCC_CHECKSUM",
        "9115": "E_USCC_LENGTH",
        "91150303M0000B027O": "E_USCC_ALPHABET",
        "1" * 500: "E_USCC_LENGTH",
    }
    for uscc, code in cases.items():
        answer = await client.get(PATH, uscc=uscc, area="SA08")
        assert (answer.status, answer.code) == (422, code)
        assert {error["field"] for error in answer.json["errors"]} == {"uscc"}
    answer = await client.get(PATH, uscc="110101199003070011", area="SA08")
    assert b"19900307" not in answer.body, "what may be a person's number is not repeated"


async def test_what_is_missing_or_not_granted_is_told(world: World) -> None:
    client = await world.agency()
    answer = await client.get(PATH, area="SA08")
    assert (answer.status, answer.code) == (422, "E_PARAMETER")
    assert answer.json["errors"] == [{"field": "uscc", "code": "missing", "detail": "Field required"}]
    assert (await client.get(PATH, uscc=USCC, area="SA99")).code == "E_UNKNOWN_AREA"
    assert (await client.get(PATH, uscc=USCC, area="SA01")).code == "E_AREA_NOT_GRANTED"


async def test_price_and_credit_are_areas_of_their_own(world: World) -> None:
    await world.register.version("R1", areas=("SA08", "PRICE", "CREDIT"))
    price = await ask(await world.agency("PRICE"), area="PRICE")
    assert (price.listed, [measure.code for measure in price.measures]) == (False, ["PP01"])
    credit = await ask(await world.agency("CREDIT"), area="CREDIT")
    assert (credit.listed, [measure.code for measure in credit.measures]) == (True, ["CP01"])
    auditor = await world.auditor()
    assert (await ask(auditor, area="CREDIT")).listed


async def test_a_record_of_another_region_does_not_count(world: World) -> None:
    await world.register.version("R1", regions=("320400",))
    assert not (await ask(await world.agency())).listed
    assert (await ask(await world.agency(region="320400"))).listed

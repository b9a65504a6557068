"""What is owed arrives, once, in order, and nothing else does: real process, real database, real sockets."""

from __future__ import annotations

import signal
import time

import pytest

from tests.publisher.stand import Stand, until

pytestmark = pytest.mark.asyncio
FAULTY = {"kind": "status", "status": 503, "probability": 0.3}


async def test_every_version_reaches_every_destination_that_is_owed_it(stand: Stand) -> None:
    await stand.destinations("LAND", "TAX")
    await stand.destinations("BANK", areas=["SA07"])
    await stand.register(*[(f"R{n}", "UPSERT") for n in range(60)])
    stand.publisher("one")
    await stand.settled()
    await stand.register(*[(f"R{n}", "RETRACT") for n in range(30)])
    await stand.settled()
    repeats = await stand.check_everything("LAND", "TAX")
    assert repeats == {"LAND": 0, "TAX": 0}
    assert stand.simulator.arrivals("BANK") == []
    held = stand.simulator.get("/LAND/records")["items"]
    assert sum(item["op"] == "RETRACT" for item in held) == 30


async def test_who_may_hold_a_record_is_told_although_the_subscription_no_longer_matches(
    stand: Stand,
) -> None:
    await stand.destinations("LAND")
    await stand.destinations("BANK", areas=["SA07"])
    stand.publisher("one")
    await stand.register(("R1", "UPSERT"), ("R2", "UPSERT"))
    await stand.settled()
    await stand.register(("R1", "RETRACT"), areas=())
    await stand.settled()
    told = [(a["record_uid"][-2:], a["op"]) for a in stand.simulator.arrivals("LAND")]
    assert set(told[:2]) == {("R1", "UPSERT"), ("R2", "UPSERT")}
    assert told[2:] == [("R1", "RETRACT")]
    assert stand.simulator.arrivals("BANK") == []


async def test_a_version_for_nobody_goes_to_nobody(stand: Stand) -> None:
    await stand.destinations("LAND")
    stand.publisher("one")
    await stand.register(("R1", "UPSERT"), ("R1", "RETRACT"), areas=())
    await stand.settled()
    assert stand.simulator.arrivals("LAND") == []
    assert await stand.ledger() == []


async def test_failures_park_lanes_and_keep_order(stand: Stand) -> None:
    await stand.destinations("LAND", "TAX", "BANK", "BUY")
    for receiver in ("LAND", "TAX", "BANK", "BUY"):
        stand.simulator.faults(receiver, FAULTY)
    stand.publisher("one")
    for round_of in range(6):
        op = "RETRACT" if round_of == 5 else "UPSERT"
        await stand.register(*[(f"R{n}", op) for n in range(40)])
    await stand.settled()
    assert await stand.check_everything("LAND", "TAX", "BANK", "BUY") == dict.fromkeys(
        ("LAND", "TAX", "BANK", "BUY"), 0
    )
    outcomes = {row[0] for row in await stand.ledger("distinct outcome, entry_id")}
    assert outcomes == {"ACCEPTED", "RETRYABLE", "SUPERSEDED"}
    terminal = await stand.pool.fetchval(
        "select count(*) from ledger where outcome in ('ACCEPTED', 'SUPERSEDED')"
    )
    assert terminal == 6 * 40 * 4, "delivered and superseded add up to what was owed"


async def test_unknown_outcomes_are_sent_again_under_the_same_id(stand: Stand) -> None:
    await stand.destinations("LAND")
    stand.simulator.faults(
        "LAND", {"kind": "reset", "count": 3, "stored": True}, {"kind": "truncated", "count": 3}
    )
    stand.publisher("one")
    await stand.register(*[(f"R{n}", "UPSERT") for n in range(10)])
    await stand.settled()
    repeats = await stand.check_everything("LAND")
    assert repeats["LAND"] >= 3, "stored before the reset, and sent again"
    assert len(await stand.ledger("1", "outcome = 'UNKNOWN'")) == 6
    ids = {(a["record_uid"], a["webhook_id"]) for a in stand.simulator.arrivals("LAND")}
    assert len(ids) == 10


async def test_retry_after_is_honoured_in_full(stand: Stand) -> None:
    await stand.destinations("LAND")
    stand.simulator.faults("LAND", {"kind": "retry_after", "retry_after": 2, "count": 1})
    stand.publisher("one")
    await stand.register(("R1", "UPSERT"))
    await stand.settled()
    first, second = await stand.ledger("outcome, status, sent_at, retry_at, settled_at")
    assert (first["outcome"], first["status"], second["outcome"]) == ("RETRYABLE", 429, "ACCEPTED")
    assert (first["retry_at"] - first["settled_at"]).total_seconds() >= 2
    assert (second["sent_at"] - first["settled_at"]).total_seconds() >= 1.9


async def test_gone_stops_the_destination_visibly_and_nothing_is_dropped(stand: Stand) -> None:
    await stand.destinations("LAND", "TAX")
    stand.simulator.faults("LAND", {"kind": "status", "status": 410, "count": 1})
    stand.publisher("one")
    await stand.register(("R1", "UPSERT"))

    async def stopped() -> bool:
        state = await stand.pool.fetchrow("select state, state_reason from destination where code = 'LAND'")
        return bool(state["state"] == "STOPPED" and "410" in state["state_reason"])

    await until(stopped, "LAND is stopped")
    await stand.register(("R2", "UPSERT"))

    async def tax_has_both() -> bool:
        return len(stand.simulator.arrivals("TAX")) == 2

    await until(tax_has_both, "TAX goes on")
    assert len(stand.simulator.arrivals("LAND")) == 1
    await stand.pool.execute(
        "update destination set state = 'ACTIVE', updated_at = now() where code = 'LAND'"
    )
    await stand.settled()
    assert await stand.check_everything("LAND", "TAX") == {"LAND": 0, "TAX": 0}


async def test_a_commit_wakes_the_publisher_within_50_ms(stand: Stand) -> None:
    await stand.destinations("LAND")
    stand.publisher("one", LIANCHENG_POLL_SECONDS="30")
    await stand.register(("R0", "UPSERT"))
    await stand.settled()
    late = []
    for number in range(1, 21):
        at = time.time()
        await stand.register((f"R{number}", "UPSERT"))
        await stand.settled()
        sent = (await stand.ledger("sent_at", "seq = $1", stand.sequence))[0][0].timestamp()
        late.append(sent - at)
    assert sorted(late)[len(late) // 2] < 0.05, late


async def test_sigterm_drains_and_hands_over_and_a_second_one_ends_at_once(stand: Stand) -> None:
    await stand.destinations("LAND", "TAX")
    stand.simulator.faults("LAND", {"kind": "latency", "seconds": 0.4})
    first = stand.publisher("first")
    await stand.register(*[(f"R{n}", "UPSERT") for n in range(40)])

    async def begun() -> bool:
        return len(stand.simulator.arrivals("LAND")) > 4

    await until(begun, "deliveries have begun")
    assert first.end(signal.SIGTERM) == 0
    assert await stand.pool.fetchval("select count(*) from lease where owner is not null") == 0
    assert await stand.ledger("1", "outcome = 'UNKNOWN'") == [], "a drained stop leaves nothing unknown"
    second = stand.publisher("second")
    await stand.settled()
    assert await stand.check_everything("LAND", "TAX") == {"LAND": 0, "TAX": 0}
    stand.simulator.faults("LAND", {"kind": "latency", "seconds": 20})
    await stand.register(("R0", "UPSERT"))

    async def on_the_wire() -> bool:
        return bool(await stand.pool.fetchval("select max(intent_to) = $1 from lease", stand.sequence))

    await until(on_the_wire, "the last version is announced")
    second.send(signal.SIGTERM)

    async def asked() -> bool:
        return bool(second.logged("stop_asked"))

    await until(asked, "the first SIGTERM is seen")
    assert second.end(signal.SIGTERM) == 130

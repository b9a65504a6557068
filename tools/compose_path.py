"""Part of the compose check: worked events in at Kafka, out at every receiver that they are owed to."""

from __future__ import annotations

import json
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from tools.compose_stack import ROOT, get

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tools.compose_confinement import Findings
    from tools.compose_stack import Stack

CASES = ROOT / "tests" / "data" / "cases.ndjson"
T = TypeVar("T")
PATIENCE_SECONDS = 30  # for what takes well under a second on a machine at rest
LOOK_SECONDS = 0.2

_WUHAI = ("CREDIT_CHINA", "NCISP")
_CHANGZHOU = ("CREDIT_CHANGZHOU", "JS_PCIS", "CZ_PCIS")
_AGENCIES = ("LAND_AGENCY", "TAX_AGENCY", "BANK_AGENCY", "PROCUREMENT_AGENCY")
RECEIVERS = (*_WUHAI, *_CHANGZHOU, *_AGENCIES)

# Who is owed what (DOMAIN.md §1.1, §1.11): the platforms of the deciding city, and the agencies of both.
LISTINGS = {
    "evt-0003": (*_WUHAI, *_AGENCIES),
    "evt-0005a": (*_WUHAI, *_AGENCIES),
    "evt-0008": (*_CHANGZHOU, *_AGENCIES),
    "evt-0009b": (*_CHANGZHOU, *_AGENCIES),
}
REVOCATION, REVOKED_LISTING = "evt-0009a", "evt-0009b"

Held = dict[tuple[str, str], tuple[str, int]]
"""(receiver, subject) -> (op, version) that the receiver holds."""


def subjects() -> dict[str, str]:
    """Event id -> subject, of the worked cases."""
    events = (json.loads(line)["event"] for line in CASES.read_text("utf-8").splitlines())
    return {event["id"]: event["subject"] for event in events if "subject" in event}


def _of_receiver(stack: Stack, receiver: str, what: str) -> Any:
    status, body = get(f"http://127.0.0.1:{stack.simulator_port}/{receiver}/{what}")
    return body if status == HTTPStatus.OK else {}


def held(stack: Stack) -> Held:
    return {
        (receiver, item["subject"]): (item["op"], item["version"])
        for receiver in RECEIVERS
        for item in _of_receiver(stack, receiver, "records").get("items", ())
    }


def received(stack: Stack) -> dict[str, int]:
    """Receiver -> requests that it has seen."""
    return {receiver: _of_receiver(stack, receiver, "counts").get("requests", -1) for receiver in RECEIVERS}


def awaited(look: Callable[[], T], good: Callable[[T], bool]) -> T:
    """What `look` shows once it is good, or else after PATIENCE_SECONDS."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not good(found := look()) and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
    return found


def emit(stack: Stack, events: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Send events through Kafka, from a container of its own; event id -> data of its verdict."""
    container = ("run", "--rm", "-T", "admin", "emit", "-")
    options = ("--only", ",".join(events), "--wait", "--timeout", str(PATIENCE_SECONDS), "--json")
    answer = stack.compose(*container, *options, given=CASES.read_text("utf-8"))
    return {verdict["event"]["id"]: verdict for verdict in map(json.loads, answer.splitlines())}


def check_path(stack: Stack, publishers: list[str], urls: list[str], findings: Findings) -> None:
    """`publishers`: ids of their containers; `urls`: addresses of the brokers."""
    subject = subjects()
    verdicts = emit(stack, LISTINGS)
    findings.add("listings judged", _tally(verdicts), _all_are("ACCEPTED", LISTINGS, verdicts))
    wanted: Held = {
        (receiver, subject[event]): ("UPSERT", 1)
        for event, receivers in LISTINGS.items()
        for receiver in receivers
    }
    found = awaited(lambda: held(stack), wanted.__eq__)
    findings.add("listings at each of the nine receivers", _difference(wanted, found), found == wanted)

    verdicts = emit(stack, [REVOCATION])
    findings.add("revocation judged", _tally(verdicts), _all_are("ACCEPTED", [REVOCATION], verdicts))
    wanted |= {(receiver, subject[REVOKED_LISTING]): ("RETRACT", 2) for receiver in LISTINGS[REVOKED_LISTING]}
    found = awaited(lambda: held(stack), wanted.__eq__)
    findings.add("withdrawn from all who held it", _difference(wanted, found), found == wanted)

    _check_ledger(stack, publishers, findings)
    _check_api(stack, urls, verdicts[REVOCATION]["record_uid"], findings)


def check_after_restart(stack: Stack, before: dict[str, int], findings: Findings) -> None:
    """What comes again is known, and nobody is told anything twice."""
    verdicts = emit(stack, LISTINGS)
    findings.add("the same events again", _tally(verdicts), _all_are("DUPLICATE", LISTINGS, verdicts))
    behind = "select count(*) from lease, sequence_head where owner is null or position < feed"
    ((readers,),) = awaited(lambda: stack.query(behind), [["0"]].__eq__)
    findings.add("every reader is leased and at the end of the feed", f"{readers} are not", readers == "0")
    after = received(stack)
    findings.add("nothing is sent again", f"{sum(after.values())} requests in all", after == before)


def _check_ledger(stack: Stack, publishers: list[str], findings: Findings) -> None:
    def accepted() -> dict[str, int]:
        rows = stack.query(
            "select split_part(publisher, ':', 1), count(*) from ledger where outcome = 'ACCEPTED' group by 1"
        )
        return {host: int(number) for host, number in rows}

    owed = sum(map(len, LISTINGS.values())) + len(LISTINGS[REVOKED_LISTING])
    delivered = awaited(accepted, lambda found: sum(found.values()) == owed)
    ((entries,),) = stack.query("select count(*) from ledger")
    findings.add(
        "each delivery is on the ledger once, and nothing else is",
        f"{sum(delivered.values())} of {owed}, {entries} entries",
        sum(delivered.values()) == owed == int(entries),
    )
    hosts = {publisher[:12] for publisher in publishers}
    findings.add(
        "both publishers delivered",
        ", ".join(f"{host} {number}" for host, number in sorted(delivered.items())),
        delivered.keys() == hosts,
    )
    requests = sum(received(stack).values())
    findings.add("no request beyond the ledger's", f"{requests} requests", requests == owed)


def _check_api(stack: Stack, urls: list[str], uid: str, findings: Findings) -> None:
    key = ("key", "create", "--name", "compose check", "--scopes", "admin", "--json")
    made = stack.compose("run", "--rm", "-T", "admin", *key)
    token = json.loads(made)["token"]
    for url in urls:
        status, record = get(f"{url}/v1/records/{uid}", token)
        holdings = record["destinations"] if status == HTTPStatus.OK else []
        told = {one["destination"] for one in holdings if one["state"] == "RETRACTED"}
        findings.add(
            f"{url} says who withdrew it",
            f"status {status}, {len(told)} destinations",
            told == set(LISTINGS[REVOKED_LISTING]),
        )
    status, _ = get(f"{urls[0]}/v1/records/{uid}")
    findings.add("without a key it says nothing", f"status {status}", status == HTTPStatus.UNAUTHORIZED)


def _all_are(verdict: str, events: Iterable[str], verdicts: dict[str, dict[str, Any]]) -> bool:
    return {event: found["verdict"] for event, found in verdicts.items()} == dict.fromkeys(events, verdict)


def _tally(verdicts: dict[str, dict[str, Any]]) -> str:
    return ", ".join(f"{event} {found['verdict']}" for event, found in sorted(verdicts.items()))


def _difference(wanted: Held, found: Held) -> str:
    missing = [f"{receiver} {subject}" for receiver, subject in wanted.keys() - found.keys()]
    other = [f"{key[0]} {key[1]} {found[key]}" for key in found if found[key] != wanted.get(key)]
    return "; ".join(sorted(missing) + sorted(other)) or f"{len(found)} as owed"

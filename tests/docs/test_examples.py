"""The files that the READMEs let a reader send and load, and the key rotation of docs/operations.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from liancheng.commands.destination import read_file
from liancheng.demo.expectations import read_events
from schemas.catalogue.load import load_catalogue
from services.broker.arrival import read_arrival
from services.broker.deadletters import StoredMessage
from services.runtime.sealing import SealingError, SealingKeys, new_key
from tests.docs.pages import PAGES, README, ROOT

if TYPE_CHECKING:
    from typing import Any

EXAMPLES = ROOT / "docs" / "examples"


def listed_in_the_demo(subject: str) -> dict[str, Any]:
    (found,) = (
        event
        for event in read_events().values()
        if event["subject"] == subject and event["type"].endswith("listing.decided")
    )
    return dict(found["data"])


def test_the_revocation_revokes_a_listing_of_the_demo() -> None:
    (line,) = (EXAMPLES / "revocation.ndjson").read_bytes().splitlines()
    event = orjson.loads(line)
    headers = (("content-type", b"application/cloudevents+json"),)
    arrival = read_arrival(StoredMessage(0, 0, event["subject"].encode(), line, headers), 1_000_000)
    assert not arrival.event.findings
    listing, data = listed_in_the_demo(event["subject"]), event["data"]
    assert (data["case_id"], data["authority"]) == (listing["case_id"], listing["authority"])
    assert data["revoked_doc_no"] == listing["decision"]["doc_no"]
    readme = PAGES[README].text
    assert f"uscc={event['subject']}" in readme
    assert f"case_id={data['case_id']}" in readme


def test_the_destination_loads_and_asks_for_what_is_in_the_catalogue() -> None:
    (entry,) = read_file(EXAMPLES / "destination.toml")
    catalogue = load_catalogue()
    assert set(entry.areas) <= set(catalogue.areas)
    assert set(entry.regions) <= {profile.region for profile in catalogue.profiles}
    assert ":9900/" in entry.url
    assert any("bench/sink.py --port 9900" in line for line in PAGES[README].shell)


def test_the_data_key_is_rotated_by_a_comma_list() -> None:
    old, new = new_key(), new_key()
    before = SealingKeys(old).seal(b"x", b"here")
    both = SealingKeys(f"{new},{old}")
    assert both.open(before, b"here") == b"x"
    after = both.seal(b"y", b"here")
    assert SealingKeys(new).open(after, b"here") == b"y"
    with pytest.raises(SealingError):
        SealingKeys(new).open(before, b"here")

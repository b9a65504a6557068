from __future__ import annotations

from datetime import date

import orjson
import pytest

from schemas.catalogue.terms import terms
from schemas.codes import Code, Finding
from schemas.events import Verdict, VerdictData, verdict_bytes

CHECKSUM = Finding(Code.E_USCC_CHECKSUM, "data.enterprise.uscc", "91150303M0000B0270", "F")


def test_verdicts_and_their_labels_are_the_same_set() -> None:
    assert set(terms("verdicts")) == set(Verdict)


@pytest.mark.parametrize(
    "made",
    [
        verdict_bytes("//s", "1", Verdict.ACCEPTED, record_uid="01J", version=1),
        verdict_bytes(
            "", "", Verdict.REFUSED, codes=[CHECKSUM], warnings=[Finding(Code.W_STAT_YEAR)], alert=True
        ),
        verdict_bytes("//s", "1", Verdict.HELD, reevaluate_on=date(2022, 6, 1), waits_for="person"),
        verdict_bytes("//s", "2", Verdict.DUPLICATE, duplicate_of=("//s", "1")),
    ],
)
def test_the_builder_makes_what_the_model_says(made: bytes) -> None:
    assert VerdictData.model_validate_json(made).model_dump_json().encode() == made


def test_every_key_of_the_shape_is_always_there() -> None:
    made = orjson.loads(verdict_bytes(None, None, Verdict.REFUSED, codes=[CHECKSUM]))
    assert list(made) == [
        "event",
        "verdict",
        "codes",
        "warnings",
        "record_uid",
        "version",
        "reevaluate_on",
        "waits_for",
        "duplicate_of",
        "alert",
    ]
    assert made["event"] == {"source": None, "id": None}
    assert made["codes"] == [
        {
            "code": "E_USCC_CHECKSUM",
            "field": "data.enterprise.uscc",
            "value": "91150303M0000B0270",
            "expected": "F",
        }
    ]

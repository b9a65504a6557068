"""From answers to outcomes, and Retry-After in all its forms."""

from __future__ import annotations

import datetime as dt
from email.utils import format_datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.publisher.wire.answer import Answer, Fault, retry_after_seconds
from services.publisher.wire.classify import GONE, Outcome, Verdict, classify

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


UNWRITTEN = {
    Fault.FENCED,
    Fault.NAME_UNRESOLVED,
    Fault.ADDRESS_FORBIDDEN,
    Fault.CONNECT_REFUSED,
    Fault.CONNECT_TIMEOUT,
    Fault.CONNECT_FAILED,
    Fault.TLS_FAILED,
}


def answer(status: int | None, error: Fault | None = None, *, written: bool = True) -> Answer:
    return Answer(status, error, written, None, None, 1.0, 2.0)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206, 226, 299])
def test_2xx_is_accepted(status: int) -> None:
    assert classify(answer(status)) == Verdict(Outcome.ACCEPTED, None)


@pytest.mark.parametrize(
    "status", [300, 301, 302, 304, 307, 308, 400, 401, 403, 404, 408, 409, 413, 422, 425, 429]
)
def test_redirects_and_client_errors_are_retried(status: int) -> None:
    assert classify(answer(status)) == Verdict(Outcome.RETRYABLE, f"HTTP_{status}")


@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 507, 599, 600, 999])
def test_server_errors_and_unheard_of_ones_are_retried(status: int) -> None:
    assert classify(answer(status)) == Verdict(Outcome.RETRYABLE, f"HTTP_{status}")


def test_410_leaves_the_version_owed_and_stops_the_destination() -> None:
    assert classify(answer(410)) == Verdict(Outcome.RETRYABLE, GONE)


@pytest.mark.parametrize("fault", Fault)
def test_a_fault_is_unknown_as_soon_as_a_byte_was_written(fault: Fault) -> None:
    assert classify(answer(None, fault, written=False)) == Verdict(Outcome.RETRYABLE, fault.value)
    if fault not in UNWRITTEN:
        for status in (None, 200, 410, 503):  # a status on top of half an answer decides nothing
            assert classify(answer(status, fault)) == Verdict(Outcome.UNKNOWN, fault.value)


@unhurried
@given(st.integers(200, 999))
def test_nothing_but_a_whole_2xx_is_accepted_and_a_status_rejects_nothing(status: int) -> None:
    outcome = classify(answer(status)).outcome
    assert (outcome is Outcome.ACCEPTED) == (200 <= status <= 299)
    assert outcome is not Outcome.REJECTED


NOW = dt.datetime(2026, 11, 25, 12, 0, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"0", 0.0),
        (b"120", 120.0),
        (b"  7 ", 7.0),
        (b"9999999999", 9999999999.0),
        (b"Wed, 25 Nov 2026 12:01:30 GMT", 90.0),
        (b"Wednesday, 25-Nov-26 12:01:30 GMT", 90.0),
        (b"Wed Nov 25 12:01:30 2026", 90.0),
        (b"Wed, 25 Nov 2026 11:00:00 GMT", 0.0),
        (b"Wed, 02 Dec 2026 12:00:00 GMT", 7 * 86400.0),
        (b"", None),
        (b"-5", None),
        (b"1.5", None),
        (b"+5", None),
        (b"soon", None),
        (b"1 hour", None),
        (b"99999999999", None),
        (b"9" * 5000, None),
        (b"\xe4\xba\x94", None),
        (b"\xb2", None),
        (b"Wed, 99 Nov 2026 12:01:30 GMT", None),
        (b"Wed, 25 Nov 99999 12:01:30 GMT", None),
    ],
)
def test_retry_after(value: bytes, seconds: float | None) -> None:
    assert retry_after_seconds(value, NOW.timestamp()) == seconds


@unhurried
@given(st.datetimes(NOW.replace(tzinfo=None), timezones=st.just(dt.UTC)))
def test_a_date_is_honoured_in_full(date: dt.datetime) -> None:
    value = format_datetime(date, usegmt=True).encode()
    assert retry_after_seconds(value, NOW.timestamp()) == (date.replace(microsecond=0) - NOW).total_seconds()


@unhurried
@given(st.binary(max_size=60))
def test_no_value_is_an_exception(value: bytes) -> None:
    seconds = retry_after_seconds(value, NOW.timestamp())
    assert seconds is None or seconds >= 0

"""The bytes of a delivery, and its signature as an independent library sees it."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from services.publisher.wire.envelope import RequestTemplate, VersionBody, version_body
from services.publisher.wire.signing import SigningKey
from services.publisher.wire.target import Target

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


TARGET = Target.parse("https://credit.example/hook?from=liancheng")
OLD = "whsec_" + base64.b64encode(b"o" * 24).decode()
NEW = "whsec_" + base64.b64encode(bytes(range(64))).decode()
UID = "01J00000000000000000000000"
RECORD = '{"subject": {"name": "某某轧钢有限公司"}, "n":1.50}'.encode()
NOW = 1_795_000_000  # where nobody verifies how old it is


def now() -> int:
    """Unix seconds of this moment: a verifier takes nothing older than five minutes."""
    return int(dt.datetime.now(dt.UTC).timestamp())


def body_of(**changes: object) -> VersionBody:
    row = {
        "record_uid": UID,
        "version": 3,
        "sequence": 17,
        "op": "RETRACT",
        "cause": "REPAIRED",
        "record": RECORD,
    }
    return version_body(**{**row, **changes})  # type: ignore[arg-type]


def parts(request: bytes) -> tuple[str, dict[str, str], bytes]:
    """Request line, headers (each name once), body."""
    head, _, body = request.partition(b"\r\n\r\n")
    line, *lines = head.decode("ascii").split("\r\n")
    headers: dict[str, str] = {}
    for header in lines:
        name, value = header.split(": ", 1)
        assert name not in headers
        headers[name] = value
    return line, headers, body


def test_the_request_is_these_bytes() -> None:
    rendered = RequestTemplate(TARGET, "CREDIT_CHINA", [SigningKey.parse(OLD)]).render(body_of(), NOW)
    line, headers, body = parts(rendered.request)
    assert line == "POST /hook?from=liancheng HTTP/1.1"
    signature = headers.pop("webhook-signature")
    assert signature.startswith("v1,")
    assert headers == {
        "host": "credit.example",
        "user-agent": "liancheng",
        "accept": "application/json",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "webhook-id": f"{UID}.3.CREDIT_CHINA",
        "webhook-timestamp": str(NOW),
        "content-length": str(len(body)),
    }
    assert body == (
        b'{"record_uid":"%b","version":3,"sequence":17,"op":"RETRACT","cause":"REPAIRED",'
        b'"destination":"CREDIT_CHINA","record":%b}' % (UID.encode(), RECORD)
    )
    assert rendered.body_sha256 == hashlib.sha256(body).digest()
    assert rendered.webhook_id == f"{UID}.3.CREDIT_CHINA".encode()


def test_no_cause_is_null() -> None:
    rendered = RequestTemplate(TARGET, "BANK", [SigningKey.parse(OLD)]).render(body_of(cause=None), NOW)
    assert json.loads(parts(rendered.request)[2])["cause"] is None


@unhurried
@given(
    version=st.integers(1, 10**9),
    sequence=st.integers(1, 2**63 - 1),
    op=st.sampled_from(["UPSERT", "FLAG", "RETRACT"]),
    record=st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    ),
    code=st.from_regex(r"[A-Z][A-Z0-9_]{1,15}", fullmatch=True),
)
def test_any_version_is_one_json_object_and_its_signature_verifies(
    version: int, sequence: int, op: str, record: object, code: str
) -> None:
    raw = json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass")
    try:
        raw.decode()
    except UnicodeDecodeError:
        return  # a lone surrogate is no JSON that a feed could hold
    template = RequestTemplate(TARGET, code, [SigningKey.parse(NEW)])
    rendered = template.render(body_of(version=version, sequence=sequence, op=op, record=raw), now())
    _, headers, body = parts(rendered.request)
    verified = Webhook(NEW).verify(body, headers)
    assert verified == {
        "record_uid": UID,
        "version": version,
        "sequence": sequence,
        "op": op,
        "cause": "REPAIRED",
        "destination": code,
        "record": record,
    }


def test_during_a_rotation_either_secret_verifies_and_a_third_does_not() -> None:
    template = RequestTemplate(TARGET, "BANK", [SigningKey.parse(OLD), SigningKey.parse(NEW)])
    _, headers, body = parts(template.render(body_of(), now()).request)
    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (OLD, NEW):
        assert Webhook(secret).verify(body, headers)["version"] == 3
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + base64.b64encode(b"x" * 32).decode()).verify(body, headers)


@pytest.mark.parametrize("what", ["body", "webhook-id", "webhook-timestamp"])
def test_a_change_on_the_way_is_noticed(what: str) -> None:
    template = RequestTemplate(TARGET, "BANK", [SigningKey.parse(OLD)])
    at = now()
    _, headers, body = parts(template.render(body_of(), at).request)
    if what == "body":
        body = body.replace(b'"version":3', b'"version":4')
    else:
        headers[what] = headers[what].replace("3", "4") if what == "webhook-id" else str(at + 1)
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(body, headers)


def test_the_id_is_the_same_at_every_attempt_and_another_for_every_destination() -> None:
    key = [SigningKey.parse(OLD)]
    bank, land = RequestTemplate(TARGET, "BANK", key), RequestTemplate(TARGET, "LAND", key)
    first, again = bank.render(body_of(), NOW), bank.render(body_of(), NOW + 3600)
    assert first.webhook_id == again.webhook_id
    assert first.request != again.request
    assert (
        len(
            {
                first.webhook_id,
                land.render(body_of(), NOW).webhook_id,
                bank.render(body_of(version=4), NOW).webhook_id,
            }
        )
        == 3
    )


def test_a_trace_goes_along() -> None:
    trace = "00-" + "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    template = RequestTemplate(TARGET, "BANK", [SigningKey.parse(OLD)])
    _, headers, body = parts(template.render(body_of(), now(), trace).request)
    assert headers["traceparent"] == trace
    Webhook(OLD).verify(body, headers)
    for forged in ("", trace + "\r\nx: y", trace + "\n", trace.upper(), "00-short-00-01"):
        with pytest.raises(ValueError, match="traceparent"):
            template.render(body_of(), NOW, forged)


@pytest.mark.parametrize("part", ["", "a b", "a.b", "a\r\nx: y", "名", 'a"b'])
def test_what_cannot_stand_in_an_id_is_refused(part: str) -> None:
    with pytest.raises(ValueError, match="uid"):
        body_of(record_uid=part)
    with pytest.raises(ValueError, match="code"):
        RequestTemplate(TARGET, part, [SigningKey.parse(OLD)])


def test_nothing_leaves_unsigned() -> None:
    with pytest.raises(ValueError, match="key"):
        RequestTemplate(TARGET, "BANK", [])


@unhurried
@given(st.binary(min_size=24, max_size=64), st.binary(max_size=200), st.binary(max_size=200))
def test_the_signature_is_hmac_sha256(key: bytes, head: bytes, body: bytes) -> None:
    expected = base64.b64encode(hmac.digest(key, head + body, "sha256"))
    assert SigningKey(key).sign(head, body) == b"v1," + expected


SECRET = base64.b64encode(b"k" * 32).decode()


@pytest.mark.parametrize(
    "secret",
    [
        "",
        SECRET,
        f"WHSEC_{SECRET}",
        "whsec_",
        f"whsec_{SECRET[:-1]}",
        f"whsec_{SECRET} ",
        f"whsec_{SECRET}\n",
        f"whsec_-{SECRET[1:]}",
        "whsec_" + base64.b64encode(b"k" * 23).decode(),
        "whsec_" + base64.b64encode(b"k" * 65).decode(),
        "whsec_密钥密钥密钥密钥",
    ],
)
def test_a_bad_secret_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(ValueError, match=r"secret|key") as raised:
        SigningKey.parse(secret)
    assert len(secret) < 8 or secret[6:] not in str(raised.value)


def test_a_key_does_not_show_itself() -> None:
    assert "kkkk" not in repr(SigningKey(b"k" * 32)) + str(SigningKey(b"k" * 32))

"""The bytes of a delivery: what is the same for all destinations once a feed row, the rest once a delivery.

    body = version_body(record_uid=…, version=…, sequence=…, op=…, cause=…, record=…)  # once a feed row
    template = RequestTemplate(target, "CREDIT_CHINA", [SigningKey.parse(secret)])     # once a destination
    request, body_sha256, webhook_id = template.render(body, int(time.time()))         # once an attempt

The body is `{"record_uid", "version", "sequence", "op", "cause", "destination", "record"}`, in this order,
with the record's JSON as it stands in the feed, byte for byte.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.publisher.wire.signing import SigningKey
    from services.publisher.wire.target import Target

_ID_PART: Final = re.compile(r"[A-Za-z0-9_-]+")
TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_sha256_of_nothing: Final = hashlib.sha256()


class VersionBody(NamedTuple):
    """One feed row's share of the body, around the destination's code; `id_prefix` is
    `<record_uid>.<version>.`
    """

    id_prefix: bytes
    before_destination: bytes
    after_destination: bytes


def version_body(
    *, record_uid: str, version: int, sequence: int, op: str, cause: str | None, record: bytes
) -> VersionBody:
    """`record` is one JSON value, spliced in unseen. Raises ValueError for a uid that can't stand in a
    header.
    """
    if not _ID_PART.fullmatch(record_uid):
        raise ValueError("a record uid has only letters, digits, - and _")
    head = orjson.dumps(
        {"record_uid": record_uid, "version": version, "sequence": sequence, "op": op, "cause": cause}
    )
    return VersionBody(
        b"%b.%d." % (record_uid.encode(), version),
        head[:-1] + b',"destination":',
        b',"record":%b}' % record,
    )


class Rendered(NamedTuple):
    request: bytes
    body_sha256: bytes
    webhook_id: bytes


class RequestTemplate:
    """Renders the signed requests to one destination. `keys` are its live secrets: during a rotation the old
    and the new one, each of which signs, so that a receiver may hold either.
    """

    def __init__(self, target: Target, destination: str, keys: Sequence[SigningKey]) -> None:
        if not _ID_PART.fullmatch(destination):
            raise ValueError("a destination's code has only letters, digits, - and _")
        if not keys:
            raise ValueError("a destination needs a signing key")
        self._keys = tuple(keys)
        self._code = destination.encode()
        self._json_code = b'"%b"' % self._code
        self._head = (
            f"POST {target.path} HTTP/1.1\r\n"
            f"host: {target.authority}\r\n"
            "user-agent: liancheng\r\n"
            "accept: application/json\r\n"
            "accept-encoding: identity\r\n"  # the ledger keeps the digest of the answer as it was meant
            "content-type: application/json\r\n"
            "webhook-id: "
        ).encode("ascii")

    def render(self, body: VersionBody, timestamp: int, traceparent: str | None = None) -> Rendered:
        """`timestamp` in Unix seconds, of this attempt; the id is the same in every attempt."""
        id_prefix, before, after = body
        webhook_id = id_prefix + self._code
        id_and_timestamp = b"%b.%d." % (webhook_id, timestamp)
        payload = b"".join((before, self._json_code, after))
        digest = _sha256_of_nothing.copy()
        digest.update(payload)
        request = (
            b"%b%b\r\nwebhook-timestamp: %d\r\nwebhook-signature: %b%b\r\ncontent-length: %d\r\n\r\n%b"
            % (
                self._head,
                webhook_id,
                timestamp,
                b" ".join([key.sign(id_and_timestamp, payload) for key in self._keys]),
                b"" if traceparent is None else _traceparent_line(traceparent),
                len(payload),
                payload,
            )
        )
        return Rendered(request, digest.digest(), webhook_id)


def _traceparent_line(traceparent: str) -> bytes:
    """By W3C Trace Context. Raises ValueError for anything else: it stems from outside, and headers are
    lines.
    """
    if not TRACEPARENT.fullmatch(traceparent):
        raise ValueError("not a traceparent")
    return b"\r\ntraceparent: " + traceparent.encode("ascii")

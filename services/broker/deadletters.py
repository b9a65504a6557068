"""Dead letters: refused messages as they came, sealed, for as long as the retention says."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson

from services.runtime.sealing import SealingError

if TYPE_CHECKING:
    from datetime import datetime

    import asyncpg

    from services.broker.situation import InboxEntry
    from services.broker.source import Message
    from services.runtime.sealing import SealingKeys

PURGE = "delete from dead_letter where expires_at < $1"


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message opened from its letter; a `services.broker.source.Message`."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


class LetterSeal:
    """Seals messages into letters and opens them again. A letter is bound to its place in Kafka."""

    def __init__(self, keys: SealingKeys, retention_days: int) -> None:
        self._keys = keys
        self._retention = timedelta(days=retention_days)

    def letter(self, message: Message, entry: InboxEntry, topic: str, now: datetime) -> tuple[Any, ...]:
        """A row of `dead_letter`, in the order of LETTER_COLUMNS."""
        plain = orjson.dumps(
            {
                "key": _text(message.key),
                "value": _text(message.value),
                "headers": [[name, _text(content)] for name, content in message.headers],
            }
        )
        return (
            entry.inbox_id,
            topic,
            message.partition,
            message.offset,
            [finding.code for finding in entry.codes],
            len(message.value or b""),
            self._keys.seal(plain, _context(topic, message.partition, message.offset)),
            now,
            now + self._retention,
        )

    def open(self, topic: str, partition: int, offset: int, sealed: bytes) -> StoredMessage:
        """The message as it came. SealingError if no given key opens it."""
        plain = orjson.loads(self._keys.open(sealed, _context(topic, partition, offset)))
        headers = tuple((name, _bytes(content)) for name, content in plain["headers"])
        return StoredMessage(partition, offset, _bytes(plain["key"]), _bytes(plain["value"]), headers)


async def purge(pool: asyncpg.Pool, now: datetime) -> int:
    """Delete letters past their retention; how many there were."""
    status: str = await pool.execute(PURGE, now)
    return int(status.rsplit(maxsplit=1)[-1])


def _context(topic: str, partition: int, offset: int) -> bytes:
    return f"dead-letter:{topic}/{partition}@{offset}".encode()


def _text(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


__all__ = ["PURGE", "LetterSeal", "SealingError", "StoredMessage", "purge"]

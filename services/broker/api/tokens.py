"""API keys as their holders carry them: `lck_<key_id>_<secret>`.

The secret has 256 random bits, so a plain SHA-256 of it is as good as a slow hash: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import NamedTuple

_SECRET_BYTES = 32
_KEY_ID_BYTES = 8
_TOKEN = re.compile(r"lck_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")


class Token(NamedTuple):
    """`key_id` may be shown and logged, `secret` never."""

    key_id: str
    secret: str

    def text(self) -> str:
        return f"lck_{self.key_id}_{self.secret}"


def new_token(key_id: str | None = None) -> Token:
    """A fresh secret, for `key_id` or for a new key."""
    return Token(key_id or secrets.token_hex(_KEY_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES))


def read_token(text: str) -> Token | None:
    """The token that `text` is, or None."""
    found = _TOKEN.fullmatch(text)
    return Token(*found.groups()) if found else None


def digest(secret: str) -> bytes:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).digest()

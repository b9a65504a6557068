"""Sealing at rest: AES-256-GCM with keys from the environment, a key id in front of every sealed value.

Sealed form: `id (4 bytes) || nonce (12) || ciphertext and tag`. The id is the first four bytes of the
SHA-256 of the key, so that values sealed with a former key open as long as that key is still given.
Source: NIST SP 800-38D; random 96-bit nonces, far below 2^32 values a key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_ID_BYTES = 4
_NONCE_BYTES = 12


class SealingError(ValueError):
    """A key that is no key, or a value that no given key opens."""


class SealingKeys:
    """`SealingKeys("<base64>[,<base64> …]")`: the first key seals, all open."""

    def __init__(self, keys: str) -> None:
        self._ciphers: dict[bytes, AESGCM] = {}
        for number, encoded in enumerate(keys.split(","), 1):
            try:
                key = base64.b64decode(encoded.strip(), validate=True)
            except binascii.Error as error:
                raise SealingError(f"data key {number} is not base64") from error
            if len(key) != KEY_BYTES:
                raise SealingError(f"data key {number} has {len(key)} bytes, not {KEY_BYTES}")
            self._ciphers[hashlib.sha256(key).digest()[:_ID_BYTES]] = AESGCM(key)
        self._id = next(iter(self._ciphers))

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """Seal for `context` (what the value belongs to): elsewhere it does not open."""
        nonce = os.urandom(_NONCE_BYTES)
        return self._id + nonce + self._ciphers[self._id].encrypt(nonce, plain, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Open; SealingError if no key is the one, the value was changed, or the context is another."""
        cipher = self._ciphers.get(sealed[:_ID_BYTES])
        if cipher is None:
            raise SealingError("sealed with a data key that is not given")
        nonce = sealed[_ID_BYTES : _ID_BYTES + _NONCE_BYTES]
        try:
            return cipher.decrypt(nonce, sealed[_ID_BYTES + _NONCE_BYTES :], context)
        except InvalidTag as error:
            raise SealingError("the sealed value or its context was changed") from error


def new_key() -> str:
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()

"""The unified social credit code (统一社会信用代码, GB 32100-2015): normalise, check, explain.

Eighteen characters of an alphabet of 31 (no I, O, S, V, Z): 1 registering department, 2 class, 3-8 GB/T
2260 region at registration (never looked up: regions are abolished, codes are not), 9-17 organisation code
with its own check (GB 11714), 18 check. Nothing is ever corrected: a wrong check only carries what was
expected.
"""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress
from datetime import date
from functools import lru_cache
from operator import mul
from typing import NamedTuple

from schemas.codes import Code, Finding

LENGTH = 18
ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_MODULUS = 31
# W_i = 3^(i-1) mod 31 for the first 17, and 1 for the check itself: a valid code sums to 0 mod 31.
_WEIGHTS = (*(pow(3, i, _MODULUS) for i in range(LENGTH - 1)), 1)
_FOREIGN = 255
_VALUES = bytes(ALPHABET.find(chr(i)) if chr(i) in ALPHABET else _FOREIGN for i in range(256))

_INNER = slice(8, 16)
_INNER_CHECK_AT = 16
_INNER_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_INNER_VALUES = bytes(int(chr(i), 36) if chr(i).isascii() and chr(i).isalnum() else 0 for i in range(256))
_INNER_CHECKS = "0X987654321"  # C9 = 11 - sum mod 11, where 10 is written X and 11 is written 0

# What people type for the five letters that the alphabet leaves out; a suggestion, never a correction.
_LOOKALIKES = str.maketrans("IOSZ", "1052")
_SEPARATORS = re.compile("[\\s\\-\u2010-\u2015\u2212\u200b\ufeff]+")
_RESIDENT_ID = re.compile(r"[0-9]{6}((?:18|19|20)[0-9]{2})([0-9]{2})([0-9]{2})[0-9]{3}[0-9X]")
_CACHED = 4096  # authorities return with every event and stay; subjects pass through
_CACHED_LENGTH = 64  # nothing longer can be a code, and a cache of megabytes would be a leak


class UsccReading(NamedTuple):
    """`code` is the normalised text, valid or not; findings and warnings have no field yet (`Finding.at`)."""

    code: str
    valid: bool
    findings: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()


def read_uscc(text: str) -> UsccReading:
    """Read a code as it was written.

    Findings: `E_USCC_LENGTH`, `E_USCC_ALPHABET`, or (only where both hold) `E_USCC_CHECKSUM` with the
    character expected. Warnings: `W_USCC_NORMALISED`, `W_USCC_INNER_CHECK` (some early real codes fail it),
    and `W_USCC_LOOKS_LIKE_ID`: then no finding repeats the text, which may be a person's.
    """
    return _read(text) if len(text) <= _CACHED_LENGTH else _TOO_LONG


@lru_cache(maxsize=_CACHED)
def _read(text: str) -> UsccReading:
    if _sums_up(text):
        if _inner_check(text) == text[_INNER_CHECK_AT] and not text[:-1].isdigit():
            return UsccReading(text, valid=True)
        return UsccReading(text, valid=True, warnings=_warnings(text, text))
    code = normalise_uscc(text)
    if _sums_up(code):
        return UsccReading(code, valid=True, warnings=_warnings(text, code))
    personal = _looks_like_id(code)
    warnings = (Finding(Code.W_USCC_LOOKS_LIKE_ID),) if personal else ()
    return UsccReading(code, False, tuple(_findings(code, None if personal else code)), warnings)


def normalise_uscc(text: str) -> str:
    """NFKC, upper case, without spaces and hyphens (`RULINGS` I5)."""
    compact = _SEPARATORS.sub("", unicodedata.normalize("NFKC", text)).upper()
    return unicodedata.normalize("NFKC", compact)


def check_character(first_17: str) -> str:
    """The 18th character that GB 32100-2015 demands after these 17, all of the alphabet."""
    total = sum(map(mul, first_17.encode().translate(_VALUES), _WEIGHTS))
    return ALPHABET[-total % _MODULUS]


def _sums_up(code: str) -> bool:
    if len(code) != LENGTH or not code.isascii():
        return False
    values = code.encode().translate(_VALUES)
    return _FOREIGN not in values and sum(map(mul, values, _WEIGHTS)) % _MODULUS == 0


def _inner_check(code: str) -> str:
    total = sum(map(mul, code[_INNER].encode().translate(_INNER_VALUES), _INNER_WEIGHTS))
    return _INNER_CHECKS[total % 11]


def _warnings(text: str, code: str) -> tuple[Finding, ...]:
    found = []
    personal = _looks_like_id(code)
    shown = None if personal else code
    if text != code:
        found.append(Finding(Code.W_USCC_NORMALISED, value=None if personal else text, expected=shown))
    if (expected := _inner_check(code)) != code[_INNER_CHECK_AT]:
        found.append(Finding(Code.W_USCC_INNER_CHECK, value=shown, expected=expected))
    if personal:
        found.append(Finding(Code.W_USCC_LOOKS_LIKE_ID))
    return tuple(found)


def _findings(code: str, shown: str | None) -> list[Finding]:
    found = []
    if len(code) != LENGTH:
        found.append(Finding(Code.E_USCC_LENGTH, value=shown, expected=LENGTH))
    if any(character not in ALPHABET for character in code):
        guess = code.translate(_LOOKALIKES)
        found.append(Finding(Code.E_USCC_ALPHABET, value=shown, expected=guess if _sums_up(guess) else None))
    return found or [Finding(Code.E_USCC_CHECKSUM, value=shown, expected=check_character(code[:-1]))]


_TOO_LONG = UsccReading("", False, (Finding(Code.E_USCC_LENGTH, expected=LENGTH),))


def _looks_like_id(code: str) -> bool:
    """Whether a resident's identity number (GB 11643) may stand here: digits around a real date of birth."""
    if match := _RESIDENT_ID.fullmatch(code):
        with suppress(ValueError):
            return bool(date(*map(int, match.groups())))
    return False

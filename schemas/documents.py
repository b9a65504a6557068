"""What makes two documents, names or contents the same, however their brackets and widths were typed.

Source: `RULINGS` I2 and I5. Wrong brackets (市场【2019】1号) and full-width digits are common.
"""

from __future__ import annotations

import re
import unicodedata
from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from schemas.events.base import EventData

_OPENING, _CLOSING = "([{（［｛【〖〔〘〚", ")]}）］｝】〗〕〙〛"
_TO_TORTOISE = str.maketrans(_OPENING + _CLOSING, "〔" * len(_OPENING) + "〕" * len(_CLOSING))
_TO_ROUND = str.maketrans(_OPENING + _CLOSING, "(" * len(_OPENING) + ")" * len(_CLOSING))
_BLANK = re.compile("[\\s\u200b\u200c\u200d\u2060\ufeff]+")
_PLAIN_NUMBER = re.compile("[0-9A-Za-z\u4e00-\u9fff〔〕-]*")
_PLAIN_NAME = re.compile("[0-9A-Za-z\u4e00-\u9fff()]*")
# NFKC of these three yields JSON's own quote and backslash: one string could then read as two.
_JSON_BREAKERS = re.compile("[＂＼﹨]")
_JSON_BRACKETS = tuple(pair for pair in zip(_OPENING, _CLOSING, strict=True) if pair[0] not in "（［｛〔")


def normalise_document_number(text: str) -> str:
    """A document number (文号) as a key: NFKC, every bracket as 〔〕, no blanks. [2022]5号 → 〔2022〕5号."""
    if _PLAIN_NUMBER.fullmatch(text):
        return text
    return _compact(text).translate(_TO_TORTOISE)


def normalise_name(text: str) -> str:
    """An enterprise's name as compared: NFKC, every bracket as (), no blanks, no case. Shown is the
    original.
    """
    if _PLAIN_NAME.fullmatch(text):
        return text.upper()
    return unicodedata.normalize("NFKC", _compact(text).upper()).translate(_TO_ROUND)


def content_digest(data: EventData, *, exclude: dict[str, Any] | None = None) -> bytes:
    """SHA-256 (32 bytes) of what an event says, by its known fields. Equal: the same was said again,
    however it was typed. `exclude` leaves fields out, nested as for pydantic (`{"decision":
    {"served_on"}}`).
    """
    return known_digest(data.known(exclude=exclude))


def known_digest(known: bytes) -> bytes:
    """`content_digest` of `EventData.known`, for who has those bytes already. Canonical is NFKC, one form of
    brackets and no blanks; sets are in order from the reading on.
    """
    text = known.decode()
    if not unicodedata.is_normalized("NFKC", text):
        if _JSON_BREAKERS.search(text):
            text = _JSON_BREAKERS.sub(r"\\\g<0>", text)
        text = unicodedata.normalize("NFKC", text)
    # Structural brackets turn as well, which is harmless: quotes still tell them from those in texts.
    for opening, closing in _JSON_BRACKETS:
        text = text.replace(opening, "〔").replace(closing, "〕")
    return sha256(text.replace(" ", "").encode()).digest()


def _compact(text: str) -> str:
    # NFKC makes blanks of some characters, and what a blank kept apart may compose once it is gone.
    return unicodedata.normalize("NFKC", _BLANK.sub("", unicodedata.normalize("NFKC", text)))

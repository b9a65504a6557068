"""撤销、确认违法、确认无效 (`DOMAIN` §6.6 row 12)."""

from __future__ import annotations

from typing import ClassVar

from schemas.events.base import TYPE_PREFIX, EventData
from schemas.events.parts import Authority, Revoking
from schemas.events.types import DocumentNumber, Note, RevocationNature


class DecisionRevoked(EventData):
    """Voids the document (`authority`'s USCC, normalised `revoked_doc_no`) for the subject (`RULINGS` E5).

    `authority` issued the revoked document; who revokes is in `revoking`, and may be anybody.
    `public_explanation` is what 行政处罚法 art. 48 orders to be published.
    """

    event_type: ClassVar[str] = TYPE_PREFIX + "decision.revoked"

    authority: Authority
    revoked_doc_no: DocumentNumber
    revoking: Revoking | None = None
    nature: RevocationNature = "REVOKED"
    public_explanation: Note | None = None

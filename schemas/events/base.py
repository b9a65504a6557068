"""What every event's data is: the links by which it finds its record, and how its subject is named."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import BaseModel

from schemas.events.types import STRICT, Word

TYPE_PREFIX = "cn.capacity-exit."


class EventData(BaseModel):
    """Base of the data of all event types. A new type is a new subclass in a file of its own, and a row in
    `schemas.events.registry`.
    """

    model_config = STRICT

    event_type: ClassVar[str]
    """The CloudEvents `type`, prefix included."""

    subject_field: ClassVar[str | None] = None
    """The data field that must hold the same USCC as the CloudEvents `subject` (`RULINGS` I5); None: there
    is none.
    """

    subject_kind: ClassVar[Literal["uscc", "any"]] = "uscc"
    """What the CloudEvents `subject` holds: `uscc`, required; `any`: a region, an authority, or nothing."""

    case_id: Word | None = None
    record_uid: Word | None = None

    def known(self, *, exclude: dict[str, Any] | None = None) -> bytes:
        """The known fields as JSON, without what is absent: what is kept of an event, read again by
        `read_data`, and what `schemas.documents.content_digest` compares. `exclude` as for pydantic
        (`{"decision": {"notice"}}`).
        """
        return self.__pydantic_serializer__.to_json(self, by_alias=True, exclude_none=True, exclude=exclude)

"""What a destination may see of a record: an agency the measures of its own areas, a platform all of them.

Least sight (DESIGN, invariant 6): the areas of a destination are its grant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet


def cut_to_areas(body: bytes, areas: AbstractSet[str]) -> bytes:
    """The record's JSON with only the measures of `areas`, everything else as it stands."""
    record = orjson.loads(body)
    measures = record.get("measures")
    if not measures:
        return body
    seen = [measure for measure in measures if measure["area"] in areas]
    if len(seen) == len(measures):
        return body
    return orjson.dumps(record | {"measures": seen})

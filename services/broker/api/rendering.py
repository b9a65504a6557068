"""A record as the asker may see it: the stored bytes where they fit the grant, else cut to its areas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from schemas.catalogue.catalogue import Catalogue
    from services.broker.api.keys import Principal

Json = dict[str, Any]


def cut_to_grant(body: bytes, areas: Sequence[str], asker: Principal) -> bytes:
    """The record without measures of areas that the asker has no grant for; `areas`: all it concerns."""
    if asker.sees_all or asker.areas.issuperset(areas):
        return body
    record = orjson.loads(body)
    record["measures"] = [measure for measure in record["measures"] if measure["area"] in asker.areas]
    return orjson.dumps(record)


def shown_measures(measures: Iterable[Json], catalogue: Catalogue) -> list[Json]:
    """Measures of a record with what the catalogue says of them.

    A measure that the catalogue no longer has is shown with what the record itself says.
    """
    shown = []
    for measure in measures:
        area, entry = catalogue.areas.get(measure["area"]), catalogue.measures.get(measure["code"])
        shown.append(
            {
                "area": measure["area"],
                "code": measure["code"],
                "family": area.family if area else None,
                "agency_type": entry.agency_type if entry else None,
                "category": entry.category if entry else None,
                "force": entry.force if entry else None,
                "basis": [
                    {"id": reference.id, "article": reference.article or None} for reference in entry.basis
                ]
                if entry
                else [],
                "start": measure["start"],
                "end": measure["end"],
                "item": measure.get("item"),
            }
        )
    return shown


def shown_record(row: Json, asker: Principal, catalogue: Catalogue) -> Json:
    """A record by its `record_uid`, `version`, `seq`, `areas` and `body`, in the shape of `RULINGS` A1."""
    body = orjson.loads(cut_to_grant(row["body"], row["areas"], asker))
    body["measures"] = shown_measures(body["measures"], catalogue)
    return {"record_uid": row["record_uid"], "version": row["version"], "sequence": row["seq"], **body}

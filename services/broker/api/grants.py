"""Whether an area exists and is granted: two different answers, since the catalogue is public."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from services.broker.api.errors import ProblemError

if TYPE_CHECKING:
    from schemas.catalogue.catalogue import Catalogue
    from schemas.catalogue.policy import Area
    from services.broker.api.keys import Principal


def granted_area(code: str, asker: Principal, catalogue: Catalogue) -> Area:
    """The area.

    Raises:
        ProblemError: 404 `E_UNKNOWN_AREA`, 403 `E_AREA_NOT_GRANTED`.

    """
    area = catalogue.areas.get(code)
    if area is None:
        raise ProblemError(
            HTTPStatus.NOT_FOUND, "E_UNKNOWN_AREA", "No such area; GET /v1/catalogue/areas lists them."
        )
    if not asker.sees_area(code):
        raise ProblemError(
            HTTPStatus.FORBIDDEN, "E_AREA_NOT_GRANTED", f"The API key has no grant for the area {code}."
        )
    return area

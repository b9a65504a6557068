"""`GET /v1/catalogue/…`: the public catalogue. A measure that is not published may not be applied."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Any

import orjson
from fastapi import APIRouter, Path, Request, Response

from schemas.catalogue.terms import tables
from schemas.codes import Code
from services.broker.api.answers import JSON
from services.broker.api.errors import ProblemError
from services.broker.api.problems import PUBLIC_PROBLEMS

if TYPE_CHECKING:
    from schemas.catalogue.catalogue import Catalogue

router = APIRouter(tags=["catalogue"])

_CACHE_CONTROL = "public, max-age=300"
_NOT_MODIFIED = 304


class Shelf:
    """The catalogue's parts as the bytes that are answered, each with a strong entity tag."""

    def __init__(self, catalogue: Catalogue) -> None:
        parts: dict[str, list[dict[str, Any]]] = {
            "areas": [area.model_dump(mode="json") for area in catalogue.areas.values()],
            "measures": [measure.model_dump(mode="json") for measure in catalogue.measures.values()],
            "bases": [basis.model_dump(mode="json") for basis in catalogue.bases.values()],
            "channels": [channel.model_dump(mode="json") for channel in catalogue.channels.values()],
            "profiles": [profile.model_dump(mode="json") for profile in catalogue.profiles],
            "codes": [{"code": code, "zh": code.text("zh"), "en": code.text("en")} for code in Code],
            "terms": [
                {"table": table, "code": term.code, "zh": term.zh, "en": term.en}
                for table, terms in tables().items()
                for term in terms.values()
            ],
        }
        contents = {name: orjson.dumps({"items": items, "next": None}) for name, items in parts.items()}
        index = [
            {"part": name, "items": len(items), "path": f"/v1/catalogue/{name}"}
            for name, items in parts.items()
        ]
        contents[""] = orjson.dumps({"items": index, "next": None})
        self._parts = {
            name: (content, f'"{hashlib.sha256(content).hexdigest()[:32]}"')
            for name, content in contents.items()
        }

    def answer(self, name: str, request: Request) -> Response:
        """The part, or 304 if the asker has it. Raises ProblemError 404 `E_NOT_FOUND`."""
        if name not in self._parts:
            raise ProblemError(
                404, "E_NOT_FOUND", "The catalogue has no such part; GET /v1/catalogue lists them."
            )
        content, tag = self._parts[name]
        headers = {"ETag": tag, "Cache-Control": _CACHE_CONTROL}
        if tag in _tags(request.headers.get("if-none-match", "")):
            return Response(None, _NOT_MODIFIED, headers)
        return Response(content, headers=headers, media_type=JSON)


def _tags(if_none_match: str) -> set[str]:
    """RFC 9110 13.1.2: compared weakly."""
    return {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}


@router.get(
    "/v1/catalogue",
    summary="What the catalogue holds (目录)",
    response_class=Response,
    responses={200: {"model": dict[str, Any]}, 304: {"description": "Unchanged"}, **PUBLIC_PROBLEMS},
)
async def index(request: Request) -> Response:
    shelf: Shelf = request.app.state.shelf
    return shelf.answer("", request)


@router.get(
    "/v1/catalogue/{part}",
    summary="One part of the catalogue: areas, measures, bases, channels, profiles, codes, terms",
    response_class=Response,
    responses={200: {"model": dict[str, Any]}, 304: {"description": "Unchanged"}, **PUBLIC_PROBLEMS},
)
async def part(request: Request, part: Annotated[str, Path()]) -> Response:
    """Public, whole, with a strong entity tag: ask again with `If-None-Match`."""
    shelf: Shelf = request.app.state.shelf
    return shelf.answer(part, request)

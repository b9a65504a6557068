"""What the reader must know of a model beside pydantic: where its codes and its personal fields stand, and
its partial twin, in which every field may be missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, Field, create_model

from schemas.events.types import IsUscc, Personal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.events.base import EventData

_ITEMS = "[]"

Path = tuple[str, ...]
_M = TypeVar("_M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class ReadingPlan:
    """Where things stand in one model.

    `single`: USCCs at (part, name), with "" for a field of the data itself. `listed`: USCCs at (list, name)
    in every entry, with "" where the entries are codes. `private`: dotted names that no finding repeats.
    """

    single: tuple[tuple[str, str], ...]
    listed: tuple[tuple[str, str], ...]
    private: frozenset[str]
    partial: type[EventData]


@cache
def plan_of(model: type[EventData]) -> ReadingPlan:
    """The plan of one event type. Raises `TypeError` for a code nested deeper than the reader looks."""
    single: list[tuple[str, str]] = []
    listed: list[tuple[str, str]] = []
    private: set[str] = set()
    for path, marks in _marked(model):
        if any(isinstance(mark, IsUscc | Personal) for mark in marks):
            private.add(".".join(step for step in path if step != _ITEMS))
        if not any(isinstance(mark, IsUscc) for mark in marks):
            continue
        match path:
            case (part, name) if _ITEMS not in path:
                single.append((part, name))
            case (name,):
                single.append(("", name))
            case (name, step) | (name, step, _) if step == _ITEMS:
                listed.append((name, path[2] if path[2:] else ""))
            case _:
                raise TypeError(f"{model.__name__}: no USCC is looked for at {'.'.join(path)}")
    return ReadingPlan(tuple(single), tuple(listed), frozenset(private), partial_of(model))


@cache
def partial_of(model: type[_M]) -> type[_M]:
    """A subclass in which every field may be missing (None), down to the parts, but not inside lists."""
    fields: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        part = _part(info.annotation)
        annotation: Any = info.annotation if part is None else partial_of(part)
        if info.metadata:
            annotation = Annotated[annotation, *info.metadata]
        fields[name] = (annotation | None, Field(None, alias=info.alias))
    return create_model(f"Partial{model.__name__}", __base__=model, **fields)


def _marked(model: type[BaseModel], at: Path = ()) -> Iterator[tuple[Path, list[object]]]:
    """Every field, list entry included, with what it is annotated with."""
    for name, info in model.model_fields.items():
        yield from _inside(info.annotation, (*at, info.alias or name), list(info.metadata))


def _inside(annotation: Any, path: Path, marks: list[object]) -> Iterator[tuple[Path, list[object]]]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from _inside(arguments[0], path, [*marks, *annotation.__metadata__])
    elif origin in (Union, UnionType):
        for argument in arguments:
            yield from _inside(argument, path, marks)
    elif origin is not None:
        yield path, marks
        for argument in arguments:
            if argument is not ...:
                yield from _inside(argument, (*path, _ITEMS), [])
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield path, marks
        yield from _marked(annotation, path)
    else:
        yield path, marks


def _part(annotation: Any) -> type[BaseModel] | None:
    """The model that a field holds, present or not; None for lists and plain values."""
    if get_origin(annotation) in (Union, UnionType):
        return next((found for inner in get_args(annotation) if (found := _part(inner))), None)
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None

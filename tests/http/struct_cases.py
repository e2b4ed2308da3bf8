"""What JSON a struct's definition takes, and values that it does not take."""

import types
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

SAMPLES: dict[str, object] = {
    "string": "text",
    "number": 7,
    "fraction": 7.5,
    "flag": True,
    "array": [7],
    "object": {"a": 7},
}


PLAIN: dict[object, set[str]] = {
    str: {"string"},
    datetime: {"string"},
    bool: {"flag"},
    int: {"number"},
    type(None): set(),
}
GENERIC: dict[object, set[str]] = {
    Literal: {"string"},
    tuple: {"array"},
    list: {"array"},
    dict: {"object"},
    Mapping: {"object"},
}


def kinds(annotation: Any) -> set[str]:
    """Return the kinds of JSON values that a type takes; raise for a type unknown here."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return kinds(args[0])
    if origin in (Union, types.UnionType):
        return set().union(*map(kinds, args))
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return {"object"}
    found = GENERIC.get(origin, PLAIN.get(annotation))
    assert found is not None, f"say here what JSON {annotation} takes"
    return found


def structs_in(annotation: Any) -> Iterator[type[msgspec.Struct]]:
    """Yield the structs that a type mentions."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        yield annotation
    for argument in get_args(annotation):
        yield from structs_in(argument)


Place = tuple[str | int, ...]
Case = tuple[Place, object]


def wrong_values(struct: type[msgspec.Struct], place: Place = ()) -> Iterator[Case]:
    """Yield a place and a value of a wrong type for every field of a struct and those within."""
    hints = get_type_hints(struct, include_extras=True)
    for field in msgspec.structs.fields(struct):
        annotation = hints[field.name]
        here = (*place, field.encode_name)
        allowed = kinds(annotation)
        for kind, sample in SAMPLES.items():
            if kind not in allowed:
                yield here, sample
        if "array" in allowed:
            yield from ((here, [sample]) for sample in _wrong_members(annotation))
        for inner in structs_in(annotation):
            yield from wrong_values(inner, (*here, 0) if "array" in allowed else here)


def _wrong_members(annotation: Any) -> Iterator[object]:
    for option in (annotation, *get_args(annotation)):
        if get_origin(option) is tuple:
            members = [member for member in get_args(option) if member is not Ellipsis]
            allowed = set().union(*map(kinds, members))
            yield from (sample for kind, sample in SAMPLES.items() if kind not in allowed)

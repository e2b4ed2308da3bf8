"""Plain copies of values that native code does not take as they are.

The native walk of a value runs no Python code. What cannot be read so is converted here first:
keys of a subclass of str, mappings named ``frozendict``, and what a ``default`` hook knows.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from meshaccel._native import MetadataList, MetadataView
from meshaccel.errors import MetadataDepthError, MetadataTypeError

Default = Callable[[Any], Any]
Path = tuple[str | int, ...]

SCALARS = (str, int, float, type(None), MetadataView, MetadataList)


class _Open:
    """A list or dict that is being copied."""

    def __init__(self, parts: Iterator[tuple[Any, Any]], copy: dict[str, Any] | list[Any]) -> None:
        self.parts = parts
        self.copy = copy
        self.step: str | int = 0

    def put(self, value: object) -> None:
        if isinstance(self.copy, dict):
            self.copy[str(self.step)] = value
        else:
            self.copy.append(value)


def plain(value: object, max_depth: int, strict: bool, default: Default | None) -> object:  # noqa: FBT001 (native code has no keywords)
    """Return a copy of ``value`` made of dicts, lists, scalars and views.

    ``default`` is asked once about each value that is nothing of that; what it returns may
    contain others. ``strict`` refuses tuples.

    Raises:
        MetadataTypeError: A value or key has another type. The path to it is given.
        MetadataDepthError: More lists and dicts than allowed are within each other.
    """
    opened: list[_Open] = []
    result = _begin(value, opened, max_depth, strict=strict, default=default)
    while opened:
        parent = opened[-1]
        part = next(parent.parts, None)
        if part is None:
            opened.pop()
            continue
        step, item = part
        if isinstance(parent.copy, dict) and not isinstance(step, str):
            path = tuple(above.step for above in opened[:-1])
            raise MetadataTypeError(path, type(step).__name__, is_key=True)
        parent.step = str.__str__(step) if isinstance(step, str) else step
        parent.put(_begin(item, opened, max_depth, strict=strict, default=default))
    return result


def _begin(
    value: Any, opened: list[_Open], max_depth: int, *, strict: bool, default: Default | None
) -> object:
    """Return a scalar, or the copy of a list or dict, which is then filled."""
    if default is not None and not _is_known(value, strict=strict):
        value = default(value)
    if isinstance(value, SCALARS):
        return value
    if not _is_known(value, strict=strict):
        raise MetadataTypeError(tuple(above.step for above in opened), type(value).__name__)
    if len(opened) >= max_depth:
        raise MetadataDepthError(max_depth)
    if isinstance(value, dict):
        # What a subclass holds, whatever it says that it holds.
        filled = _Open(iter(list(dict.items(value))), {})
    elif isinstance(value, Mapping):
        filled = _Open(iter(list(value.items())), {})
    else:
        kind = list if isinstance(value, list) else tuple
        filled = _Open(enumerate(tuple(kind.__iter__(value))), [])
    opened.append(filled)
    return filled.copy


def _is_known(value: object, *, strict: bool) -> bool:
    if isinstance(value, (*SCALARS, dict, list)):
        return True
    if isinstance(value, tuple):
        return not strict
    return type(value).__name__ == "frozendict" and isinstance(value, Mapping)

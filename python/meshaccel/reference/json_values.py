"""Plain values as JSON, in plain Python."""

import json
from collections.abc import Callable, Iterator
from datetime import date, time
from typing import Any
from uuid import UUID

from meshaccel.errors import JsonValueError
from meshaccel.reference.json_documents import MAX_DEPTH

__all__ = ["write_value"]

Default = Callable[[Any], object]


def write_value(value: object, column: str, default: Default | None = None) -> str:
    """Return any plain value as JSON.

    Raises:
        JsonValueError: The value has no JSON form. What ``default`` raises comes through.
    """
    return "".join(_Writer(column, default).written(value, 0))


class _Writer:
    def __init__(self, column: str, default: Default | None) -> None:
        self._column = column
        self._default = default

    def written(self, value: Any, depth: int) -> Iterator[str]:
        if value is None or isinstance(value, (bool, int, float, str)):
            yield self._scalar(value, type(value).__name__)
        elif isinstance(value, UUID):
            yield self._scalar(str(value), type(value).__name__)
        elif isinstance(value, (date, time)):
            text = value.isoformat()
            if not isinstance(text, str):
                raise JsonValueError(self._column, type(value).__name__)
            yield self._scalar(text, type(value).__name__)
        else:
            yield from self._nested(value, depth)

    def _nested(self, value: Any, depth: int) -> Iterator[str]:
        name = type(value).__name__
        if not isinstance(value, (dict, list, tuple)) and self._default is None:
            raise JsonValueError(self._column, name)
        if depth == MAX_DEPTH:
            raise JsonValueError(self._column, f"{name} nested deeper than {MAX_DEPTH} levels")
        if isinstance(value, dict):
            yield from self._members(value, depth)
        elif isinstance(value, (list, tuple)):
            yield "["
            for index, element in enumerate(value):
                yield "," * (index > 0)
                yield from self.written(element, depth + 1)
            yield "]"
        elif self._default is not None:
            yield from self.written(self._default(value), depth + 1)

    def _members(self, value: dict[Any, Any], depth: int) -> Iterator[str]:
        yield "{"
        for index, (key, member) in enumerate(value.items()):
            if not isinstance(key, str):
                raise JsonValueError(self._column, f"dict with a key of type {type(key).__name__}")
            yield "," * (index > 0)
            yield self._scalar(key, type(key).__name__)
            yield ":"
            yield from self.written(member, depth + 1)
        yield "}"

    def _scalar(self, value: float | str | None, name: str) -> str:
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False)
            text.encode()
        except ValueError as error:  # a NaN, too many digits, a lone surrogate
            raise JsonValueError(self._column, name) from error
        return text

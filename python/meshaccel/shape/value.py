"""Shapes are values: two that say the same are equal, and they travel between processes."""

from collections.abc import Mapping
from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Value:
    """Lets a frozen dataclass with read-only mappings be pickled and copied."""

    def __reduce__(self: "DataclassInstance") -> tuple[Any, ...]:
        state = {field.name: getattr(self, field.name) for field in fields(self) if field.init}
        plain = {
            name: dict(value) if isinstance(value, Mapping) else value
            for name, value in state.items()
        }
        return partial(type(self), **plain), ()

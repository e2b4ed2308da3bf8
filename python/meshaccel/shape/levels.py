"""A shape, flattened: its collections as plain descriptions, outermost first."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from meshaccel.shape.options import JsonPolicy


class OrderTerm(NamedTuple):
    """A column to sort by."""

    column: str
    descending: bool = False
    as_text: bool = False
    """Compare the text of the value: Postgres cannot sort the type ``json``."""


@dataclass(frozen=True, kw_only=True)
class Level:
    """One collection of a shape: what one statement of the plan per level reads."""

    #: Names of the collections on the way to it, joined by dots; "" for the outermost.
    path: str
    #: What its column labels begin with: the path, or the table of the outermost.
    label: str
    #: Outermost first, its parent last.
    ancestors: tuple["Level", ...]
    key: tuple[str, ...]
    columns: tuple[str, ...]
    presence: tuple[str, ...]
    json: Mapping[str, JsonPolicy]
    #: Path of each collection nested in it, by name.
    children: Mapping[str, str]
    order: tuple[OrderTerm, ...]
    table: str
    query: str | None
    on: Mapping[str, str]

    @property
    def own_labels(self) -> Iterator[str]:
        """The labels of its columns."""
        return self.labels(self.columns)

    def labels(self, columns: Iterable[str]) -> Iterator[str]:
        """Label some of its columns."""
        return (f"{self.label}.{column}" for column in columns)

    @property
    def row_labels(self) -> tuple[str, ...]:
        """Label each value of a row of this level: the ancestors' keys, then its own columns.

        Raises:
            ValueError: An ancestor has no key.
        """
        self.refuse_keyless_ancestors()
        keys = (label for level in self.ancestors for label in level.labels(level.key))
        return (*keys, *self.own_labels)

    def refuse_keyless_ancestors(self) -> None:
        """Check that rows of this level can say what they are nested in.

        Raises:
            ValueError: An ancestor has no key.
        """
        for ancestor in self.ancestors:
            if not ancestor.key:
                raise ValueError(
                    f"{ancestor.path}: without a key, children of its own cannot find it"
                )


def effective_order(
    order: Iterable[str], key: Iterable[str], columns: Iterable[str], json: Collection[str]
) -> tuple[OrderTerm, ...]:
    """Complete an order, so that no two records tie: by the key, or without one by all columns."""
    given = tuple(order_term(name) for name in order)
    sorted_by = {term.column for term in given}
    return given + tuple(
        OrderTerm(column, as_text=column in json)
        for column in tuple(key) or tuple(columns)
        if column not in sorted_by
    )


def order_term(name: str) -> OrderTerm:
    """Read "name" (ascending) or "-name" (descending)."""
    return OrderTerm(name.removeprefix("-"), descending=name.startswith("-"))

"""What the rows of one joined query mean: which columns form which record.

A row holds the values of the outermost record, then those of each child in declaration
order, depth first::

    Shape("agents", key=("id",), columns=("id", "name"), children={
        "capabilities": Child(key=("digest",), columns=("digest", "version")),
    })

describes ``SELECT a.id, a.name, c.digest, c.version FROM agents a LEFT JOIN capabilities c ...``.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from types import MappingProxyType
from typing import Literal, Protocol

NullKey = Literal["error", "skip"]


class Row(Protocol):
    """A row of any driver: tuple, list, ``sqlite3.Row``, named tuple, ``asyncpg.Record``."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> object: ...


@dataclass(frozen=True, kw_only=True)
class Child:
    """A collection nested in each record of its parent: a list of dicts under its name.

    Args:
        key: Columns that tell two children of one parent apart; rows that repeat a key repeat
            that child. ``()`` makes every row a child of its own, which is only right where
            no other collection of the same query multiplies the rows.
        columns: The child's columns, in row order.
        present: Columns of which at least one is not NULL exactly when there is a child: an
            outer join without a match fills them with NULL. Defaults to ``key``, and is
            required without one.
        children: Collections nested in each child. A child that is absent has none.

    Raises:
        ValueError: The names contradict each other.
    """

    key: tuple[str, ...]
    columns: tuple[str, ...]
    present: tuple[str, ...] = ()
    children: Mapping[str, "Child"] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        _freeze(self, "child", ("key", "columns", "present"))
        if not self.presence:
            raise ValueError("child: without a key, name the columns that are NULL if it is absent")

    @property
    def presence(self) -> tuple[str, ...]:
        """The columns that decide whether a row has this child."""
        return self.present or self.key


@dataclass(frozen=True)
class Shape:
    """The outermost record of a joined query and all that is nested in it.

    Args:
        table: What the records are, for messages and column labels.
        key: Columns that tell two records apart.
        columns: The record's columns, in row order.
        children: Collections nested in each record, by the name they get there.
        null_key: What to do with a row whose key columns are all NULL, as a right or full
            join makes them: raise ``NullKeyError`` ("error") or ignore the row ("skip").

    Raises:
        ValueError: The names contradict each other.
    """

    table: str
    _: KW_ONLY
    key: tuple[str, ...]
    columns: tuple[str, ...]
    children: Mapping[str, Child] = field(default_factory=dict, hash=False)
    null_key: NullKey = "error"

    def __post_init__(self) -> None:
        _freeze(self, self.table, ("key", "columns"))
        if not self.key:
            raise ValueError(f"{self.table}: the key must name at least one column")
        if self.null_key not in ("error", "skip"):
            raise ValueError(f'{self.table}: null_key must be "error" or "skip"')
        label = _first_repeated(self.row_columns())
        if label is not None:
            raise ValueError(f"{self.table}: two columns of a row are called {label!r}")

    @property
    def width(self) -> int:
        """Number of values in a row."""
        return len(self.row_columns())

    def row_columns(self) -> tuple[str, ...]:
        """Label each value of a row with the path of its collection.

        Returns:
            Names such as ``agents.id``, ``capabilities.digest``, ``capabilities.labels.name``.
        """
        return tuple(_labels(self.table, self.columns, "", self.children))


def _labels(
    owner: str, columns: Iterable[str], path: str, children: Mapping[str, Child]
) -> Iterator[str]:
    yield from (f"{owner}.{column}" for column in columns)
    for name, child in children.items():
        yield from _labels(path + name, child.columns, f"{path}{name}.", child.children)


def _freeze(record: Shape | Child, owner: str, name_fields: Iterable[str]) -> None:
    """Check the names that a shape and a child have in common, and make them immutable."""
    for name in name_fields:
        object.__setattr__(record, name, _names(owner, name, getattr(record, name)))
    object.__setattr__(record, "children", MappingProxyType(dict(record.children)))
    repeated = _first_repeated(record.columns)
    if repeated is not None:
        raise ValueError(f"{owner}: column {repeated!r} is listed twice")
    for name in name_fields:
        for column in getattr(record, name):
            if column not in record.columns:
                raise ValueError(f"{owner}: {name} column {column!r} is not among the columns")
    for child in _names(owner, "children", record.children):
        if child in record.columns:
            raise ValueError(f"{owner}: {child!r} names both a column and a child")


def _names(owner: str, what: str, names: Iterable[str]) -> tuple[str, ...]:
    if isinstance(names, str):  # a string is an iterable of strings: ("id") for ("id",)
        raise ValueError(f"{owner}: {what} must be a tuple of names, not the string {names!r}")  # noqa: TRY004
    names = tuple(names)
    if not all(isinstance(name, str) for name in names):
        raise ValueError(f"{owner}: {what} must be names, got {names!r}")
    return names


def _first_repeated(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None

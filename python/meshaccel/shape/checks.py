"""The checks that shapes and their children have in common. Each complains with ValueError."""

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar, get_args

from meshaccel.shape.levels import order_term
from meshaccel.shape.options import JsonPolicy

if TYPE_CHECKING:
    from meshaccel.shape.child import Child
    from meshaccel.shape.shape import Shape

T = TypeVar("T")


def freeze(record: "Shape | Child", owner: str) -> None:
    """Check what a shape and a child have in common, and make it immutable."""
    columns = names(owner, "columns", record.columns)
    once(owner, "column", columns)
    key = names(owner, "key", record.key)
    among(owner, "key", key, columns)
    once(owner, "key column", key)
    sorted_by = order(owner, record.order, columns)
    compared = {*key, *(order_term(name).column for name in sorted_by)}
    children = frozen(owner, "children", record.children)
    for child in children:
        if child in columns:
            raise ValueError(f"{owner}: {child!r} names both a column and a child")
    if record.query is not None:
        text(owner, "query", record.query)
    changes = {
        "columns": columns,
        "key": key,
        "order": sorted_by,
        "json": json(owner, record.json, columns, compared),
        "children": children,
    }
    for name, value in changes.items():
        object.__setattr__(record, name, value)


def names(owner: str, what: str, value: Iterable[str]) -> tuple[str, ...]:
    """Return the names as a tuple."""
    if isinstance(value, str):  # a string is an iterable of strings: ("id") for ("id",)
        raise ValueError(f"{owner}: {what} must be a tuple of names, not the string {value!r}")  # noqa: TRY004
    value = tuple(value)
    if not all(isinstance(name, str) for name in value):
        raise ValueError(f"{owner}: {what} must be names, got {value!r}")
    return value


def among(owner: str, what: str, given: Iterable[str], columns: Collection[str]) -> None:
    """Check that names are names of columns."""
    for name in given:
        if name not in columns:
            raise ValueError(f"{owner}: {what} column {name!r} is not among the columns")


def once(owner: str, what: str, given: Iterable[str]) -> None:
    """Check that no name is repeated."""
    name = first_repeated(given)
    if name is not None:
        raise ValueError(f"{owner}: {what} {name!r} is listed twice")


def order(owner: str, value: Iterable[str], columns: Collection[str]) -> tuple[str, ...]:
    """Return an order as a tuple; each of its columns must exist, and only once."""
    value = names(owner, "order", value)
    sorted_by = [order_term(name).column for name in value]
    among(owner, "order", sorted_by, columns)
    once(owner, "order column", sorted_by)
    return value


def json(
    owner: str, value: Mapping[str, JsonPolicy], columns: Collection[str], compared: Collection[str]
) -> Mapping[str, JsonPolicy]:
    """Return the policies of the JSON columns, read-only.

    Args:
        owner: Whose columns these are, for messages.
        value: Policy by column.
        columns: The columns there are.
        compared: Columns that order and tell apart, which documents cannot.
    """
    policies = frozen(owner, "json", value)
    among(owner, "json", policies, columns)
    for column, policy in policies.items():
        choice(owner, f"the policy of {column!r}", policy, get_args(JsonPolicy))
        if column in compared:
            raise ValueError(f"{owner}: JSON column {column!r} cannot be in the key or the order")
    return policies


def choice(owner: str, what: str, value: object, choices: tuple[str, ...]) -> None:
    """Check that an option has one of its values."""
    if value not in choices:
        quoted = [f'"{each}"' for each in choices]
        listed = ", ".join(quoted[:-1]) + " or " + quoted[-1]
        raise ValueError(f"{owner}: {what} must be {listed}")


def text(owner: str, what: str, value: object) -> None:
    """Check that a part of an SQL statement is text."""
    if not isinstance(value, str):
        raise ValueError(f"{owner}: {what} must be a string, got {value!r}")  # noqa: TRY004


def frozen(owner: str, what: str, value: Mapping[str, T]) -> Mapping[str, T]:
    """Return a read-only copy of a mapping by name."""
    names(owner, what, value)
    return MappingProxyType(dict(value))


def first_repeated(given: Iterable[str]) -> str | None:
    """Return the first name that was there before."""
    seen: set[str] = set()
    for name in given:
        if name in seen:
            return name
        seen.add(name)
    return None

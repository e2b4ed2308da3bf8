"""The nested half of a shape."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from meshaccel.shape import checks
from meshaccel.shape.options import JsonPolicy
from meshaccel.shape.value import Value


@dataclass(frozen=True, kw_only=True)
class Child(Value):
    """A collection nested in each record of its parent: a list of dicts under its name.

    The second half of the arguments is only read to write SQL.

    Args:
        key: Columns that tell two children of one parent apart; rows that repeat a key repeat
            that child. ``()`` makes every row a child of its own, which is only right where
            no other collection of the same query multiplies the rows.
        columns: The child's columns, in row order.
        present: Columns of which at least one is not NULL exactly when there is a child: an
            outer join without a match fills them with NULL. Defaults to ``key``, and is
            required without one.
        json: Columns that hold JSON documents, and how to give them.
        children: Collections nested in each child. A child that is absent has none.
        table: The table the children are in, "schema.table" where it needs one. Defaults to
            the name of the collection.
        query: A SELECT, without semicolon, to read in place of a table. Numbered parameters in
            it must be in the parents' ``where`` or ``query`` too, as each statement has those.
        on: The child's column by which it belongs to its parent, and the parent's column it
            equals there, by the database's own equality. Neither need be among ``columns``.
        order: Columns to sort the children of a parent by, "-name" for descending. Children
            that tie are sorted by the rest of their key, or without one by all columns.

    Raises:
        ValueError: The names contradict each other.
    """

    key: tuple[str, ...]
    columns: tuple[str, ...]
    present: tuple[str, ...] = ()
    json: Mapping[str, JsonPolicy] = field(default_factory=dict, hash=False)
    children: Mapping[str, "Child"] = field(default_factory=dict, hash=False)
    table: str | None = None
    query: str | None = None
    on: Mapping[str, str] = field(default_factory=dict, hash=False)
    order: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        checks.freeze(self, "child")
        present = checks.names("child", "present", self.present)
        checks.among("child", "present", present, self.columns)
        object.__setattr__(self, "present", present)
        object.__setattr__(self, "on", checks.frozen("child", "on", self.on))
        checks.names("child", "on", self.on.values())
        if not self.presence:
            raise ValueError("child: without a key, name the columns that are NULL if it is absent")
        if self.table is not None:
            checks.text("child", "table", self.table)

    @property
    def presence(self) -> tuple[str, ...]:
        """The columns that decide whether a row has this child."""
        return self.present or self.key

"""The outermost half of a shape, and what can be asked of the whole."""

from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import get_args

from meshaccel.shape import checks
from meshaccel.shape.child import Child
from meshaccel.shape.levels import Level, effective_order
from meshaccel.shape.options import JsonPolicy, NullKey, Orphans, ParamStyle, Plan
from meshaccel.shape.page import Page
from meshaccel.shape.sql import Statement, joined_statement, level_statements
from meshaccel.shape.syntax import Syntax
from meshaccel.shape.value import Value

#: Parents with more columns are not worth repeating for each child: from there on, with 3 children
#: or with 10, the joined statement takes longer than one more statement on SQLite.
NARROW = 3


@dataclass(frozen=True)
class Shape(Value):
    """The outermost record of a query, all that is nested in it, and how to read it.

    The second half of the arguments is only read to write SQL.

    Args:
        table: What the records are, for messages and column labels; the table they are in,
            "schema.table" where it needs one.
        key: Columns that tell two records apart. For SQL: for the database too, by its own
            equality, as a primary key does. Neither can two children of a parent share a key.
        columns: The record's columns, in row order.
        json: Columns that hold JSON documents, and how to give them.
        children: Collections nested in each record, by the name they get there.
        null_key: What to do with a row whose key columns are all NULL, as a right or full
            join makes them: raise ``NullKeyError`` ("error"), ignore the row ("skip"), or make
            it a record like any other ("group").
        orphans: What to do with a row of a statement per level whose parent is not among the
            records: raise ``OrphanError`` ("error") or ignore the row ("ignore").
        query: A SELECT, without semicolon, to read in place of the table.
        where: A condition on the table's columns, with parameters in the driver's own style.
        order: Columns to sort the records by, "-name" for descending. Records that tie are
            sorted by the rest of their key. To read page by page, these must be NOT NULL.
        limit: How many records to read at most; children are not counted.

    Raises:
        ValueError: The names contradict each other.
    """

    table: str
    _: KW_ONLY
    key: tuple[str, ...]
    columns: tuple[str, ...]
    json: Mapping[str, JsonPolicy] = field(default_factory=dict, hash=False)
    children: Mapping[str, Child] = field(default_factory=dict, hash=False)
    null_key: NullKey = "error"
    orphans: Orphans = "error"
    query: str | None = None
    where: str = ""
    order: tuple[str, ...] = ()
    limit: int | None = None
    #: Its collections as plain descriptions, parents before children, depth first.
    flattened: tuple[Level, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        checks.text("shape", "table", self.table)
        checks.freeze(self, self.table)
        object.__setattr__(self, "flattened", tuple(_flatten(self, "", self.table, ())))
        if not self.key:
            raise ValueError(f"{self.table}: the key must name at least one column")
        checks.choice(self.table, "null_key", self.null_key, get_args(NullKey))
        checks.choice(self.table, "orphans", self.orphans, get_args(Orphans))
        checks.text(self.table, "where", self.where)
        if self.limit is not None and (type(self.limit) is not int or self.limit < 0):
            raise ValueError(f"{self.table}: limit must be a number of records, got {self.limit!r}")
        for what, given in (
            ("columns of a row", self.row_columns()),
            ("collections", self.levels()),
        ):
            name = checks.first_repeated(given)
            if name is not None:
                raise ValueError(f"{self.table}: two {what} are called {name!r}")

    @property
    def width(self) -> int:
        """Number of values in a row of the joined statement."""
        return len(self.row_columns())

    @property
    def presence(self) -> tuple[str, ...]:
        """The columns that decide whether a row has a record."""
        return self.key

    def row_columns(self) -> tuple[str, ...]:
        """Label each value of a row of the joined statement with the path of its collection.

        Returns:
            Names such as ``agents.id``, ``capabilities.digest``, ``capabilities.labels.name``.
        """
        return tuple(label for level in self.flattened for label in level.labels(level.columns))

    def levels(self) -> tuple[str, ...]:
        """Name the collections, parents before children, depth first.

        Returns:
            "" for the outermost, then paths such as ``capabilities``, ``capabilities.labels``.
        """
        return tuple(level.path for level in self.flattened)

    def level_columns(self, path: str) -> tuple[str, ...]:
        """Label each value of a row of the statement of one level.

        Returns:
            The key columns of each ancestor, outermost first, then the level's own columns.

        Raises:
            ValueError: No collection has this path, or it is nested in one without a key, so
                its rows could not say to which parent they belong.
        """
        return self.level(path).row_labels

    def level(self, path: str) -> Level:
        """Return the description of one level.

        Raises:
            ValueError: No collection has this path.
        """
        for level in self.flattened:
            if level.path == path:
                return level
        raise ValueError(f"{self.table}: no collection is called {path!r}")

    @property
    def plan(self) -> Plan:
        """The better way to read these records.

        A joined statement reads everything in one go, but repeats the columns of a parent for
        each child, and multiplies collections that are side by side. So it is chosen where no
        record has two collections, and those that are repeated have few columns, none of JSON.
        Nor is it where children are read by a ``query``: some planners run that in full before
        they join it to the records, however few these are.
        """
        parents: list[Shape | Child] = [self]
        while parents[-1].children:
            if len(parents[-1].children) > 1:
                return "levels"
            (child,) = parents[-1].children.values()
            if child.query is not None:
                return "levels"
            parents.append(child)
        repeated = parents[:-1]
        narrow = sum(len(parent.columns) for parent in repeated) <= NARROW
        return "joined" if narrow and not any(parent.json for parent in repeated) else "levels"

    @property
    def cursor_columns(self) -> tuple[str, ...]:
        """The columns of the effective order, whose values make a cursor."""
        return tuple(term.column for term in self.flattened[0].order)

    def cursor(self, record: Mapping[str, object]) -> tuple[object, ...]:
        """Return where a record is in the order, for the page after it.

        Returns:
            Its values of the effective order: ``order``, then the rest of the key.

        Raises:
            ValueError: One of them is None. SQL finds nothing after NULL, so records are only
                read page by page in an order of NOT NULL columns.
        """
        values = tuple(record[column] for column in self.cursor_columns)
        if any(value is None for value in values):
            raise ValueError(f"{self.table}: no page can follow a record with NULL in its order")
        return values

    def sql(
        self,
        plan: Plan | None = None,
        *,
        paramstyle: ParamStyle = "named",
        after: bool = False,
        limit: bool = False,
        params: int = 0,
    ) -> tuple[Statement, ...]:
        """Write the statements that read these records, for SQLite and Postgres.

        The records are limited before children are joined to them, and the database matches
        children to parents, by its own equality. Every column is named by its label.

        Both plans read equal records in the same order, as long as keys are unique, and no NaN.
        Of children without a key, those with values that are equal to the database, but not to
        Python, come in any order.

        Args:
            plan: One joined statement, or one for each of ``levels()``. Defaults to ``plan``.
            paramstyle: How the driver writes parameters. For "pyformat" each ``%`` in a name
                is doubled, so the driver must be given parameters, if only ``{}``.
            after: Read the records after a cursor, the parameters ``page_after_0``,
                ``page_after_1`` ... (one for each value), or the next numbers.
            limit: Read at most as many records as the parameter ``page_limit``, or the last
                number, says; in place of the shape's own limit.
            params: How many numbered parameters ``where`` and ``query`` have.

        Raises:
            ValueError: The plan cannot give the right records: without a key, neither children
                with children of their own, nor, joined, children beside other collections. Or
                a child has no ``on``, or a name cannot be written in SQL.
        """
        plan = self.plan if plan is None else plan
        checks.choice(self.table, "plan", plan, get_args(Plan))
        checks.choice(self.table, "paramstyle", paramstyle, get_args(ParamStyle))
        page = Page(self.where, after=after, limit="parameter" if limit else self.limit)
        write = joined_statement if plan == "joined" else level_statements
        return write(self.flattened, page, Syntax(paramstyle, params))


def _flatten(
    record: Shape | Child, path: str, table: str, ancestors: tuple[Level, ...]
) -> Iterator[Level]:
    below = {name: f"{path}.{name}" if path else name for name in record.children}
    level = Level(
        path=path,
        label=path or table,
        ancestors=ancestors,
        key=record.key,
        columns=record.columns,
        presence=record.presence,
        json=record.json,
        children=below,
        order=effective_order(record.order, record.key, record.columns, record.json),
        table=record.table or table,
        query=record.query,
        on=record.on if isinstance(record, Child) else {},
    )
    yield level
    for name, child in record.children.items():
        yield from _flatten(child, below[name], name, (*ancestors, level))

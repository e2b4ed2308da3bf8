"""Random SQLite databases, and shapes that read them.

Names are chosen to need quotes, and columns so that what SQLite calls equal is often not so in
Python: NOCASE, affinity. (Not RTRIM: the Bloom filters of some SQLite versions lose such matches in
any join.) Keys are unique, by SQLite's equality, as shapes demand.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from meshaccel.shape import Child, Shape

TYPES = ("TEXT", "TEXT COLLATE NOCASE", "INTEGER", "REAL", "NUMERIC", "")
VALUES = (None, 0, 1, 1.0, 2, 0.5, "", "1", "a", "A", "a ", "b", b"a", b"1")

#: A column of every table; shapes do not have it.
ROW_ID = "row id"
#: Columns by which tables are joined, and which shapes need not have.
LINKS = ("link", 'li"nk 2')
COLUMNS = ("group", "50%", 'say "hi"', "Ünï")


@dataclass
class Table:
    """A table and what goes into it."""

    name: str
    types: Mapping[str, str]
    unique: Sequence[str]
    rows: Sequence[Sequence[object]]


@dataclass
class Store:
    """A shape, and a database that it reads."""

    shape: Shape
    tables: list[Table] = field(default_factory=list)
    params: Mapping[str, object] = field(default_factory=dict)

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """Create the database, in memory."""
        connection = sqlite3.connect(":memory:", isolation_level=None)
        try:
            for table in self.tables:
                fill(connection, table)
            yield connection
        finally:
            connection.close()


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def fill(connection: sqlite3.Connection, table: Table) -> None:
    """Create a table, and leave out rows whose key is there already."""
    columns = [f"{quoted(name)} {kind}" for name, kind in table.types.items()]
    name = quoted(table.name)
    row_id = f"{quoted(ROW_ID)} INTEGER PRIMARY KEY"
    connection.execute(f"CREATE TABLE {name} ({', '.join([row_id, *columns])})")
    names = [*table.types]
    taken = " AND ".join(f"{quoted(key)} IS ?{names.index(key) + 1}" for key in table.unique)
    exists = f"WHERE NOT EXISTS (SELECT 1 FROM {name} WHERE {taken})" if taken else ""
    places = ", ".join(f"?{n + 1}" for n in range(len(names)))
    listed = ", ".join(map(quoted, names))
    for row in table.rows:
        connection.execute(f"INSERT INTO {name} ({listed}) SELECT {places} {exists}", row)


def run(
    connection: sqlite3.Connection, text: str, params: Mapping[str, Any]
) -> list[tuple[object, ...]]:
    return connection.execute(text, params).fetchall()


@st.composite
def _tables(draw: st.DrawFn, name: str, *, null: bool = True, keyless: bool = False) -> Table:
    columns = COLUMNS[: draw(st.integers(1, len(COLUMNS)))]
    # Without a key all columns order the rows, so unlike values must not tie.
    kinds = [kind for kind in TYPES if not (keyless and "COLLATE" in kind)]
    types = {column: draw(st.sampled_from(kinds)) for column in columns}
    types |= {link: draw(st.sampled_from(TYPES)) for link in LINKS}
    pool = draw(st.lists(st.sampled_from(VALUES), min_size=2, max_size=5))
    values = st.sampled_from([value for value in pool if null or value is not None] or [1])
    row = st.tuples(*[values] * len(types))
    key = () if keyless else columns[: draw(st.integers(1, len(columns)))]
    return Table(name, types, key, draw(st.lists(row, min_size=1, max_size=10)))


@st.composite
def _orders(draw: st.DrawFn, columns: Sequence[str]) -> tuple[str, ...]:
    chosen = draw(st.lists(st.sampled_from(columns), unique=True, max_size=2))
    return tuple(draw(st.sampled_from((name, f"-{name}"))) for name in chosen)


@st.composite
def _children(
    draw: st.DrawFn, tables: list[Table], parent: Table, depth: int, *, keyless: bool
) -> dict[str, Child]:
    """Collections nested in a table's records; their tables are added to the list."""
    children = {}
    for name in draw(st.lists(st.sampled_from(("x", "y%")), unique=True, max_size=2)):
        bare = keyless and draw(st.integers(0, 3)) == 0
        table = draw(_tables(f"{parent.name}.{name}".replace(".", "_"), keyless=bare))
        tables.append(table)
        nested = (
            {} if bare or depth == 0 else draw(_children(tables, table, depth - 1, keyless=keyless))
        )
        columns = tuple(column for column in table.types if column not in LINKS)
        some = st.sampled_from(columns).map(lambda column: (column,))
        links = draw(st.lists(st.sampled_from(LINKS), unique=True, min_size=1))
        children[name] = Child(
            key=tuple(table.unique),
            columns=columns,
            present=draw(some if bare else st.one_of(st.just(()), some)),
            children=nested,
            on={link: draw(st.sampled_from([*parent.types])) for link in links},
            order=draw(_orders(columns)),
            **draw(_sources(table, is_parent=bool(nested))),
        )
    return children


@st.composite
def _sources(draw: st.DrawFn, table: Table, *, is_parent: bool) -> dict[str, Any]:
    """A table or a query; one that gives rows twice, unless that doubles what is in them."""
    name = quoted(table.name)
    few = f"SELECT * FROM {name} WHERE {quoted(LINKS[0])} IS NOT NULL -- not all"
    twice = f"SELECT t.* FROM {name} AS t, (SELECT 1 UNION ALL SELECT 2)"
    sources: list[dict[str, Any]] = [
        {"table": f"main.{table.name}"},
        {"table": table.name},
        {"query": few},
    ]
    if not is_parent:
        sources.append({"query": twice})
    return draw(st.sampled_from(sources))


@st.composite
def stores(draw: st.DrawFn, *, paged: bool = False, keyless: bool = True) -> Store:
    """Shapes of up to three levels and rows for them.

    Args:
        draw: Hypothesis gives this.
        paged: Without NULL in the outermost records, as reading them page by page demands.
        keyless: With children without a key, which not every plan can read.
    """
    table = draw(_tables("top", null=not paged))
    tables = [table]
    columns = tuple(column for column in table.types if column not in LINKS)
    where = f"{quoted(LINKS[0])} IS NOT :unwanted"
    children = draw(_children(tables, table, 1, keyless=keyless))
    shape = Shape(
        "top",
        key=tuple(table.unique),
        columns=columns,
        children=children,
        null_key=draw(st.sampled_from(("skip", "group", "error"))),
        query=draw(st.sampled_from((None, 'SELECT * FROM "top"'))),
        where=draw(st.sampled_from(("", where, f"{where} -- some"))),
        order=draw(_orders(columns)),
        limit=None if paged else draw(st.sampled_from((None, 0, 1, 3))),
    )
    return Store(shape, tables, {"unwanted": draw(st.sampled_from(VALUES))})

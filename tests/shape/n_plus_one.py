"""The slow way to read nested records: a query for the children of each. An oracle."""

import sqlite3
from collections.abc import Mapping, Sequence

from tests.shape.stores import ROW_ID, Store, quoted, run

from meshaccel.errors import NullKeyError
from meshaccel.shape import Child, Shape

Records = list[dict[str, object]]


def read_one_by_one(store: Store, connection: sqlite3.Connection) -> Records:
    """Return what the store's shape describes.

    Raises:
        NullKeyError: As a grouper does.
    """
    shape = store.shape
    rows = run(
        connection,
        f"SELECT {_listed([ROW_ID, *shape.columns], 'p')} FROM {quoted(shape.table)} AS p "
        f"WHERE ({shape.where or 'TRUE'}\n) ORDER BY {_order(shape, 'p')} "
        f"LIMIT {-1 if shape.limit is None else shape.limit}",
        store.params,
    )
    records = []
    for row_id, *values in rows:
        record = dict(zip(shape.columns, values, strict=True))
        if all(record[column] is None for column in shape.key):
            if shape.null_key == "error":
                raise NullKeyError(0, shape.table)
            if shape.null_key == "skip":
                continue
        records.append(record | _nested(connection, shape.table, row_id, shape.children))
    return records


def _nested(
    connection: sqlite3.Connection, table: str, row_id: object, children: Mapping[str, Child]
) -> dict[str, object]:
    return {name: _children(connection, table, row_id, name, children[name]) for name in children}


def _children(
    connection: sqlite3.Connection, table: str, row_id: object, name: str, child: Child
) -> Records:
    own_table = f"{table}_{name}"
    source = f"({child.query}\n)" if child.query else quoted(own_table)
    matches = [f"p.{quoted(theirs)} = c.{quoted(ours)}" for ours, theirs in child.on.items()]
    present = [f"c.{quoted(column)} IS NOT NULL" for column in child.presence]
    rows = run(
        connection,
        f"SELECT {_listed([ROW_ID, *child.columns], 'c')} "
        f"FROM {quoted(table)} AS p JOIN {source} AS c ON {' AND '.join(matches)} "
        f"WHERE p.{quoted(ROW_ID)} = :id AND ({' OR '.join(present)}) "
        f"ORDER BY {_order(child, 'c')}",
        {"id": row_id},
    )
    records: dict[object, dict[str, object]] = {}
    for own_id, *values in rows:
        record = dict(zip(child.columns, values, strict=True))
        key = tuple(record[column] for column in child.key) or object()
        if key not in records:
            records[key] = record | _nested(connection, own_table, own_id, child.children)
    return [*records.values()]


def _listed(columns: Sequence[str], source: str) -> str:
    return ", ".join(f"{source}.{quoted(column)}" for column in columns)


def _order(record: Shape | Child, source: str) -> str:
    given = [(name.removeprefix("-"), name.startswith("-")) for name in record.order]
    names = [name for name, _ in given]
    rest = [name for name in record.key or record.columns if name not in names]
    return ", ".join(
        f"{source}.{quoted(name)}{' DESC' if descending else ''}"
        for name, descending in [*given, *((name, False) for name in rest)]
    )

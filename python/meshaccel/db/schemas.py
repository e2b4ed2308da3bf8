"""Statements on the canonical schemas that agents published."""

import sqlite3

import msgspec
from msgspec import Struct


class StoredSchema(Struct, frozen=True):
    """A canonical schema by the hash its SDK computed. The time is in Unix microseconds."""

    hash: str
    canonical: msgspec.Raw
    runtime_origin: str | None
    created_at_us: int


_SELECT = "SELECT hash, canonical, runtime_origin, created_at_us FROM schemas"


def schemas(conn: sqlite3.Connection, limit: int | None) -> list[StoredSchema]:
    """Return the newest schemas, or all of them."""
    found = conn.execute(
        f"{_SELECT} ORDER BY created_at_us DESC, hash LIMIT ?", (-1 if limit is None else limit,)
    )
    return [_schema(row) for row in found]


def schema(conn: sqlite3.Connection, schema_hash: str) -> StoredSchema | None:
    """Return one schema, or None."""
    row = conn.execute(f"{_SELECT} WHERE hash = ?", (schema_hash,)).fetchone()
    return None if row is None else _schema(row)


def count(conn: sqlite3.Connection) -> int:
    """Return how many schemas there are."""
    (found,) = conn.execute("SELECT count(*) FROM schemas").fetchone()
    return int(found)


def forget_unpublished(conn: sqlite3.Connection) -> None:
    """Delete the schemas that no tool of any agent publishes. O(definitions of tools)."""
    conn.execute(
        """
        WITH definition AS (SELECT definition AS text FROM capabilities WHERE json_valid(text)),
        published (hash) AS (
            SELECT text ->> '$.inputSchemaHash' FROM definition
            UNION
            SELECT text ->> '$.outputSchemaHash' FROM definition
        )
        DELETE FROM schemas WHERE hash NOT IN (SELECT hash FROM published WHERE hash IS NOT NULL)
        """
    )


def _schema(row: tuple[str, str, str | None, int]) -> StoredSchema:
    return StoredSchema(row[0], msgspec.Raw(row[1].encode()), row[2], row[3])

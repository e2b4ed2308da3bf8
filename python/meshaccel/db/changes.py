"""Statements that read the change feed, each in the caller's read transaction."""

import sqlite3
from collections.abc import Iterator, Sequence

from msgspec import Struct

from meshaccel.db.feed import COLUMNS, FeedRow, read_row


class Head(Struct, frozen=True):
    """Where the feed is."""

    revision: int
    floor: int


def head(conn: sqlite3.Connection) -> Head:
    """Return the last revision and the floor."""
    return Head(*conn.execute("SELECT revision, floor FROM meta").fetchone())


def rows(
    conn: sqlite3.Connection, since: int, *, buckets: Sequence[int] = (), limit: int | None = None
) -> Iterator[FeedRow]:
    """Yield the agents that changed after a revision, in order of their last change."""
    where = f"AND bucket IN ({','.join('?' * len(buckets))})" if buckets else ""
    found = conn.execute(
        f"SELECT {COLUMNS} FROM feed WHERE revision > ? {where} ORDER BY revision LIMIT ?",
        (since, *buckets, -1 if limit is None else limit),
    )
    return map(read_row, found)

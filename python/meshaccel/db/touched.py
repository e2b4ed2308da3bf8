"""The log of what changes touched, by which registries on one file hear of each other's.

Who reads it is told of each agent what the database knows now, not at the time of the change: rows
may be read twice, and those of one agent in any company.
"""

import sqlite3
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from meshaccel.db.leases import SESSION_COLUMNS, StoredSession, read_session

KEPT = 50_000
"""Rows that are kept. A registry that is further behind begins anew."""

PRUNED = 1_000
"""Rows that go at once."""

MAX_TAGS = 4 * 1024
"""Bytes of the tags of a row. An agent may have capabilities of megabytes, and change often."""

_decode_tags = msgspec.json.Decoder(tuple[str, ...] | None).decode


class Touch(Struct, frozen=True):
    """Something that changed with an agent."""

    agent_id: str
    tags: tuple[str, ...]
    """Of everything that may be different now."""


class Followed(Struct, frozen=True):
    """A row of the log, and its agent as it is now."""

    seq: int
    agent_id: str
    tags: tuple[str, ...] | None
    """None if they were too many to be kept: anything may be different."""
    session: StoredSession | None
    """None of an agent that is not there."""


def append(conn: sqlite3.Connection, touches: Iterable[Touch], *, writer: int) -> int:
    """Add rows, in the transaction of what they tell of; return the number of the last row."""
    first = last = 0
    for touch in touches:
        last = (
            conn.execute(
                "INSERT INTO touched (writer, agent_id, tags) VALUES (?, ?, ?)",
                (writer, touch.agent_id, _written(touch.tags)),
            ).lastrowid
            or 0
        )
        first = first or last
    if not last:
        return last_seq(conn)
    if first // PRUNED != last // PRUNED or not first % PRUNED:
        conn.execute("DELETE FROM touched WHERE seq <= ?", (last - KEPT,))
    return last


def last_seq(conn: sqlite3.Connection) -> int:
    """Return the number of the last row, 0 before there is one. O(1)."""
    row: tuple[int] | None = conn.execute(
        "SELECT seq FROM touched ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    return 0 if row is None else row[0]


def since(conn: sqlite3.Connection, seq: int, *, but: int) -> list[Followed] | None:
    """Return the rows after ``seq`` that other registries than ``but`` wrote, in order.

    All are as of one snapshot. None if some of them are not there any more.
    """
    rows = conn.execute(
        f"SELECT t.seq, t.tags, t.agent_id, {SESSION_COLUMNS}"
        " FROM touched t LEFT JOIN agents a ON a.id = t.agent_id"
        " LEFT JOIN leases l ON l.agent_id = t.agent_id"
        " WHERE t.seq > ? AND t.writer <> ? ORDER BY t.seq",
        (seq, but),
    ).fetchall()
    # Looked at last, or rows could go in between.
    (oldest,) = conn.execute("SELECT seq FROM touched ORDER BY seq LIMIT 1").fetchone() or (0,)
    if oldest > seq + 1:
        return None
    return [
        Followed(
            row[0], row[2], _decode_tags(row[1]), None if row[3] is None else read_session(row[2:])
        )
        for row in rows
    ]


def _written(tags: tuple[str, ...]) -> str:
    text = msgspec.json.encode(tags)
    return text.decode() if len(text) <= MAX_TAGS else "null"

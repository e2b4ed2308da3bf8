"""The entries of a ``SqliteL2``, and the room they take.

Every function runs within a write transaction of its caller's.
"""

import sqlite3
from collections.abc import Iterable
from typing import Final, NamedTuple

_SLACK: Final = 0.05
"""Share of the bounds that is cleared when one is exceeded, so as not to evict one by one."""

_SWEPT_AT_ONCE: Final = 4
"""Expired entries that a write takes along: more than it adds."""


_SEEN_AT_MOST: Final = 1024
"""Reads remembered for the next write; the order of use need not be exact."""


class Bounds(NamedTuple):
    """How much there may be."""

    max_entries: int
    max_bytes: int
    max_notes: int


class Seen(NamedTuple):
    """What reads came upon since the last write."""

    used: dict[bytes, float]
    """Keys, with the time of their last use in Unix seconds."""
    stale: dict[bytes, int]
    """Keys of entries that no longer count, with their numbers."""

    def add(self, others: "Seen") -> None:
        """Note what another read came upon; if that is too much, nothing."""
        self.used.update(others.used)
        if len(self.used) > _SEEN_AT_MOST:
            self.used.clear()
        self.stale.update(others.stale)
        if len(self.stale) > _SEEN_AT_MOST:
            self.stale.clear()


def number_at(conn: sqlite3.Connection, key: bytes) -> int:
    """Return the number of what is stored under a key; -1 if there is nothing."""
    row = conn.execute("SELECT number FROM entries WHERE key = ?", (key,)).fetchone()
    return -1 if row is None else row[0]


def store(
    conn: sqlite3.Connection, key: bytes, number: int, kept_until: float, used: float, record: bytes
) -> None:
    """Store a record in place of what was there."""
    remove(conn, [key])
    conn.execute(
        "INSERT INTO entries (key, number, kept_until, used, record) VALUES (?, ?, ?, ?, ?)",
        (key, number, kept_until, used, record),
    )
    _account(conn, 1, len(record))


def remove(conn: sqlite3.Connection, keys: Iterable[bytes]) -> None:
    """Remove what is stored under keys."""
    for key in keys:
        _remove(conn, "key = ?", (key,))


def take_note(conn: sqlite3.Connection, seen: Seen) -> None:
    """Remember what was used, and remove what was found stale."""
    conn.executemany(
        "UPDATE entries SET used = ? WHERE key = ?", [(t, k) for k, t in seen.used.items()]
    )
    for key, number in seen.stale.items():
        # Another one may be there by now.
        _remove(conn, "key = ? AND number = ?", (key, number))


def keep_within(conn: sqlite3.Connection, bounds: Bounds, now: float) -> None:
    """Remove some of what has expired and, if there is too much, what was used longest ago."""
    _remove(
        conn,
        "id IN (SELECT id FROM entries WHERE kept_until <= ? LIMIT ?)",
        (now, _SWEPT_AT_ONCE),
    )
    entries, size = _held(conn)
    if entries <= bounds.max_entries and size <= bounds.max_bytes:
        return
    _remove(conn, "kept_until <= ?", (now,))
    entries, size = _held(conn)
    if entries <= bounds.max_entries and size <= bounds.max_bytes:
        return
    surplus = entries - int(bounds.max_entries * (1 - _SLACK))
    surplus_bytes = size - int(bounds.max_bytes * (1 - _SLACK))
    chosen = []
    for row_id, length in conn.execute("SELECT id, length(record) FROM entries ORDER BY used"):
        if surplus <= 0 and surplus_bytes <= 0:
            break
        chosen.append((row_id,))
        surplus -= 1
        surplus_bytes -= length
    for chosen_id in chosen:
        _remove(conn, "id = ?", chosen_id)


def _held(conn: sqlite3.Connection) -> tuple[int, int]:
    entries, size = conn.execute("SELECT entries, bytes FROM namespace").fetchone()
    return entries, size


def _remove(conn: sqlite3.Connection, where: str, parameters: tuple[object, ...]) -> None:
    removed = conn.execute(
        f"DELETE FROM entries WHERE {where} RETURNING length(record)",  # noqa: S608 - from above
        parameters,
    ).fetchall()
    if removed:
        _account(conn, -len(removed), -sum(length for (length,) in removed))


def _account(conn: sqlite3.Connection, entries: int, size: int) -> None:
    conn.execute("UPDATE namespace SET entries = entries + ?, bytes = bytes + ?", (entries, size))

"""The notes of a ``SqliteL2``: which number a tag or key was last invalidated with.

Every function runs within a transaction of its caller's.
"""

import sqlite3
from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from meshaccel.cache.level2 import Version
from meshaccel.cache.record import to_text

_AT_ONCE: Final = 256
"""Parameters per statement. Fewer are filled up to a power of two, for the statement cache."""

_FOLD_EVERY: Final = 1024
"""Numbers between two looks at how many notes there are."""


class Present(NamedTuple):
    """Where a namespace stands."""

    incarnation: bytes
    number: int
    floor: int
    key_floor: int


class Known(NamedTuple):
    """Names that were noted, each with its number."""

    keys: dict[str, int]
    tags: dict[str, int]
    expired: dict[str, int]


class Changed(NamedTuple):
    """What has happened since some version."""

    version: Version
    """Now."""
    known: Known | None
    """None if it is not known any more."""


class TagNote(NamedTuple):
    """Numbers of the last invalidation and expiry of a tag; 0 if there was none."""

    invalidated: int
    expired: int


def present(conn: sqlite3.Connection) -> Present:
    """Return the current number, and which are forgotten."""
    row = conn.execute("SELECT incarnation, number, floor, key_floor FROM namespace").fetchone()
    return Present(*row)


def changes(conn: sqlite3.Connection, since: Version) -> Changed:
    """Return what was noted since a version. O(notes), if there is anything."""
    now = present(conn)
    version = Version(now.incarnation, now.number)
    if since == version:
        return Changed(version, Known({}, {}, {}))
    forgotten = max(now.floor, now.key_floor) > since.number
    if since.incarnation != now.incarnation or since.number > now.number or forgotten:
        return Changed(version, None)

    def noted(name: str, number: str, table: str) -> dict[str, int]:
        rows = conn.execute(
            f"SELECT {name}, {number} FROM {table} WHERE {number} > ?",  # noqa: S608
            (since.number,),
        )
        return {to_text(each): number for each, number in rows}

    return Changed(
        version,
        Known(
            noted("key", "number", "gone"),
            noted("tag", "invalidated", "tags"),
            noted("tag", "expired", "tags"),
        ),
    )


def next_number(conn: sqlite3.Connection, max_notes: int) -> Present:
    """Take the next number; now and then forget the oldest notes, if there are too many."""
    conn.execute("UPDATE namespace SET number = number + 1")
    now = present(conn)
    if now.number % _FOLD_EVERY == 0:
        _forget_tags(conn, max_notes)
        _forget_keys(conn, max_notes)
        now = present(conn)
    return now


def tag_notes(conn: sqlite3.Connection, tags: Collection[bytes]) -> dict[bytes, TagNote]:
    """Return the notes there are of these tags."""
    return {
        tag: TagNote(invalidated, expired)
        for chosen, names in chunks(tags)
        for tag, invalidated, expired in conn.execute(
            f"SELECT tag, invalidated, expired FROM tags WHERE tag IN {chosen}",  # noqa: S608
            names,
        )
    }


def note_invalidated(conn: sqlite3.Connection, tags: Collection[bytes], number: int) -> None:
    """Note that no entry older than a number may be served, if it has one of these tags."""
    conn.executemany(
        "INSERT INTO tags VALUES (?, ?, 0)"
        " ON CONFLICT DO UPDATE SET invalidated = excluded.invalidated",
        [(tag, number) for tag in tags],
    )


def note_expired(conn: sqlite3.Connection, tags: Collection[bytes], number: int) -> None:
    """Note that entries older than a number are no longer fresh, if they have one of these tags."""
    conn.executemany(
        "INSERT INTO tags VALUES (?, 0, ?) ON CONFLICT DO UPDATE SET expired = excluded.expired",
        [(tag, number) for tag in tags],
    )


def note_gone(conn: sqlite3.Connection, keys: Collection[bytes], number: int) -> None:
    """Note that nothing older than a number may be stored under these keys."""
    conn.executemany(
        "INSERT INTO gone VALUES (?, ?) ON CONFLICT DO UPDATE SET number = excluded.number",
        [(key, number) for key in keys],
    )


def gone_since(conn: sqlite3.Connection, key: bytes, now: Present) -> int:
    """Return the number that what is stored under a key must not be older than."""
    row = conn.execute("SELECT number FROM gone WHERE key = ?", (key,)).fetchone()
    return now.key_floor if row is None else row[0]


def forget_all(conn: sqlite3.Connection, number: int) -> None:
    """Let nothing older than a number count."""
    for table in ("tags", "gone", "entries"):
        conn.execute(f"DELETE FROM {table}")  # noqa: S608 - names from above
    conn.execute(
        "UPDATE namespace SET floor = ?, key_floor = ?, entries = 0, bytes = 0", (number, number)
    )


def _forget_tags(conn: sqlite3.Connection, keep: int) -> None:
    floor = _floor(conn, "max(invalidated, expired)", "tags", keep)
    conn.execute("DELETE FROM tags WHERE max(invalidated, expired) <= ?", (floor,))
    conn.execute("UPDATE namespace SET floor = max(floor, ?)", (floor,))


def _forget_keys(conn: sqlite3.Connection, keep: int) -> None:
    floor = _floor(conn, "number", "gone", keep)
    conn.execute("DELETE FROM gone WHERE number <= ?", (floor,))
    conn.execute("UPDATE namespace SET key_floor = max(key_floor, ?)", (floor,))


def _floor(conn: sqlite3.Connection, number: str, table: str, keep: int) -> int:
    """Return the number up to which to forget: -1 if there are few enough notes, else a tenth."""
    (count,) = conn.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
    if count <= keep:
        return -1
    (floor,) = conn.execute(
        f"SELECT {number} AS noted FROM {table} ORDER BY noted LIMIT 1 OFFSET ?",  # noqa: S608
        (count - keep + keep // 10,),
    ).fetchone()
    return int(floor)


def chunks(names: Collection[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """Return placeholders and parameters for ``IN``, a few hundred at a time."""
    rest = list(names)
    while rest:
        chunk, rest = rest[:_AT_ONCE], rest[_AT_ONCE:]
        chunk += [chunk[0]] * ((1 << (len(chunk) - 1).bit_length()) - len(chunk))
        yield f"({','.join('?' * len(chunk))})", chunk

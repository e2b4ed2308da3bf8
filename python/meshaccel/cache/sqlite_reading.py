"""How a ``SqliteL2`` reads: entries, and what their tags were last invalidated with."""

import sqlite3
from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from meshaccel.cache.level2 import Reading, StoredEntry, Version
from meshaccel.cache.record import decode, to_name
from meshaccel.cache.sqlite_entries import Seen
from meshaccel.cache.sqlite_notes import TagNote, chunks, present, tag_notes

_USE_RESOLUTION_S: Final = 60.0
"""Uses closer together than this are not told apart: most reads then cause no write."""


def look_up(
    conn: sqlite3.Connection,
    keys: Sequence[bytes],
    tags: Sequence[Collection[bytes]],
    now: float,
) -> tuple[Reading, Seen]:
    """Return what counts of what is stored, each under its key and with tags of its reader's.

    Args:
        conn: in a transaction, so that all is of one moment.
        keys: what to look up.
        tags: known to the reader of each key.
        now: Unix seconds.
    """
    seen = Seen({}, {})
    at = present(conn)
    found = _stored(conn, set(keys), at.floor, now, seen)
    known = {key: {to_name(tag) for tag in entry.tags} for key, entry in found.items()}
    notes = tag_notes(conn, set().union(*known.values(), *tags))
    # Not for the tags of this reader: to another one it may count.
    for key, entry in found.items():
        if _judged(entry, known[key], notes) is None:
            seen.stale[key] = entry.version.number
    reading = Reading(
        Version(at.incarnation, at.number),
        tuple(
            _judged(found[key], known[key].union(extra), notes) if key in found else None
            for key, extra in zip(keys, tags, strict=True)
        ),
    )
    return reading, seen


def _stored(
    conn: sqlite3.Connection, keys: Collection[bytes], floor: int, now: float, seen: Seen
) -> dict[bytes, StoredEntry]:
    found = {}
    for chosen, names in chunks(keys):
        for key, number, kept_until, used, record in conn.execute(
            "SELECT key, number, kept_until, used, record FROM entries"  # noqa: S608
            f" WHERE key IN {chosen}",
            names,
        ):
            entry = decode(record) if kept_until > now and number >= floor else None
            if entry is None:
                seen.stale[key] = number
                continue
            found[key] = entry
            if now - used > _USE_RESOLUTION_S:
                seen.used[key] = now
    return found


def _judged(
    entry: StoredEntry, tags: Collection[bytes], notes: dict[bytes, TagNote]
) -> StoredEntry | None:
    number = entry.version.number
    known = [notes[tag] for tag in tags if tag in notes]
    if any(note.invalidated > number for note in known):
        return None
    if any(note.expired > number for note in known):
        return msgspec.structs.replace(entry, expired=True)
    return entry

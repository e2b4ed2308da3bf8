"""Statements on signs of life. None of them makes a revision."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from meshaccel.models import AgentStatus


class StoredSession(Struct, frozen=True):
    """What a registry must know of an agent to go on where another left off."""

    agent_id: str
    status: AgentStatus
    leased: bool
    last_seen_us: int
    wiring_digest: bytes | None
    """Of what the agent was last told; None: nothing for certain."""
    teller: int | None
    """The registry that told it."""


class Beat(Struct, frozen=True):
    """A sign of life and, from a registry that told the agent something, what that was."""

    agent_id: str
    last_seen_us: int
    wiring_digest: bytes | None = None
    teller: int | None = None


SESSION_COLUMNS = "a.status, a.leased, l.last_seen_us, l.wiring_digest, l.teller"
"""Of agents ``a`` and their leases ``l``."""


def read_session(row: Sequence[Any]) -> StoredSession:
    """Read an agent's id and the values of ``SESSION_COLUMNS``."""
    return StoredSession(row[0], row[1], bool(row[2]), *row[3:])


def sessions(conn: sqlite3.Connection) -> list[StoredSession]:
    """Return every agent's session."""
    rows = conn.execute(
        f"SELECT a.id, {SESSION_COLUMNS} FROM agents a JOIN leases l ON l.agent_id = a.id"
    )
    return [read_session(row) for row in rows]


def last_seen_us(conn: sqlite3.Connection, agent_ids: Iterable[str]) -> dict[str, int]:
    """Return the last signs of life that were written of some agents, in one statement."""
    ids = msgspec.json.encode(list(agent_ids)).decode()
    return dict(
        conn.execute(
            "SELECT l.agent_id, l.last_seen_us FROM json_each(?) w"
            " CROSS JOIN leases l ON l.agent_id = w.value",
            (ids,),
        )
    )


def alive_at_us(conn: sqlite3.Connection) -> int | None:
    """Return when a registry last wrote leases to this database, or None if none ever did."""
    row: tuple[int | None] = conn.execute("SELECT alive_at_us FROM meta").fetchone()
    return row[0]


def begin_telling(conn: sqlite3.Connection, agent_id: str, teller: int) -> None:
    """Note that nothing is certain about what an agent was last told, but to this registry."""
    conn.execute(
        "UPDATE leases SET wiring_digest = NULL, teller = ? WHERE agent_id = ?", (teller, agent_id)
    )


def write_beats(conn: sqlite3.Connection, beats: Iterable[Beat], *, now_us: int) -> None:
    """Store signs of life in one batch, the registry's own included.

    What an agent was told is stored if no other registry has told it something since.
    """
    beats = list(beats)
    conn.executemany(
        "UPDATE leases SET last_seen_us = ? WHERE agent_id = ?",
        [(beat.last_seen_us, beat.agent_id) for beat in beats],
    )
    conn.executemany(
        "UPDATE leases SET wiring_digest = ? WHERE agent_id = ? AND teller = ?",
        [(b.wiring_digest, b.agent_id, b.teller) for b in beats if b.teller is not None],
    )
    conn.execute("UPDATE meta SET alive_at_us = ?", (now_us,))

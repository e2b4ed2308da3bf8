"""Statements on signs of life. None of them makes a revision."""

import sqlite3
from collections.abc import Iterable

from msgspec import Struct

from meshaccel.models import AgentStatus


class StoredSession(Struct, frozen=True):
    """What a registry must know of an agent to go on where another left off."""

    agent_id: str
    status: AgentStatus
    leased: bool
    last_seen_us: int
    wiring_digest: bytes | None


class Beat(Struct, frozen=True):
    """A sign of life: when, and what the agent had been told by then."""

    agent_id: str
    last_seen_us: int
    wiring_digest: bytes | None


def sessions(conn: sqlite3.Connection) -> list[StoredSession]:
    """Return every agent's session."""
    rows = conn.execute(
        "SELECT a.id, a.status, a.leased, l.last_seen_us, l.wiring_digest"
        " FROM agents a JOIN leases l ON l.agent_id = a.id"
    )
    return [StoredSession(row[0], row[1], bool(row[2]), *row[3:]) for row in rows]


def alive_at_us(conn: sqlite3.Connection) -> int | None:
    """Return when a registry last wrote leases to this database, or None if none ever did."""
    row: tuple[int | None] = conn.execute("SELECT alive_at_us FROM meta").fetchone()
    return row[0]


def forget_told(conn: sqlite3.Connection, agent_id: str) -> None:
    """Note that nothing is certain about what an agent was last told."""
    conn.execute("UPDATE leases SET wiring_digest = NULL WHERE agent_id = ?", (agent_id,))


def write_beats(conn: sqlite3.Connection, beats: Iterable[Beat], *, now_us: int) -> None:
    """Store signs of life in one batch, the registry's own included."""
    conn.executemany(
        "UPDATE leases SET last_seen_us = ?, wiring_digest = ? WHERE agent_id = ?",
        [(beat.last_seen_us, beat.wiring_digest, beat.agent_id) for beat in beats],
    )
    conn.execute("UPDATE meta SET alive_at_us = ?", (now_us,))

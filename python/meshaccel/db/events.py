"""Statements on the audit trail."""

import sqlite3
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from meshaccel.models import JsonObject


class Event(Struct, frozen=True, kw_only=True):
    """One entry of the audit trail. The time is in Unix microseconds."""

    event_type: str
    agent_id: str
    agent_name: str | None = None
    function_name: str | None = None
    timestamp_us: int
    data: JsonObject | None = None


class EventQuery(Struct, frozen=True, kw_only=True):
    """Which events to read; None does not filter."""

    event_type: str | None = None
    agent_id: str | None = None
    function_name: str | None = None
    limit: int = 50


def append(conn: sqlite3.Connection, events: Iterable[Event]) -> None:
    """Add events to the trail."""
    conn.executemany(
        "INSERT INTO events (event_type, agent_id, agent_name, function_name, timestamp_us, data)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [
            (
                event.event_type,
                event.agent_id,
                event.agent_name,
                event.function_name,
                event.timestamp_us,
                None if event.data is None else msgspec.json.encode(event.data).decode(),
            )
            for event in events
        ],
    )


def trim(conn: sqlite3.Connection, max_rows: int) -> None:
    """Keep the newest ``max_rows`` events."""
    conn.execute(
        "DELETE FROM events WHERE id <= (SELECT id FROM events ORDER BY id DESC LIMIT 1 OFFSET ?)",
        (max_rows,),
    )


def latest(conn: sqlite3.Connection, query: EventQuery) -> list[Event]:
    """Return the newest matching events first."""
    filters = {
        "event_type = ?": query.event_type,
        "agent_id = ?": query.agent_id,
        "function_name = ?": query.function_name,
    }
    active = {clause: value for clause, value in filters.items() if value is not None}
    where = " AND ".join(active) or "1"
    rows = conn.execute(
        "SELECT event_type, agent_id, agent_name, function_name, timestamp_us, data"
        f" FROM events WHERE {where} ORDER BY timestamp_us DESC, id DESC LIMIT ?",
        (*active.values(), query.limit),
    )
    return [
        Event(
            event_type=row[0],
            agent_id=row[1],
            agent_name=row[2],
            function_name=row[3],
            timestamp_us=row[4],
            data=None if row[5] is None else msgspec.json.decode(row[5]),
        )
        for row in rows
    ]

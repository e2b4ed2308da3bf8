"""Transactions by which agents leave: taken for dead, unregistered, or removed for good."""

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct

from meshaccel.db import agents, events, leases
from meshaccel.db.agents import Stored
from meshaccel.db.events import Event
from meshaccel.models import AgentRecord, JsonObject
from meshaccel.registry.audit import transition_data
from meshaccel.registry.changes import Change

Departure = Literal["unhealthy", "unregister", "expire"]
"""The event that tells of it: silent for too long, said farewell, past retention."""

_CIRCUMSTANCES: dict[Departure, JsonObject] = {
    "unregister": {"reason": "graceful_shutdown", "source": "delete_endpoint"},
    "expire": {"reason": "retention", "source": "sweeper"},
}


class Left(Struct, frozen=True):
    """Who left, and who was found alive."""

    changes: list[Change]
    heard: dict[str, int]
    """Agents that another registry has heard: their last signs of life, in Unix microseconds."""


def expire(conn: sqlite3.Connection, silent: Mapping[str, int], *, now_us: int) -> Left:
    """Mark agents unhealthy, unless the database has another last sign of life than is given."""
    written = leases.last_seen_us(conn, silent)
    heard = {each: seen for each, seen in written.items() if seen != silent[each]}
    dead = [agent_id for agent_id in silent if agent_id not in heard]
    return Left(leave(conn, dead, "unhealthy", now_us=now_us).changes, heard)


def leave(
    conn: sqlite3.Connection, agent_ids: Iterable[str], departure: Departure, *, now_us: int
) -> Left:
    """Mark agents unhealthy; they stay listed. Those that are so already do not change."""
    changes = []
    for agent_id in agent_ids:
        stored = agents.stored(conn, agent_id)
        if stored is not None and agents.set_status(conn, agent_id, "unhealthy", now_us=now_us):
            _append_event(conn, departure, stored, now_us=now_us)
            changes.append(_change(stored))
    return Left(changes, {})


def remove(conn: sqlite3.Connection, agent_ids: Iterable[str], *, now_us: int) -> list[Change]:
    """Delete agents that are still unhealthy, of whom the feed keeps a row."""
    changes = []
    for agent_id in agent_ids:
        stored = agents.stored(conn, agent_id)
        if stored is not None and stored.status == "unhealthy":
            agents.remove(conn, agent_id, now_us=now_us)
            _append_event(conn, "expire", stored, now_us=now_us)
            changes.append(_change(stored))
    return changes


def _change(stored: Stored) -> Change:
    return Change(stored.record.id, frozenset(tool.capability for tool in stored.tools))


def _append_event(
    conn: sqlite3.Connection, departure: Departure, stored: Stored, *, now_us: int
) -> None:
    record = stored.record
    # As with registrations: the comings and goings of api agents are not news.
    if record.agent_type == "api":
        return
    event = Event(
        event_type=departure,
        agent_id=record.id,
        agent_name=record.name,
        timestamp_us=now_us,
        data=_data(departure, record, now_us=now_us),
    )
    events.append(conn, [event])


def _data(departure: Departure, record: AgentRecord, *, now_us: int) -> JsonObject:
    if departure == "unhealthy":
        return transition_data("unhealthy", now_us=now_us)
    return {
        "name": record.name,
        "agent_type": record.agent_type,
        "version": record.version or "",
        **_CIRCUMSTANCES[departure],
    }

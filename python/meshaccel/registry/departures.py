"""Transactions by which agents leave: taken for dead, unregistered, or removed for good."""

import sqlite3
from collections.abc import Sequence

from msgspec import Struct

from meshaccel.db import agents, events
from meshaccel.db.agents import Stored
from meshaccel.db.events import Event
from meshaccel.models import AgentRecord, JsonObject
from meshaccel.registry.audit import transition_data
from meshaccel.registry.changes import Change


class Departure(Struct, frozen=True):
    """An agent that leaves, and why."""

    agent_id: str
    event_type: str
    reason: str
    source: str


def leave(
    conn: sqlite3.Connection, departures: Sequence[Departure], *, now_us: int
) -> list[Change]:
    """Mark agents unhealthy; they stay listed. Those that are so already do not change."""
    changes = []
    for departure in departures:
        stored = agents.stored(conn, departure.agent_id)
        if stored is not None and agents.set_status(
            conn, departure.agent_id, "unhealthy", now_us=now_us
        ):
            _append_event(conn, departure, stored, now_us=now_us)
            changes.append(_change(departure.agent_id, stored))
    return changes


def remove(
    conn: sqlite3.Connection, departures: Sequence[Departure], *, now_us: int
) -> list[Change]:
    """Delete agents that are still unhealthy, leaving tombstones."""
    changes = []
    for departure in departures:
        stored = agents.stored(conn, departure.agent_id)
        if stored is not None and stored.status == "unhealthy":
            agents.remove(conn, departure.agent_id, now_us=now_us)
            _append_event(conn, departure, stored, now_us=now_us)
            changes.append(_change(departure.agent_id, stored))
    return changes


def _change(agent_id: str, stored: Stored) -> Change:
    return Change(agent_id, frozenset(tool.capability for tool in stored.tools))


def _append_event(
    conn: sqlite3.Connection, departure: Departure, stored: Stored, *, now_us: int
) -> None:
    record = stored.record
    # As with registrations: the comings and goings of api agents are not news.
    if record.agent_type == "api":
        return
    event = Event(
        event_type=departure.event_type,
        agent_id=record.id,
        agent_name=record.name,
        timestamp_us=now_us,
        data=_data(departure, record, now_us=now_us),
    )
    events.append(conn, [event])


def _data(departure: Departure, record: AgentRecord, *, now_us: int) -> JsonObject:
    if departure.event_type == "unhealthy":
        return transition_data("unhealthy", now_us=now_us)
    return {
        "name": record.name,
        "agent_type": record.agent_type,
        "version": record.version or "",
        "reason": departure.reason,
        "source": departure.source,
    }

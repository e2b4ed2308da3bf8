"""Statements that read agents with their capabilities: two, however many agents there are."""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from meshaccel.db import rows
from meshaccel.db.rows import AGENT_COLUMNS
from meshaccel.grouping import Child, RowGrouper, Shape
from meshaccel.models import Agent, AgentSummary


class AgentQuery(Struct, frozen=True, kw_only=True):
    """Which agents to list, in order of their ids. None or () does not filter."""

    agent_id: str | None = None
    status: str | None = None
    namespace: str | None = None
    agent_type: str | None = None
    capabilities: tuple[str, ...] = ()
    """Agents that offer at least one of these."""
    fuzzy: bool = False
    """Whether ``capabilities`` are parts of names, in any case, rather than names."""
    after: str | None = None
    """Agents whose id sorts after this one."""
    limit: int | None = None
    """At most so many agents; None for all."""


_AGENTS = Shape(
    "agents",
    key=("id",),
    columns=AGENT_COLUMNS,
    children={
        "capabilities": Child(
            key=("position",),
            columns=("position", "digest", "definition"),
            query="""SELECT ac.agent_id, ac.position, c.digest, c.definition
                FROM agent_capabilities ac JOIN capabilities c ON c.digest = ac.digest""",
            on={"agent_id": "id"},
        ),
    },
)

T = TypeVar("T")


def summaries(conn: sqlite3.Connection, query: AgentQuery) -> list[AgentSummary]:
    """Return the matching agents with all their capabilities, in order of id."""
    summary = _once_each(rows.tool_summary)
    return [
        AgentSummary(rows.agent(row, ()), tuple(map(summary, row["capabilities"])))
        for row in _read(conn, query)
    ]


def agent(conn: sqlite3.Connection, agent_id: str) -> Agent | None:
    """Return an agent with all that it declared, or None."""
    tool = _once_each(rows.tool)
    for row in _read(conn, AgentQuery(agent_id=agent_id)):
        return rows.agent(row, tuple(map(tool, row["capabilities"])))
    return None


def _read(conn: sqlite3.Connection, query: AgentQuery) -> list[dict[str, Any]]:
    where, parameters = _conditions(query)
    return _grouper(where).read(conn, params=parameters, limit=query.limit)


@cache
def _grouper(where: str) -> RowGrouper:
    # There are as many as AgentQuery has combinations of filters: some dozens.
    return RowGrouper(replace(_AGENTS, where=where))


def _once_each(read: Callable[[str], T]) -> Callable[[dict[str, Any]], T]:
    """Read each distinct definition once: replicas of an agent share theirs."""
    known: dict[bytes, T] = {}

    def read_once(capability: dict[str, Any]) -> T:
        digest = capability["digest"]
        found = known.get(digest)
        if found is None:
            found = known[digest] = read(capability["definition"])
        return found

    return read_once


def _conditions(query: AgentQuery) -> tuple[str, dict[str, object]]:
    conditions = {
        "id = :agent_id": query.agent_id,
        "status = :status": query.status,
        "namespace = :namespace": query.namespace,
        "agent_type = :agent_type": query.agent_type,
        "id > :after": query.after,
    }
    active = [clause for clause, value in conditions.items() if value is not None]
    parameters: dict[str, object] = {
        clause.rpartition(":")[2]: conditions[clause] for clause in active
    }
    if query.capabilities:
        # Names first, each once, then their agents by index. instr over lower case, not LIKE:
        # % and _ are ordinary characters in a name.
        names = "SELECT value FROM json_each(:capabilities)"
        if query.fuzzy:
            names = """SELECT n.name FROM (SELECT DISTINCT name FROM capabilities) n
                WHERE EXISTS (SELECT 1 FROM json_each(:capabilities) w
                    WHERE instr(lower(n.name), lower(w.value)) > 0)"""
        active.append(
            f"""id IN (
                SELECT ac.agent_id FROM capabilities c
                JOIN agent_capabilities ac ON ac.digest = c.digest
                WHERE c.name IN ({names}) AND c.name <> ''
            )"""
        )
        parameters["capabilities"] = msgspec.json.encode(query.capabilities).decode()
    return " AND ".join(active), parameters

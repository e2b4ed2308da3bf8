"""Statements that read agents with their capabilities: one joined query for any number."""

import sqlite3
from collections.abc import Iterator
from typing import Any

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


_SHAPE = Shape(
    "agents",
    key=("id",),
    columns=AGENT_COLUMNS,
    children={
        "capabilities": Child(key=("position",), columns=("position", "definition")),
    },
)

_grouper = RowGrouper(_SHAPE)


def summaries(conn: sqlite3.Connection, query: AgentQuery) -> list[AgentSummary]:
    """Return the matching agents with all their capabilities, in order of id."""
    return [
        AgentSummary(rows.agent(row, ()), tuple(map(rows.tool_summary, _definitions(row))))
        for row in _read(conn, query)
    ]


def agent(conn: sqlite3.Connection, agent_id: str) -> Agent | None:
    """Return an agent with all that it declared, or None."""
    for row in _read(conn, AgentQuery(agent_id=agent_id)):
        return rows.agent(row, tuple(map(rows.tool, _definitions(row))))
    return None


def _read(conn: sqlite3.Connection, query: AgentQuery) -> list[dict[str, Any]]:
    where, parameters = _conditions(query)
    found = conn.execute(
        f"""
        SELECT {", ".join(f"a.{column}" for column in AGENT_COLUMNS)}, ac.position, c.definition
        FROM (SELECT * FROM agents WHERE {where} ORDER BY id LIMIT :limit) a
        LEFT JOIN agent_capabilities ac ON ac.agent_id = a.id
        LEFT JOIN capabilities c ON c.digest = ac.digest
        ORDER BY a.id, ac.position
        """,
        {**parameters, "limit": -1 if query.limit is None else query.limit},
    )
    return _grouper.group(found)


def _definitions(row: dict[str, Any]) -> Iterator[str]:
    return (capability["definition"] for capability in row["capabilities"])


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
    return " AND ".join(active) or "1", parameters

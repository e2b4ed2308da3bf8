"""Statements that read agents with their capabilities: two, however many agents there are."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from meshaccel.db import rows
from meshaccel.db.rows import AGENT_COLUMNS
from meshaccel.grouping import Child, RowGrouper, Shape
from meshaccel.models import Agent


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
                FROM agent_capabilities ac JOIN capabilities c ON c.id = ac.capability_id""",
            on={"agent_id": "id"},
        ),
    },
)

T = TypeVar("T")

Definitions = Sequence[tuple[bytes, str]]
"""Digest and JSON of each tool of an agent, in declared order."""


def agents(
    conn: sqlite3.Connection, query: AgentQuery, build: Callable[[Agent, Definitions], T]
) -> list[T]:
    """Return the matching agents in order of id, each built from its row and its definitions."""
    where, parameters = _conditions(query)
    found = _grouper(where).read(conn, params=parameters, limit=query.limit)
    return [_built(row, build) for row in found]


def some_agents(
    conn: sqlite3.Connection, ids: Iterable[str], build: Callable[[Agent, Definitions], T]
) -> list[T]:
    """As ``agents``, of those that are named."""
    parameters = {"ids": msgspec.json.encode(list(ids)).decode()}
    grouper = _grouper("id IN (SELECT value FROM json_each(:ids))")
    return [_built(row, build) for row in grouper.read(conn, params=parameters)]


def revisions(conn: sqlite3.Connection, query: AgentQuery) -> list[tuple[str, int]]:
    """Return id and revision of the matching agents, in order of id."""
    where, parameters = _conditions(query)
    found = conn.execute(
        f"SELECT id, revision FROM agents WHERE {where or 'TRUE'} ORDER BY id LIMIT :limit",
        parameters | {"limit": -1 if query.limit is None else query.limit},
    )
    return found.fetchall()


def _built(row: dict[str, Any], build: Callable[[Agent, Definitions], T]) -> T:
    definitions = [(tool["digest"], tool["definition"]) for tool in row["capabilities"]]
    return build(rows.agent(row), definitions)


@cache
def _grouper(where: str) -> RowGrouper:
    # There are as many as AgentQuery has combinations of filters: some dozens.
    return RowGrouper(replace(_AGENTS, where=where))


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
                JOIN agent_capabilities ac ON ac.capability_id = c.id
                WHERE c.name IN ({names}) AND c.name <> ''
            )"""
        )
        parameters["capabilities"] = msgspec.json.encode(query.capabilities).decode()
    return " AND ".join(active), parameters

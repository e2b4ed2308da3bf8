"""Statements that find who offers what: one joined query, however many agents there are."""

import sqlite3
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from meshaccel.db import rows
from meshaccel.grouping import Child, RowGrouper, Shape
from meshaccel.models import Candidate


class Offers(Struct, frozen=True):
    """The candidates for one capability, in order of registration."""

    healthy: tuple[Candidate, ...] = ()
    unhealthy: tuple[Candidate, ...] = ()
    """Of agents that are not healthy: they serve nobody, but explain why."""


_SHAPE = Shape(
    "capabilities",
    key=("name",),
    columns=("name",),
    children={
        "offers": Child(
            key=("agent_id", "position"),
            columns=("agent_id", "position", "endpoint", "status", "definition"),
        )
    },
)

_SELECT = """
SELECT c.name, a.id, ac.position, a.endpoint, a.status, c.definition
FROM capabilities c
JOIN agent_capabilities ac ON ac.digest = c.digest
JOIN agents a ON a.id = ac.agent_id
"""

_ORDER = " ORDER BY a.created_at_us, a.id, ac.position"

_grouper = RowGrouper(_SHAPE)


def offers(conn: sqlite3.Connection, names: Iterable[str]) -> dict[str, Offers]:
    """Return the offers of each named capability; nobody's is an empty one."""
    wanted = list(names)
    found = conn.execute(
        f"{_SELECT} WHERE c.name IN (SELECT value FROM json_each(?)) {_ORDER}",
        (msgspec.json.encode(wanted).decode(),),
    )
    groups = {group["name"]: _offers(group["offers"]) for group in _grouper.group(found)}
    return {name: groups.get(name, Offers()) for name in wanted}


def every_offer(conn: sqlite3.Connection) -> tuple[Candidate, ...]:
    """Return the candidates of all capabilities of all healthy agents."""
    found = conn.execute(f"{_SELECT} WHERE a.status = 'healthy' {_ORDER}")
    return tuple(
        Candidate(agent_id, endpoint, rows.tool(definition))
        for _, agent_id, _, endpoint, _, definition in found
    )


def _offers(found: Any) -> Offers:
    healthy: list[Candidate] = []
    unhealthy: list[Candidate] = []
    for row in found:
        kind = healthy if row["status"] == "healthy" else unhealthy
        kind.append(Candidate(row["agent_id"], row["endpoint"], rows.tool(row["definition"])))
    return Offers(tuple(healthy), tuple(unhealthy))

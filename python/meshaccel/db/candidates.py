"""Statements that find who offers what: one joined query, however many agents there are."""

import sqlite3
from collections.abc import Iterable
from typing import Any

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

MAX_NAMES = 16_384
"""Capabilities looked up by one statement; SQLite takes 32,766 parameters."""

_ORDER = " ORDER BY a.created_at_us, a.id, ac.position"

_grouper = RowGrouper(_SHAPE)


def offers(conn: sqlite3.Connection, names: Iterable[str]) -> dict[str, Offers]:
    """Return the offers of each named capability; nobody's is an empty one."""
    wanted = list(names)
    offered = {name: Offers() for name in wanted}
    for start in range(0, len(wanted), MAX_NAMES):
        some = wanted[start : start + MAX_NAMES]
        # The number of parameters is a power of two, so that few statements are prepared.
        some += some[-1:] * ((1 << (len(some) - 1).bit_length()) - len(some))
        marks = ",".join("?" * len(some))
        found = conn.execute(f"{_SELECT} WHERE c.name IN ({marks}) {_ORDER}", some)
        for group in _grouper.group(found):
            offered[str(group["name"])] = _offers(group["offers"])
    return offered


def every_offer(conn: sqlite3.Connection) -> tuple[Candidate, ...]:
    """Return the candidates of all capabilities of all healthy agents."""
    found = conn.execute(f"{_SELECT} WHERE a.status = 'healthy' AND c.name <> '' {_ORDER}")
    return tuple(
        Candidate(agent_id, endpoint, rows.offered_tool(definition))
        for _, agent_id, _, endpoint, _, definition in found
    )


def _offers(found: Any) -> Offers:
    healthy: list[Candidate] = []
    unhealthy: list[Candidate] = []
    for row in found:
        kind = healthy if row["status"] == "healthy" else unhealthy
        kind.append(
            Candidate(row["agent_id"], row["endpoint"], rows.offered_tool(row["definition"]))
        )
    return Offers(tuple(healthy), tuple(unhealthy))

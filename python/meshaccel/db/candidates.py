"""Statements that find who offers what: one joined query, however many agents there are."""

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

from meshaccel.grouping import Child, RowGrouper, Shape
from meshaccel.models import Candidate, OfferedTool


class Offers(Struct, frozen=True, gc=False):
    """The candidates for one capability, in order of registration."""

    healthy: tuple[Candidate, ...] = ()
    unhealthy: tuple[Candidate, ...] = ()
    """Of agents that are not healthy: they serve nobody, but explain why."""
    required: frozenset[str] = frozenset()
    """The capabilities that healthy candidates require."""


Compile = Callable[[bytes, str], OfferedTool]
"""Gives the tool of a digest and a definition: the same one for the same digest."""

_SHAPE = Shape(
    "capabilities",
    key=("name",),
    columns=("name",),
    children={
        "offers": Child(
            key=("agent_id", "position"),
            columns=("agent_id", "position", "endpoint", "status", "digest", "definition"),
        )
    },
)

_SELECT = """
SELECT c.name, a.id, ac.position, a.endpoint, a.status, c.digest, c.definition
FROM capabilities c
JOIN agent_capabilities ac ON ac.capability_id = c.id
JOIN agents a ON a.id = ac.agent_id
"""

MAX_NAMES = 16_384
"""Capabilities looked up by one statement; SQLite takes 32,766 parameters."""

_ORDER = " ORDER BY a.created_at_us, a.id, ac.position"

_grouper = RowGrouper(_SHAPE)


def offers(conn: sqlite3.Connection, names: Iterable[str], compiled: Compile) -> dict[str, Offers]:
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
            offered[str(group["name"])] = _offers(group["offers"], compiled)
    return offered


def every_offer(conn: sqlite3.Connection, compiled: Compile) -> tuple[Candidate, ...]:
    """Return the candidates of all capabilities of all healthy agents."""
    found = conn.execute(f"{_SELECT} WHERE a.status = 'healthy' AND c.name <> '' {_ORDER}")
    return tuple(
        Candidate(agent_id, endpoint, compiled(digest, definition))
        for _, agent_id, _, endpoint, _, digest, definition in found
    )


def _offers(found: Any, compiled: Compile) -> Offers:
    healthy: list[Candidate] = []
    unhealthy: list[Candidate] = []
    for row in found:
        kind = healthy if row["status"] == "healthy" else unhealthy
        tool = compiled(row["digest"], row["definition"])
        kind.append(Candidate(row["agent_id"], row["endpoint"], tool))
    required = {
        dependency.capability
        for candidate in healthy
        for dependency in candidate.tool.dependencies or ()
        if dependency.required and dependency.capability
    }
    return Offers(tuple(healthy), tuple(unhealthy), frozenset(required))

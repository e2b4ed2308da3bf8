"""Nested agents in plain Python: each plan as one would write it to be fast.

A function of ``sqlite3.Connection`` runs in aiosqlite's thread, in one hop, and reads one
snapshot. ``load`` is what becomes of the text in a JSON column; None leaves it. Naming
``strict`` would make each ``zip`` slower (noqa B905).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Literal, TypeAlias, TypeVar

import aiosqlite
import orjson
from benches.rows.contender import Contender
from benches.rows.dataset import AGENT, CAPABILITY, Json

T = TypeVar("T")
Level = Literal["L0", "L1", "L2"]
Load: TypeAlias = Callable[[str], Any] | None
Plan = Callable[[sqlite3.Connection, Load], list[Json]]

N_PLUS_ONE = "N+1, aiosqlite"
TWO_QUERIES_DUMPS = "two queries + orjson.dumps"

AGENTS = f"SELECT {', '.join(AGENT)} FROM agents ORDER BY id"  # noqa: S608
CAPABILITIES_OF = f"SELECT {', '.join(CAPABILITY)} FROM capabilities WHERE agent_id = ? ORDER BY id"  # noqa: S608
# The order of ids within each agent follows from the order of all. With the agent's id at the
# end, zip() leaves it out by itself.
CAPABILITIES = f"SELECT {', '.join(CAPABILITY)}, agent_id FROM capabilities ORDER BY id"  # noqa: S608
JOINED = (
    f"SELECT {', '.join('a.' + name for name in AGENT)},"  # noqa: S608
    f" {', '.join('c.' + name for name in CAPABILITY)}"
    " FROM agents a LEFT JOIN capabilities c ON c.agent_id = a.id ORDER BY a.id, c.id"
)


async def one_hop(conn: aiosqlite.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    """Run ``work`` in the connection's thread, inside one read transaction."""

    def reading() -> T:
        db = conn._conn  # noqa: SLF001
        db.execute("BEGIN")
        try:
            return work(db)
        finally:
            db.execute("COMMIT")

    result: T = await conn._execute(reading)  # type: ignore[no-untyped-call]  # noqa: SLF001
    return result


class Memo(dict[str, Any]):
    """Decodes each distinct text once; ``Memo().__getitem__`` is a ``Load``."""

    def __missing__(self, text: str) -> Any:
        value = self[text] = orjson.loads(text)
        return value


def decode_agent(agent: Json, load: Load) -> None:
    if load is not None:
        agent["labels"] = load(agent["labels"])
        agent["dependencies"] = load(agent["dependencies"])


async def n_plus_one(conn: aiosqlite.Connection, load: Load) -> list[Json]:
    """Three hops per query: execute, fetch, close."""
    agents = []
    await conn.execute("BEGIN")
    async with conn.execute(AGENTS) as cursor:
        rows = await cursor.fetchall()
    for row in rows:
        agent = dict(zip(AGENT, row))  # noqa: B905
        decode_agent(agent, load)
        async with conn.execute(CAPABILITIES_OF, (agent["id"],)) as cursor:
            children = await cursor.fetchall()
        agent["capabilities"] = capabilities = []
        for child in children:
            capability = dict(zip(CAPABILITY, child))  # noqa: B905
            if load is not None:
                capability["input_schema"] = load(capability["input_schema"])
            capabilities.append(capability)
        agents.append(agent)
    await conn.execute("COMMIT")
    return agents


def n_plus_one_in_one_hop(db: sqlite3.Connection, load: Load) -> list[Json]:
    agents = []
    for row in db.execute(AGENTS):
        agent = dict(zip(AGENT, row))  # noqa: B905
        decode_agent(agent, load)
        agent["capabilities"] = capabilities = []
        for child in db.execute(CAPABILITIES_OF, (agent["id"],)):
            capability = dict(zip(CAPABILITY, child))  # noqa: B905
            if load is not None:
                capability["input_schema"] = load(capability["input_schema"])
            capabilities.append(capability)
        agents.append(agent)
    return agents


def join(db: sqlite3.Connection, load: Load) -> list[Json]:
    return group_joined(db.execute(JOINED), load)


def group_joined(rows: Any, load: Load) -> list[Json]:
    """Group rows of the join; every row is a child, as there is one collection."""
    agents: dict[str, Json] = {}
    width = len(AGENT)
    for row in rows:
        agent = agents.get(row[0])
        if agent is None:
            agent = agents[row[0]] = dict(zip(AGENT, row))  # noqa: B905
            decode_agent(agent, load)
            agent["capabilities"] = []
        if row[width] is not None:
            capability = dict(zip(CAPABILITY, row[width:]))  # noqa: B905
            if load is not None:
                capability["input_schema"] = load(capability["input_schema"])
            agent["capabilities"].append(capability)
    return list(agents.values())


def two_queries(db: sqlite3.Connection, load: Load) -> list[Json]:
    return group_two(db.execute(AGENTS), db.execute(CAPABILITIES), load)


def group_two(agent_rows: Any, capability_rows: Any, load: Load) -> list[Json]:
    """Group the rows of two queries."""
    agents: list[Json] = []
    capabilities: dict[str, list[Json]] = {}
    for row in agent_rows:
        agent = dict(zip(AGENT, row))  # noqa: B905
        decode_agent(agent, load)
        agent["capabilities"] = capabilities[row[0]] = []
        agents.append(agent)
    for row in capability_rows:
        capability = dict(zip(CAPABILITY, row))  # noqa: B905
        if load is not None:
            capability["input_schema"] = load(capability["input_schema"])
        capabilities[row[-1]].append(capability)
    return agents


def json_object(alias: str, columns: tuple[str, ...], json_columns: tuple[str, ...]) -> str:
    """Return the SQL that makes one JSON object of a row."""
    values = {name: f"{alias}.{name}" for name in columns}
    values |= {name: f"json({alias}.{name})" for name in json_columns}
    return ", ".join(f"'{name}', {value}" for name, value in values.items())


PLANS: dict[str, Plan] = {
    "N+1, one hop": n_plus_one_in_one_hop,
    "join + dict": join,
    "two queries + dict": two_queries,
}

JSON_AGGREGATE = f"""
SELECT json_group_array(json_object({json_object("a", AGENT, ("labels", "dependencies"))},
  'capabilities', (
    SELECT json_group_array(json_object({json_object("c", CAPABILITY, ("input_schema",))}))
    FROM (SELECT * FROM capabilities WHERE agent_id = a.id ORDER BY id) c)))
FROM (SELECT * FROM agents ORDER BY id) a
"""  # noqa: S608


def json_aggregate(db: sqlite3.Connection) -> bytes:
    text: str = db.execute(JSON_AGGREGATE).fetchone()[0]
    return text.encode()


def python_contenders(conn: aiosqlite.Connection) -> dict[Level, list[Contender]]:
    """Return the plans in plain Python over one connection."""

    def in_hop(work: Callable[[sqlite3.Connection], T]) -> Callable[[], Awaitable[T]]:
        return partial(one_hop, conn, work)

    def reading(plan: Plan, load: Load) -> Callable[[sqlite3.Connection], list[Json]]:
        return lambda db: plan(db, load)

    def dumped(plan: Plan, load: Load) -> Callable[[], Awaitable[bytes]]:
        return in_hop(lambda db: orjson.dumps(plan(db, load)))

    async def dump_n_plus_one() -> bytes:
        return orjson.dumps(await n_plus_one(conn, orjson.loads))

    async def load_aggregate() -> Any:
        return orjson.loads(await one_hop(conn, json_aggregate))

    def memo(db: sqlite3.Connection) -> list[Json]:
        return two_queries(db, Memo().__getitem__)

    def objects(load: Load) -> list[Contender]:
        return [
            Contender(N_PLUS_ONE, partial(n_plus_one, conn, load), python=True),
            *(
                Contender(name, in_hop(reading(plan, load)), python=True)
                for name, plan in PLANS.items()
            ),
        ]

    as_bytes = {
        N_PLUS_ONE: dump_n_plus_one,
        "join + orjson.dumps": dumped(join, orjson.loads),
        TWO_QUERIES_DUMPS: dumped(two_queries, orjson.loads),
        "N+1, one hop + orjson.Fragment": dumped(n_plus_one_in_one_hop, orjson.Fragment),
        "two queries + orjson.Fragment": dumped(two_queries, orjson.Fragment),
        "SQL json_group_array": in_hop(json_aggregate),
    }
    return {
        "L0": objects(None),
        "L1": [
            *objects(orjson.loads),
            Contender("SQL json_group_array + orjson.loads", load_aggregate, python=True),
            # Not among the plans in plain Python: its documents are shared and may be changed.
            Contender("two queries + dict, decoded once", in_hop(memo)),
        ],
        "L2": [Contender(name, call, orjson.loads, python=True) for name, call in as_bytes.items()],
    }

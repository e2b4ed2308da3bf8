"""``RowGrouper`` as a user of aiosqlite calls it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import aiosqlite
import orjson
from benches.rows.contender import Contender
from benches.rows.dataset import AGENT, AGENT_JSON, CAPABILITY, CAPABILITY_JSON
from benches.rows.python_plans import Level

from meshaccel.grouping import RowGrouper
from meshaccel.shape import Child, JsonPolicy, Plan, Shape

PLANS: tuple[Plan, ...] = ("levels", "joined")
POLICIES: dict[JsonPolicy, Level] = {"text": "L0", "lazy": "L0", "shared": "L1", "eager": "L1"}


def shape(policy: JsonPolicy) -> Shape:
    """Return agents with their capabilities, all JSON columns under one policy."""
    capabilities = Child(
        key=("id",),
        columns=CAPABILITY,
        json=dict.fromkeys(CAPABILITY_JSON, policy),
        on={"agent_id": "id"},
    )
    return Shape(
        "agents",
        key=("id",),
        columns=AGENT,
        json=dict.fromkeys(AGENT_JSON, policy),
        children={"capabilities": capabilities},
    )


def objects_name(policy: JsonPolicy, plan: Plan) -> str:
    """Return the name of a contender that makes dicts."""
    return f"RowGrouper, {policy}, {plan}"


def bytes_name(plan: Plan) -> str:
    """Return the name of a contender that makes bytes."""
    return f"RowGrouper.fetch_json, {plan}"


def native_contenders(conn: aiosqlite.Connection) -> dict[Level, list[Contender]]:
    """Return every way to read natively."""
    found: dict[Level, list[Contender]] = {"L0": [], "L1": [], "L2": []}
    for policy, level in POLICIES.items():
        grouper = RowGrouper(shape(policy))
        for plan in PLANS:
            fetch = partial(grouper.fetch, conn, plan=plan)
            found[level].append(Contender(objects_name(policy, plan), fetch, PLAIN[policy]))
    grouper = RowGrouper(shape("raw"))
    for plan in PLANS:
        fetch_json = partial(grouper.fetch_json, conn, plan=plan)
        found["L2"].append(Contender(bytes_name(plan), fetch_json, orjson.loads))
    return found


def read_lazy(agents: list[Any]) -> list[Any]:
    """Decode what is lazy."""
    return [
        agent
        | {name: agent[name].value for name in AGENT_JSON}
        | {
            "capabilities": [
                each | {name: each[name].value for name in CAPABILITY_JSON}
                for each in agent["capabilities"]
            ]
        }
        for agent in agents
    ]


PLAIN: dict[JsonPolicy, Callable[[list[Any]], list[Any]]] = {
    "text": list,
    "lazy": read_lazy,
    "shared": list,
    "eager": list,
}

"""What a reading spends on rows in hand: grouping alone, and with the JSON columns."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from operator import itemgetter
from typing import Any

import orjson
from benches.rows.contender import Contender, Plain, Section
from benches.rows.dataset import AGENT, CAPABILITY, Json
from benches.rows.fetch_step import RowTuple, fetch_all
from benches.rows.ours import PLAIN, shape
from benches.rows.python_plans import (
    AGENTS,
    CAPABILITIES,
    JOINED,
    Load,
    Memo,
    group_joined,
    group_two,
)

from meshaccel.grouping import Into, RowGrouper
from meshaccel.shape import JsonPolicy, Shape

JOIN_STEP, TWO_STEP = "rows of the join", "rows of two queries"
GROUPED, DEDUP = "RowGrouper.group", "dict(zip) with dedup"
FED, ZIPPED = "RowGrouper.stream", "dict(zip)"


def group_sections(db: sqlite3.Connection) -> dict[str, Section]:
    """Fetch the rows and return who groups them, in the thread of whoever calls."""
    agents, capabilities, joined = fetch_all(db, statements=(AGENTS, CAPABILITIES, JOINED))
    levels = fetch_all(db, statements=tuple(each.text for each in shape("text").sql("levels")))
    two = _two(agents, capabilities, levels)
    return {
        JOIN_STEP: Section("grouping rows of the join in hand", _joined(joined), DEDUP),
        TWO_STEP: Section("grouping rows of two queries in hand", two, ZIPPED),
    }


def _joined(rows: list[RowTuple]) -> list[Contender]:
    def grouping(shape: Shape) -> Callable[[], object]:
        return partial(RowGrouper(shape).group, rows)

    found = [
        _step(
            GROUPED if policy == "text" else f"{GROUPED}, {policy}", grouping(shape(policy)), plain
        )
        for policy, plain in PLAIN.items()
    ]
    calls: dict[str, Callable[[], object]] = {
        f"{GROUPED}, child without key": grouping(_keyless(shape("text"))),
        DEDUP: partial(group_joined_with_dedup, rows),
        "dict(zip) without dedup": partial(group_joined, rows, None),
        "dict displays by hand": partial(group_by_displays, rows),
        "dict(zip) without dedup, orjson.loads": partial(group_joined, rows, orjson.loads),
    }
    found += [_step(name, call, list) for name, call in calls.items()]
    group_json = partial(RowGrouper(shape("raw")).group_json, rows)
    return [*found, _step("RowGrouper.group_json", group_json, orjson.loads)]


def _two(
    agents: list[RowTuple], capabilities: list[RowTuple], levels: list[list[RowTuple]]
) -> list[Contender]:
    groupers = {policy: RowGrouper(shape(policy)) for policy in (*PLAIN, "raw")}

    def fed(policy: JsonPolicy, into: Into) -> Any:
        stream = groupers[policy].stream(into=into)
        stream.feed(levels[0], "")
        stream.feed(levels[1], "capabilities")
        return stream

    def objects(policy: JsonPolicy) -> object:
        return fed(policy, "dicts").finish()

    def zipped(load: Load) -> list[Json]:
        return group_two(agents, capabilities, load)

    found = [
        _step(FED if policy == "text" else f"{FED}, {policy}", partial(objects, policy), plain)
        for policy, plain in PLAIN.items()
    ]
    python: dict[str, Callable[[], object]] = {
        ZIPPED: lambda: zipped(None),
        "dict(zip), orjson.loads": lambda: zipped(orjson.loads),
        "dict(zip), decoded once": lambda: zipped(Memo().__getitem__),
    }
    found += [_step(name, call, list) for name, call in python.items()]
    as_bytes: dict[str, Callable[[], object]] = {
        f"{FED}, finish_json": lambda: fed("raw", "json").finish_json(),
        "dict(zip), orjson.dumps": lambda: orjson.dumps(zipped(orjson.loads)),
        "dict(zip), orjson.Fragment": lambda: orjson.dumps(zipped(orjson.Fragment)),
    }
    return found + [_step(name, call, orjson.loads) for name, call in as_bytes.items()]


def _step(name: str, call: Callable[[], object], plain: Plain) -> Contender:
    async def called() -> object:
        return call()

    return Contender(name, called, plain)


def _keyless(keyed: Shape) -> Shape:
    child = keyed.children["capabilities"]
    return replace(keyed, children={"capabilities": replace(child, key=(), present=("id",))})


def group_joined_with_dedup(rows: Iterable[RowTuple]) -> list[Json]:
    """``group_joined`` with the dedup by child key that ``RowGrouper`` does."""
    agents: dict[object, Json] = {}
    children: dict[object, dict[object, Json]] = {}
    width = len(AGENT)
    for row in rows:
        key = row[0]
        found = children.get(key)
        if found is None:
            found = children[key] = {}
            agents[key] = dict(zip(AGENT, row))  # noqa: B905
        child = row[width]
        if child is not None and child not in found:
            found[child] = dict(zip(CAPABILITY, row[width:]))  # noqa: B905
    for key, agent in agents.items():
        agent["capabilities"] = list(children[key].values())
    return list(agents.values())


def group_by_displays(rows: Iterable[RowTuple]) -> list[Json]:
    """Dict displays written out for this one query: the limit of what Python can do."""
    agents: dict[object, Json] = {}
    children: dict[object, list[Json]] = {}
    child_values = itemgetter(*range(len(AGENT), len(AGENT + CAPABILITY)))
    for row in rows:
        key = row[0]
        found = children.get(key)
        if found is None:
            found = children[key] = []
            agents[key] = agent = dict(zip(AGENT, row))  # noqa: B905
            agent["capabilities"] = found
        number, function_name, name, version, description, stability, schema = child_values(row)
        if number is not None:
            found.append(
                {
                    "id": number,
                    "function_name": function_name,
                    "name": name,
                    "version": version,
                    "description": description,
                    "stability": stability,
                    "input_schema": schema,
                }
            )
    return list(agents.values())

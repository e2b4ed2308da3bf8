"""What benches/suite/instructions.py counts: something short, done so many times.

    python -m benches.suite.native_loops "intern, ours" 100

Each way imports what it needs by itself, as under valgrind imports take longer than the rest.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine
from typing import Any

AGENT, CAPABILITY = ("id", *"bcdef"), ("id", *"ghij")
Act = Callable[[], object]


def record() -> dict[str, Any]:
    """Return a record of ten tools."""
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    tools = [
        {
            "name": f"tool_{number}",
            "description": f"Does what {number} does",
            "input_schema": schema | {"$id": number},
        }
        for number in range(10)
    ]
    return {"id": "agent-1", "labels": {"zone": "eu"}, "healthy": True, "tools": tools}


def intern() -> Act:
    from meshaccel._native import MetadataPool  # noqa: PLC0415

    pool, known = MetadataPool(), record()
    return lambda: pool.intern(known)


def intern_naive() -> Act:
    from benches.naive.metadata import MetadataPool  # noqa: PLC0415

    pool, known = MetadataPool(), record()
    return lambda: pool.intern(known)


def hit() -> Act:
    """Await as ``HierarchicalCache.get`` does if there is a value."""
    from meshaccel._native import TagCache  # noqa: PLC0415

    async def never(key: str) -> int:
        raise LookupError(key)

    cache = TagCache[int](10, ttl=3600)
    cache.set("key", 1, ("a", "b", "c"))
    return hits(cache.reader(never))


def hit_naive() -> Act:
    from benches.naive.cache import HierarchicalCache  # noqa: PLC0415

    cache = HierarchicalCache()
    finish(cache.set("key", 1, ("a", "b", "c")))
    return hits(cache.get)


def hits(get: Callable[[str], Any]) -> Act:
    """Return what awaits a hundred hits."""

    async def hundred() -> None:
        for _ in range(100):
            await get("key")

    return lambda: finish(hundred())


def finish(coroutine: Coroutine[object, None, object]) -> None:
    """Run a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError


def rows() -> list[tuple[object, ...]]:
    """Return ten agents joined with ten capabilities each."""
    return [(n // 10, *"bcdef", n, *"ghij") for n in range(100)]


def group() -> Act:
    from meshaccel.grouping import Child, RowGrouper, Shape  # noqa: PLC0415

    child = Child(key=("id",), columns=CAPABILITY)
    grouper = RowGrouper(Shape("agents", key=("id",), columns=AGENT, children={"tools": child}))
    joined = rows()
    return lambda: grouper.group(joined)


def group_naive() -> Act:
    joined = rows()

    def group_agent_data() -> list[dict[str, Any]]:
        agents: dict[object, dict[str, Any]] = {}
        for row in joined:
            agent = agents.get(row[0])
            if agent is None:
                agent = agents[row[0]] = dict(zip(AGENT, row, strict=False))
                agent["tools"] = []
            agent["tools"].append(dict(zip(CAPABILITY, row[len(AGENT) :], strict=False)))
        return list(agents.values())

    return group_agent_data


WAYS: dict[str, Callable[[], Act]] = {
    "intern, ours": intern,
    "intern, naive": intern_naive,
    "hit, ours": hit,
    "hit, naive": hit_naive,
    "group, ours": group,
    "group, naive": group_naive,
}


def repeat(way: str, times: int) -> None:
    """Do it once, so that everything is there, and then so many times."""
    act = WAYS[way]()
    act()
    for _ in range(times):
        act()


if __name__ == "__main__":
    repeat(sys.argv[1], int(sys.argv[2]))

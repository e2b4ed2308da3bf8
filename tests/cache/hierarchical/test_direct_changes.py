"""Changes of the first level itself, by those who cannot wait: they count like any others."""

import asyncio
from collections.abc import Callable

import pytest
from tests.cache.hierarchical.support import asynchronous

from meshaccel.cache import FetchContext, HierarchicalCache, TagCache

CHANGES: dict[str, Callable[[TagCache[str]], object]] = {
    "known tag": lambda l1: l1.invalidate_by_tag("known"),
    "tag that only the function knows": lambda l1: l1.invalidate_by_tag("found out"),
    "delete": lambda l1: l1.delete("key"),
    "clear": lambda l1: l1.clear(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("bulk", [False, True])
@asynchronous
async def test_nothing_from_before_a_change_is_served_after_it(
    change: Callable[[TagCache[str]], object], *, bulk: bool
) -> None:
    l1 = TagCache[str](10)
    cache = HierarchicalCache(l1, old_entries=0)
    source, gate = ["old"], asyncio.Event()

    async def fetch(context: FetchContext[str]) -> str:
        (value,) = source
        await gate.wait()
        context.tags.add("found out")
        return value

    async def fetch_many(keys: list[str]) -> dict[str, str]:
        (value,) = source
        await gate.wait()
        return dict.fromkeys(keys, value)

    async def read() -> str:
        if not bulk:
            return await cache.get("key", fetch, tags=["known"])
        found = await cache.get_many(
            ["key"], fetch_many, tags=["known"], tags_of=lambda *_: ["found out"]
        )
        return found["key"]

    early = asyncio.create_task(read())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    source[0] = "new"
    change(l1)
    late = asyncio.create_task(read())
    await asyncio.sleep(0)
    gate.set()
    assert await late == "new"
    assert await early in ("old", "new")
    assert cache.get_now("key") in ("new", None)
    assert await read() == "new"
    change(l1)
    assert cache.get_now("key") is None


@asynchronous
async def test_what_is_set_directly_is_the_newest() -> None:
    l1 = TagCache[str](10)
    cache = HierarchicalCache(l1, old_entries=0)
    gate = asyncio.Event()

    async def fetch() -> str:
        await gate.wait()
        return "old"

    early = asyncio.ensure_future(cache.get("key", fetch))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    l1.set("key", "set")
    gate.set()
    assert await early == "old"
    assert await cache.get("key", fetch) == "set"

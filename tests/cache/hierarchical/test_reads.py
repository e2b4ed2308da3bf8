"""What reads, sets, deletions and namespaces do when nothing happens at the same time."""

import asyncio
import copy
import math
from collections.abc import Awaitable
from typing import Any

import pytest
from tests.cache.hierarchical.support import FakeClock, MemoryL2, Origin, asynchronous, make

from meshaccel.cache import MISS, CachePolicy, FetchContext, HierarchicalCache, TagCache
from meshaccel.errors import CacheNameError, CacheOptionError


@asynchronous
async def test_miss_fetches_and_hit_does_not() -> None:
    cache, origin = make(), Origin("value")
    assert await cache.get("key") is None
    assert await cache.get("key", default=MISS) is MISS
    assert cache.get_now("key") is None
    assert await cache.get("key", origin) == "value"
    assert await cache.get("key", origin) == "value"
    assert cache.get_now("key") == "value"
    assert origin.calls == 1


@asynchronous
async def test_hit_needs_no_event_loop_and_no_coroutine() -> None:
    cache = make()
    await cache.set("key", 1)
    hit: Awaitable[Any] = cache.get("key")
    with pytest.raises(StopIteration) as stopped:
        hit.__await__().send(None)
    assert stopped.value.value == 1
    both = await asyncio.gather(cache.get("key"), asyncio.wait_for(cache.get("key"), 60))
    assert list(both) == [1, 1]


@asynchronous
async def test_none_is_a_value() -> None:
    """Elsewhere it is never cached."""
    cache, origin = make(MemoryL2()), Origin(None)
    for _ in range(3):
        assert await cache.get("key", origin) is None
    assert origin.calls == 1
    assert await cache.get("key", default=MISS) is None


@asynchronous
async def test_functions_of_every_kind_fetch() -> None:
    cache = make()

    class Reader:
        def plain(self) -> str:
            return "method"

        def __call__(self) -> str:
            return "callable"

    async def coroutine(context: FetchContext[Any]) -> str:
        return context.key

    def default(context: FetchContext[Any] | None = None) -> bool:
        return context is None

    assert await cache.get("1", lambda: "plain") == "plain"
    assert await cache.get("2", coroutine) == "2"
    assert await cache.get("3", Reader().plain) == "method"
    assert await cache.get("4", Reader()) == "callable"
    assert await cache.get("5", default) is True
    assert await cache.get("6", dict) == {}
    assert await cache.get("7", lambda context: context.key) == "7"


@asynchronous
async def test_function_tells_tags_and_time_to_live() -> None:
    clock = FakeClock()
    cache = make(clock=clock)

    def fetch(context: FetchContext[Any]) -> int:
        context.tags.add("dynamic")
        context.ttl = 5.0
        return 1

    assert await cache.get("key", fetch, tags=["static"]) == 1
    clock.now += 6
    assert cache.get_now("key") is None
    for tag in ("dynamic", "static"):
        assert await cache.get("key", fetch, tags=["static"]) == 1
        assert await cache.invalidate_by_tag(tag) == 1
        assert cache.get_now("key") is None


@asynchronous
async def test_time_to_live_of_zero_keeps_a_value_out() -> None:
    cache = make(l2 := MemoryL2())

    def fetch(context: FetchContext[Any]) -> int:
        context.ttl = 0
        return 1

    assert await cache.get("key", fetch) == 1
    assert cache.get_now("key") is None
    assert not l2.entries


@asynchronous
async def test_bad_arguments_are_refused_and_lose_nothing() -> None:
    cache, origin = make(), Origin()
    await cache.set("key", 1, ["tag"])
    bad: Any = 5
    for call in (
        lambda: cache.get(bad),
        lambda: cache.get("other", origin, tags="tag"),
        lambda: cache.get("other", origin, tags=[bad]),
        lambda: cache.set(bad, 1),
        lambda: cache.set("key", 2, "tag"),
        lambda: cache.delete(bad),
        lambda: cache.invalidate_by_tag(bad),
        lambda: cache.expire_by_tag(bad),
        lambda: cache.get_many([bad]),
    ):
        with pytest.raises(CacheNameError):
            await call()
    for ttl in (0, -1, math.nan):
        with pytest.raises(CacheOptionError):
            await cache.get("other", origin, ttl=ttl)
        with pytest.raises(CacheOptionError):
            await cache.set("key", 2, ttl=ttl)
    with pytest.raises(CacheOptionError):
        await cache.warm_up(["key"], batch=0)
    assert (cache.get_now("key"), origin.calls) == (1, 0)


@asynchronous
async def test_function_that_tells_nonsense_is_refused() -> None:
    cache = make()

    def bad_tag(context: FetchContext[Any]) -> int:
        context.tags.add(5)  # type: ignore[arg-type]
        return 1

    def bad_ttl(context: FetchContext[Any]) -> int:
        context.ttl = -1
        return 1

    with pytest.raises(CacheNameError):
        await cache.get("key", bad_tag)
    with pytest.raises(CacheOptionError):
        await cache.get("key", bad_ttl)
    assert await cache.get("key", lambda: 2) == 2


@pytest.mark.parametrize(
    "options",
    [
        {"ttl": 0},
        {"ttl": math.nan},
        {"l1_ttl": -1},
        {"eager": 1},
        {"eager": 0},
        {"soft_timeout": 0},
        {"hard_timeout": -1},
        {"fail_safe": -1},
        {"negative_ttl": math.nan},
    ],
)
def test_policy_refuses_nonsense(options: dict[str, Any]) -> None:
    with pytest.raises(CacheOptionError, match=next(iter(options))):
        CachePolicy(**options)


@asynchronous
async def test_namespaces_share_tags_and_nothing_else() -> None:
    clock = FakeClock()
    cache = make(MemoryL2(clock), clock)
    agents, pages = cache.namespace("agents"), cache.namespace("pages", CachePolicy(ttl=5))
    inner = pages.namespace("inner")
    for number, each in enumerate((cache, agents, pages, inner)):
        await each.set("key", number, ["all"] if number else [])
        assert await each.get_many(["key"]) == {"key": number}
    assert await pages.get("key") == 2
    clock.now += 6
    assert (pages.get_now("key"), agents.get_now("key")) == (None, 1)
    await inner.set("key", 3)
    await pages.clear()
    assert [await each.get("key") for each in (cache, agents, pages, inner)] == [0, 1, None, None]
    await inner.set("key", 3, ["all"])
    assert await cache.invalidate_by_tag("all") == 2
    assert [await each.get("key") for each in (cache, agents, inner)] == [0, None, None]
    await cache.clear()
    assert await cache.get("key") is None


@asynchronous
async def test_two_caches_may_share_both_levels() -> None:
    l1, l2 = TagCache[int](10), MemoryL2()
    ones = HierarchicalCache[int](l1, l2, namespace="ones")
    twos = HierarchicalCache[int](l1, l2, namespace="twos")
    await ones.set("key", 1)
    await twos.set("key", 2)
    await ones.clear()
    assert (await ones.get("key"), await twos.get("key")) == (None, 2)


@asynchronous
async def test_values_are_shared_unless_copied_or_frozen() -> None:
    shared, copied = make(), make(copy=copy.deepcopy)
    frozen = make(freeze=tuple)
    for cache in (shared, copied, frozen):
        await asyncio.gather(cache.get("key", lambda: [1]), cache.get("key", lambda: [1]))
    assert await shared.get("key") is await shared.get("key")
    mine: Any = await copied.get("key")
    mine.append(2)
    assert await copied.get("key") == copied.get_now("key") == [1]
    assert (await copied.get_many(["key"]))["key"] is not (await copied.get_many(["key"]))["key"]
    assert await frozen.get("key") == (1,)
    first, second = await asyncio.gather(*(copied.get("new", lambda: [1]) for _ in range(2)))
    assert first is not second


@asynchronous
async def test_closed_cache_goes_on_without_its_second_level() -> None:
    async with make(l2 := MemoryL2()) as cache:
        await cache.set("key", 1)
    assert l2.closed
    assert await cache.get("key") == 1
    assert await cache.get("other", lambda: 2) == 2
    assert "read" not in l2.calls


@asynchronous
async def test_cache_without_a_first_level() -> None:
    l2, origin = MemoryL2(), Origin(1, 2)
    cache = HierarchicalCache[int](None, l2)
    assert [await cache.get("key", origin, tags=["tag"]) for _ in range(2)] == [1, 1]
    await cache.invalidate_by_tag("tag")
    assert await cache.get("key", origin) == 2


def test_stats_count() -> None:
    async def use() -> None:
        cache, origin = make(MemoryL2()), Origin()
        await asyncio.gather(*(cache.get("key", origin) for _ in range(5)))
        await cache.get("key")
        stats = cache.stats()
        assert (stats.fetches, stats.joined, stats.l1.hits, stats.l2_misses) == (1, 4, 1, 1)
        assert (stats.l2_writes, stats.under_way) == (1, 0)

    asyncio.run(use())

"""Part 3 of the brief: a cache of two levels with tags."""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from benches.naive import cache as naive
from benches.suite.figure import Counted, Gain, Part, Timed
from tests.cache.traces import zipf

from meshaccel.cache import CachePolicy, HierarchicalCache, TagCache

ENTRIES = 1_000
CALLERS = 1_000
HOUR = 3600.0
READS, KEYS, SIZE = 100_000, 10_000, 100
"""Of the trace: a hundredth of its keys fits in."""

Get = Callable[[str, Callable[[], Awaitable[Any]]], Awaitable[Any]]


def names() -> list[str]:
    """Return keys, which are equal to, and not the same as, those returned before."""
    return [f"key:{number:08}" for number in range(ENTRIES)]


def tags_of(number: int) -> tuple[str, str, str]:
    return f"agent:{number // 100}", f"cap:{number // 1000}", "fleet"


def ours() -> HierarchicalCache[Any]:
    return HierarchicalCache(TagCache(2 * ENTRIES), policy=CachePolicy(ttl=HOUR))


class Caches:
    """Both caches with the same entries of three tags each, ours with a time to live besides."""

    def __init__(self) -> None:
        self.ours, self.naive = ours(), naive.HierarchicalCache()
        self.keys = names()
        random.Random(1).shuffle(self.keys)  # noqa: S311 - no secret
        self.tagged = [(key, tags_of(number)) for number, key in enumerate(names())]
        self.tags = sorted({tags[0] for _, tags in self.tagged})

    async def fill(self) -> None:
        """Store all entries."""
        await store(self.ours, self)
        await store(self.naive, self)

    async def hits(self) -> None:
        """Await each entry."""
        get = self.ours.get
        for key in self.keys:
            await get(key)

    async def hits_naive(self) -> None:
        """The same."""
        get = self.naive.get
        for key in self.keys:
            await get(key)

    async def stores(self) -> None:
        """Store all entries anew."""
        await store(self.ours, self)

    async def stores_naive(self) -> None:
        """The same."""
        await store(self.naive, self)

    async def drops(self) -> None:
        """Store all entries in a new first level, and drop them tag by tag."""
        cache = TagCache[int](2 * ENTRIES, ttl=HOUR)
        put = cache.set
        for key, tags in self.tagged:
            put(key, 1, tags)
        for tag in self.tags:
            cache.invalidate_by_tag(tag)
        assert cache.get(self.keys[0]) is None

    async def drops_naive(self) -> None:
        """The same."""
        cache = naive.FirstLevel()
        await store(cache, self)
        for tag in self.tags:
            await cache.invalidate_by_tag(tag)
        assert await cache.get(self.keys[0]) is None


async def store(cache: HierarchicalCache[Any] | naive.FirstLevel, caches: Caches) -> None:
    put = cache.set
    for key, tags in caches.tagged:
        await put(key, 1, tags)


async def fetches(get: Get) -> int:
    """Return how often a value is fetched that 1,000 callers want at once."""
    calls = 0

    async def fetch() -> int:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        return calls

    await asyncio.gather(*(get("key", fetch) for _ in range(CALLERS)))
    return calls


async def hits_of_ours(_: Caches) -> float:
    """Return the percentage of a skewed trace that is found."""
    cache = TagCache[int](SIZE)
    found = 0
    trace = zipf(READS, KEYS, 0.99)
    for key in trace:
        if cache.get(key) is None:
            cache.set(key, 1)
        else:
            found += 1
    return 100 * found / READS


async def hits_of_lru(_: Caches) -> float:
    """Return the same of a dict that drops what was not used for longest."""
    kept: OrderedDict[str, int] = OrderedDict()
    found = 0
    for key in zipf(READS, KEYS, 0.99):
        if key in kept:
            kept.move_to_end(key)
            found += 1
            continue
        kept[key] = 1
        if len(kept) > SIZE:
            kept.popitem(last=False)
    return 100 * found / READS


@asynccontextmanager
async def opened() -> AsyncIterator[Caches]:
    caches = Caches()
    await caches.fill()
    yield caches


BRIEF = "the brief's cache"
PART = Part(
    "cache",
    opened,
    (
        Counted(
            name="cache.fetches",
            what="fetches of a value that 1,000 callers want at once",
            unit="fetches",
            against=BRIEF,
            gain=Gain.LESS,
            ours=lambda _: fetches(ours().get),
            baseline=lambda _: fetches(naive.HierarchicalCache().get),
        ),
        Counted(
            name="cache.evictions",
            what="hits of a skewed trace, a hundredth of the keys fits in",
            unit="%",
            against="a dict as LRU",
            gain=Gain.SHARE,
            ours=hits_of_ours,
            baseline=hits_of_lru,
        ),
        Timed(
            name="cache.hit",
            what="awaiting a hit",
            against=BRIEF,
            ours=Caches.hits,
            baseline=Caches.hits_naive,
            each=ENTRIES,
        ),
        Timed(
            name="cache.store",
            what="storing an entry of three tags",
            against=BRIEF,
            ours=Caches.stores,
            baseline=Caches.stores_naive,
            each=ENTRIES,
        ),
        Timed(
            name="cache.tags",
            what="storing an entry in the first level, dropping it by a tag",
            against=f"{BRIEF}, first level",
            ours=Caches.drops,
            baseline=Caches.drops_naive,
            each=ENTRIES,
        ),
    ),
)

"""Compare the hierarchical cache with other caches that are awaited.

    python -m benches.hierarchical_cache [--quick]

Needs the extra ``bench``. Hits: all contenders take turns in one process, in another order each
round; the figure is the median over the rounds of the ratio of CPU time to the brief's class, as
it is written there. Entries have a time to live and, where there are such, three tags. Keys are
equal but not identical to the stored ones, in random order. Stampede: calls of the function that
fetches, when 1,000 callers ask for the same missing key.
"""

import argparse
import asyncio
import gc
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiocache
import cashews
from benches.cache_contenders import HOUR
from benches.naive.cache import HierarchicalCache as Brief
from benches.tag_cache import names, shuffled, tags_of

from meshaccel.cache import CachePolicy, HierarchicalCache, TagCache

BASE = "the brief's class"
CALLERS = 1_000

Fetch = Callable[[], Awaitable[Any]]
Get = Callable[[str], Awaitable[Any]]
GetOrFetch = Callable[[str, Fetch], Awaitable[Any]]
Set = Callable[[str, Any, tuple[str, ...]], Awaitable[Any]]
Contender = tuple[Get, GetOrFetch, Set]


async def nothing() -> None:
    """A function that fetches, and is not needed."""


def ours(capacity: int) -> Contender:
    cache = HierarchicalCache[Any](TagCache(capacity), policy=CachePolicy(ttl=HOUR))
    return cache.get, cache.get, cache.set


def ours_in_a_namespace(capacity: int) -> Contender:
    root = HierarchicalCache[Any](TagCache(capacity), policy=CachePolicy(ttl=HOUR))
    cache = root.namespace("pages")
    return cache.get, cache.get, cache.set


def brief(_capacity: int) -> Contender:
    cache = Brief()
    return cache.get, cache.get, cache.set


def with_cashews(capacity: int) -> Contender:
    cache = cashews.Cache()
    cache.setup(f"mem://?size={capacity}&check_interval=3600")

    async def get_or_fetch(key: str, fetch: Fetch) -> Any:
        return await cache.get_or_set(key, fetch, expire=HOUR)

    async def store(key: str, value: Any, _tags: tuple[str, ...]) -> None:
        await cache.set(key, value, expire=HOUR)

    return cache.get, get_or_fetch, store


def with_aiocache(_capacity: int) -> Contender:
    cache: Any = aiocache.SimpleMemoryCache()

    async def get_or_fetch(key: str, fetch: Fetch) -> Any:
        value = await cache.get(key)
        if value is None:
            await cache.set(key, value := await fetch(), ttl=HOUR)
        return value

    async def store(key: str, value: Any, _tags: tuple[str, ...]) -> None:
        await cache.set(key, value, ttl=HOUR)

    return cache.get, get_or_fetch, store


CONTENDERS: dict[str, Callable[[int], Contender]] = {
    "HierarchicalCache": ours,
    "in a namespace": ours_in_a_namespace,
    BASE: brief,
    "cashews": with_cashews,
    "aiocache": with_aiocache,
}


async def round_of_hits(entries: int) -> dict[str, tuple[float, float]]:
    """Measure each once; return the seconds of `get`, and of `get` with a function, by name."""
    taken: dict[str, tuple[float, float]] = {}
    order = list(CONTENDERS)
    random.shuffle(order)
    for name in order:
        get, get_or_fetch, store = CONTENDERS[name](entries * 2)
        for number, key in enumerate(names(entries, "key")):
            await store(key, number, tags_of(number))
        keys = shuffled(names(entries, "key"))
        taken[name] = await measured(get, get_or_fetch, keys * max(1, 20_000 // entries))
    return taken


async def measured(get: Get, get_or_fetch: GetOrFetch, keys: list[str]) -> tuple[float, float]:
    async def gets() -> None:
        for key in keys:
            await get(key)

    async def gets_or_fetches() -> None:
        for key in keys:
            await get_or_fetch(key, nothing)

    return await seconds(gets), await seconds(gets_or_fetches)


async def seconds(work: Callable[[], Awaitable[None]]) -> float:
    """CPU time, without the collector, which does its work before; after one turn for nothing."""
    await work()
    gc.collect()
    gc.disable()
    try:
        start = time.process_time()
        await work()
        return time.process_time() - start
    finally:
        gc.enable()


async def stampede(name: str) -> int:
    """Return how often a function is called for 1,000 callers."""
    calls = 0

    async def fetch() -> int:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.01)
        return 1

    _, get_or_fetch, _ = CONTENDERS[name](10)
    await asyncio.gather(*(get_or_fetch("key", fetch) for _ in range(CALLERS)))
    return calls


async def main(rounds: int) -> None:
    for entries in (1_000, 10_000):
        samples = [await round_of_hits(entries) for _ in range(rounds)]
        print(f"\n{entries:,} entries, median of {rounds} rounds, as a ratio to {BASE}")
        print(f"{'':<22}{'await get, hit':>18}{'with a function':>18}")
        for name in CONTENDERS:
            ratios = [
                statistics.median(sample[name][column] / sample[BASE][column] for sample in samples)
                for column in (0, 1)
            ]
            print(f"{name:<22}" + "".join(f"{ratio:18.2f}" for ratio in ratios))
    print(f"\nCalls of the function for {CALLERS:,} callers at once")
    for name in CONTENDERS:
        print(f"{name:<22}{await stampede(name):18,}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true")
    asyncio.run(main(3 if parser.parse_args().quick else 11))

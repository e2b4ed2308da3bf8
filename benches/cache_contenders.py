"""Caches to compare with, each as its documentation uses it. Needs the extra ``bench``."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import aiocache
import cachebox
import cachetools
import cashews
import moka_py
import theine
from benches.naive.cache import FirstLevel, HierarchicalCache

from meshaccel.cache import TagCache

HOUR = 3600.0

Get = Callable[[str], Any]
Set = Callable[[str, Any], Any]
SetTagged = Callable[[str, Any, Sequence[str]], Any]
Invalidate = Callable[[str], Any]


@dataclass(frozen=True)
class Contender:
    """A cache of some capacity. What it cannot do is None; an async one returns awaitables."""

    name: str
    get: Get
    set: Set
    set_tagged: SetTagged | None = None
    invalidate: Invalidate | None = None
    is_async: bool = False


def meshaccel(capacity: int) -> Contender:
    cache = TagCache[Any](capacity, ttl=HOUR)
    return Contender("TagCache", cache.get, cache.set, cache.set, cache.invalidate_by_tag)


def plain_dict(_capacity: int) -> Contender:
    cache: dict[str, Any] = {}
    return Contender("dict", cache.get, cache.__setitem__)


def functools_lru(capacity: int) -> Contender:
    filling: list[Any] = [None]
    cached = lru_cache(capacity)(lambda _key: filling[0])

    def fill(key: str, value: Any) -> None:
        filling[0] = value
        cached(key)

    return Contender("functools.lru_cache", cached, fill)


def brief(_capacity: int) -> Contender:
    cache = HierarchicalCache()
    return Contender(
        "the brief's class", cache.get, cache.set, cache.set, cache.invalidate_by_tag, is_async=True
    )


def brief_level1(_capacity: int) -> Contender:
    cache = FirstLevel()
    name = "the brief's, L1 only"
    return Contender(name, cache.get, cache.set, cache.set, cache.invalidate_by_tag, is_async=True)


def cachetools_lru(capacity: int) -> Contender:
    cache: Any = cachetools.LRUCache(capacity)
    return Contender("cachetools LRU", cache.get, cache.__setitem__)


def cachetools_ttl(capacity: int) -> Contender:
    cache: Any = cachetools.TTLCache(capacity, HOUR)
    return Contender("cachetools TTL", cache.get, cache.__setitem__)


def cachebox_lru(capacity: int) -> Contender:
    cache: Any = cachebox.LRUCache(capacity)
    return Contender("cachebox LRU", cache.get, cache.insert)


def cachebox_ttl(capacity: int) -> Contender:
    cache: Any = cachebox.TTLCache(capacity, HOUR)
    return Contender("cachebox TTL", cache.get, cache.insert)


def moka(capacity: int) -> Contender:
    cache: Any = moka_py.Moka(capacity, ttl=HOUR)
    return Contender("moka-py TTL", cache.get, cache.set)


def theine_tlfu(capacity: int) -> Contender:
    cache: Any = theine.Cache(capacity)
    return Contender("theine", cache.get, cache.set)


def cashews_memory(capacity: int) -> Contender:
    cache = cashews.Cache()
    cache.setup(f"mem://?size={capacity}&check_interval=3600")
    cache.register_tag("t0:{n}", "{n}")
    asyncio.get_event_loop().run_until_complete(cache.init())

    async def store(key: str, value: Any) -> None:
        await cache.set(key, value, expire=HOUR)

    async def store_tagged(key: str, value: Any, tags: Sequence[str]) -> None:
        await cache.set(key, value, expire=HOUR, tags=tags)

    return Contender("cashews", cache.get, store, store_tagged, cache.delete_tags, is_async=True)


def aiocache_memory(_capacity: int) -> Contender:
    cache: Any = aiocache.SimpleMemoryCache()
    return Contender("aiocache", cache.get, cache.set, is_async=True)


ALL: tuple[Callable[[int], Contender], ...] = (
    meshaccel,
    plain_dict,
    brief,
    brief_level1,
    functools_lru,
    cachebox_lru,
    cachebox_ttl,
    cachetools_lru,
    cachetools_ttl,
    moka,
    theine_tlfu,
    cashews_memory,
    aiocache_memory,
)

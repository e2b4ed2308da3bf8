"""Caching of derived values, with tags that say what each was derived from.

::

    cache = TagCache[Page](max_entries=10_000, ttl=60)
    page = cache.get("page:1")
    if page is None:
        with cache.flight() as flight:
            page = await read(...)  # what changes meanwhile is noted
            cache.set("page:1", page, ["agent:a", "agent:b"], since=flight)
    ...
    cache.invalidate_by_tag("agent:a")

Losing an entry is always safe. Keeping a stale one is not, hence the flight: a value that was
computed before one of its tags was invalidated is not stored after it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from meshaccel._native import Flight, TagCache
from meshaccel.cache.miss import MISS, Miss
from meshaccel.cache.stats import CacheStats

if TYPE_CHECKING:
    from meshaccel.cache.context import FetchContext
    from meshaccel.cache.counters import HierarchicalStats
    from meshaccel.cache.hierarchical import HierarchicalCache
    from meshaccel.cache.policy import CachePolicy

__all__ = [
    "MISS",
    "CachePolicy",
    "CacheStats",
    "FetchContext",
    "Flight",
    "HierarchicalCache",
    "HierarchicalStats",
    "Miss",
    "TagCache",
]

_HOMES = {
    "FetchContext": "context",
    "HierarchicalCache": "hierarchical",
    "HierarchicalStats": "counters",
    "CachePolicy": "policy",
}


def __getattr__(name: str) -> object:
    # Whoever takes the first level alone does not wait for asyncio.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value

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

from enum import Enum
from typing import Final, Literal

from meshaccel._native import Flight, TagCache
from meshaccel.cache.stats import CacheStats

__all__ = ["MISS", "CacheStats", "Flight", "Miss", "TagCache"]


class Miss(Enum):
    """The type of ``MISS``."""

    MISS = "MISS"


MISS: Final[Literal[Miss.MISS]] = Miss.MISS
"""A default for ``TagCache.get`` that is no value: tells a miss from a cached None."""

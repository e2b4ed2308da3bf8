"""The cache of the brief: two dicts, unbounded, without a time to live.

Corrected: the brief calls a ``set`` that it does not show, and both awaits its second level and
asks it with ``in``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

Fetch = Callable[[], Awaitable[Any]]


class FirstLevel:
    """The class with its second level left out."""

    def __init__(self) -> None:
        self.l1_cache: dict[str, Any] = {}
        self.tags: defaultdict[str, set[str]] = defaultdict(set)

    async def get(self, key: str, fetch_fn: Fetch | None = None) -> Any:
        if key in self.l1_cache:
            return self.l1_cache[key]
        if fetch_fn:
            value = await fetch_fn()
            await self.set(key, value)
            return value
        return None

    async def set(self, key: str, value: Any, tags: Iterable[str] = ()) -> None:
        self.l1_cache[key] = value
        for tag in tags:
            self.tags[tag].add(key)

    async def invalidate_by_tag(self, tag: str) -> None:
        for key in self.tags[tag]:
            self.l1_cache.pop(key, None)


class AsyncDict(dict[str, Any]):
    """The cheapest second level that can be awaited."""

    async def fetch(self, key: str) -> Any:
        return self[key]

    async def store(self, key: str, value: Any) -> None:
        self[key] = value

    async def delete(self, key: str) -> None:
        self.pop(key, None)


class HierarchicalCache(FirstLevel):
    """The class as it is written."""

    def __init__(self) -> None:
        super().__init__()
        self.l2_cache = AsyncDict()

    async def get(self, key: str, fetch_fn: Fetch | None = None) -> Any:
        if key in self.l1_cache:
            return self.l1_cache[key]
        if key in self.l2_cache:
            value = await self.l2_cache.fetch(key)
            self.l1_cache[key] = value
            return value
        return await super().get(key, fetch_fn)

    async def set(self, key: str, value: Any, tags: Iterable[str] = ()) -> None:
        await self.l2_cache.store(key, value)
        self.l1_cache[key] = value
        for tag in tags:
            self.tags[tag].add(key)

    async def invalidate_by_tag(self, tag: str) -> None:
        for key in self.tags[tag]:
            self.l1_cache.pop(key, None)
            await self.l2_cache.delete(key)

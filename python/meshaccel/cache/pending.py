"""Invalidations that a second level still has to be told of."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from meshaccel.cache.level2 import Level2, Version


@dataclass
class Pending:
    """Keys and tags that were invalidated while the store was away; bounded.

    Beyond the bound they become one: that everything was.
    """

    limit: int
    keys: set[str] = field(default_factory=set)
    tags: set[str] = field(default_factory=set)
    expired: set[str] = field(default_factory=set)
    cleared: bool = False

    def __len__(self) -> int:
        return len(self.keys) + len(self.tags) + len(self.expired) + self.cleared

    def add(
        self,
        *,
        keys: Iterable[str] = (),
        tags: Iterable[str] = (),
        expired: Iterable[str] = (),
        cleared: bool = False,
    ) -> bool:
        """Add some; return whether that was too much."""
        self.keys.update(keys)
        self.tags.update(tags)
        self.expired.update(expired)
        overflow = not self.cleared and len(self) > self.limit
        self.cleared = self.cleared or cleared or overflow
        if self.cleared:
            self.keys.clear()
            self.tags.clear()
            self.expired.clear()
        return overflow

    def merge(self, other: "Pending") -> None:
        """Add all of another."""
        self.add(keys=other.keys, tags=other.tags, expired=other.expired, cleared=other.cleared)

    async def replay(
        self, l2: Level2, tell: Callable[[Callable[[], Awaitable[Version]]], Awaitable[Version]]
    ) -> None:
        """Tell a store all of them. Telling one twice is harmless."""
        if self.cleared:
            await tell(l2.clear)
        if self.keys:
            await tell(lambda: l2.delete(sorted(self.keys)))
        if self.tags:
            await tell(lambda: l2.invalidate(sorted(self.tags)))
        if self.expired:
            await tell(lambda: l2.expire(sorted(self.expired)))

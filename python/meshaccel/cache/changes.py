"""Whatever makes values of a cache outdated, here or at another node.

The first level is changed twice: before, so that nothing old is served from the moment of the
call; and after the second level was, because in between an old value may have been read from
there. From when the call returns, no read that begins finds the old value here.
"""

import logging
from collections.abc import Awaitable, Sequence
from typing import Generic, TypeVar

from meshaccel.cache.arrivals import Wish
from meshaccel.cache.level2 import UNKNOWN, Invalidation, Version
from meshaccel.cache.parts import Parts

V = TypeVar("V")

logger = logging.getLogger("meshaccel.cache")


class Changes(Generic[V]):
    """Sets, deletes, invalidates and expires; tells other nodes, and listens to them."""

    def __init__(self, parts: Parts[V]) -> None:
        self._parts = parts
        self._first = parts.first
        self._second = parts.second

    async def set(self, key: str, value: V, wish: Wish) -> None:
        """Store a value as the newest."""
        arrivals, policy = self._parts.arrivals, wish.policy
        kept = arrivals.given(value, wish)
        self._first.delete([key])
        guard = self._first.guard()
        version = None
        try:
            if self._second.store is not None:
                entry = arrivals.entry(kept, wish.ttl, policy.kept, UNKNOWN)
                # A value that has no payload must not leave its predecessor there.
                version = await self._done(
                    "put",
                    self._second.store.delete([key])
                    if entry is None
                    else self._second.store.put(key, entry),
                )
            eager = 1.0 if policy.eager is None else policy.eager
            self._first.put(key, kept, guard, keep=policy.kept, eager=eager)
        except BaseException:
            self._first.delete([key])  # nobody knows which value the second level holds
            raise
        finally:
            guard.end()
        await self._tell(Invalidation(version or UNKNOWN, keys=(key,)))

    async def delete(self, keys: Sequence[str]) -> None:
        """Forget keys."""
        version = None
        self._first.delete(keys)
        try:
            if self._second.store is not None:
                version = await self._done("delete", self._second.store.delete(keys))
        finally:
            self._first.delete(keys)
        await self._tell(Invalidation(version or UNKNOWN, keys=tuple(keys)))

    async def invalidate(self, tags: Sequence[str]) -> int:
        """Let no value with one of these tags be served again; return how many were here."""
        version = None
        count = self._first.invalidate(tags)
        try:
            if self._second.store is not None:
                version = await self._done("invalidate", self._second.store.invalidate(tags))
        finally:
            count += self._first.invalidate(tags)
        await self._tell(Invalidation(version or UNKNOWN, tags=tuple(tags)))
        return count

    async def expire(self, tags: Sequence[str]) -> int:
        """Leave values with one of these tags to fail-safe; return how many were served here."""
        version = None
        count = self._first.expire(tags)
        try:
            if self._second.store is not None:
                version = await self._done("expire", self._second.store.expire(tags))
        finally:
            count += self._first.expire(tags)
        await self._tell(Invalidation(version or UNKNOWN, expired=tuple(tags)))
        return count

    async def clear(self) -> None:
        """Forget everything."""
        version = None
        self._first.clear()
        try:
            if self._second.store is not None:
                version = await self._done("clear", self._second.store.clear())
        finally:
            self._first.clear()
        await self._tell(Invalidation(version or UNKNOWN, cleared=True))

    def invalidated(self, invalidation: Invalidation) -> None:
        """Do as another node has done."""
        self._parts.counters.heard += 1
        if invalidation.cleared:
            self._first.clear()
        self._first.delete(invalidation.keys)
        if invalidation.tags:
            self._first.invalidate(invalidation.tags)
        if invalidation.expired:
            self._first.expire(invalidation.expired)

    def lost(self) -> None:
        """Drop all that may have been invalidated unheard; the second level knows.

        It is all that is here. What the second level still holds comes back from there, checked.
        """
        self._parts.counters.lost += 1
        self._first.clear()

    async def _done(self, what: str, operation: Awaitable[Version]) -> Version | None:
        return await self._second.attempt(what, operation)

    async def _tell(self, invalidation: Invalidation) -> None:
        backplane = self._parts.backplane
        if backplane is None:
            return
        try:
            await backplane.publish(invalidation)
        except Exception as error:
            self._parts.counters.backplane_errors += 1
            logger.warning("the other nodes could not be told: %s", error, exc_info=error)

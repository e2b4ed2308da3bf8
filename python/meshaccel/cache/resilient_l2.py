"""A second level that may fail without its cache noticing more than misses."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Final, NamedTuple, Self, TypeVar

from meshaccel.cache.circuit import Circuit, CircuitBreaker
from meshaccel.cache.level2 import UNKNOWN, Level2, Reading, StoredEntry, Version, Wanted
from meshaccel.cache.pending import Pending
from meshaccel.errors import CacheNameError, CacheOptionError, SecondLevelError

T = TypeVar("T")

log = logging.getLogger(__name__)

_RECOVERY_PAUSE_S: Final = 0.1
"""Between attempts to tell the store what is pending, at least."""


class ResilienceStats(NamedTuple):
    """Counts since it was made, and where it stands."""

    calls: int
    """Made to the store."""
    failures: int
    """Of those."""
    spared: int
    """Calls not made, as the circuit was open."""
    pending: int
    """Keys and tags the store is still to be told of."""
    replayed: int
    """Times that the store was told what was pending."""
    overflows: int
    """Times that too much was pending, so that everything is to be forgotten."""
    circuit: Circuit
    """Of the breaker."""


class ResilientL2:
    """Wraps a second level: no call raises ``SecondLevelError`` or takes longer than ``timeout``.

    While the store is away, reads find nothing and say that the present is ``UNKNOWN``, and
    writes are dropped. What is put, deleted, invalidated, expired or cleared is remembered, and
    the store is told before anything of it is believed again: a read that begins after
    ``invalidate`` returned never finds what was invalidated, whether or not the store was there.
    That holds for this object: what is pending is lost with the process, and other nodes
    can read what is stale until the store has been told. A task sees to that as soon as it can
    be reached.

    Args:
        l2: the store. It is closed with this.
        timeout: seconds for each call.
        breaker: when to leave the store alone; a default one if None.
        max_pending: how many keys and tags are remembered. Beyond that the whole store is to be
            cleared.

    Raises:
        CacheOptionError: an option is out of its range.
    """

    def __init__(
        self,
        l2: Level2,
        *,
        timeout: float = 1.0,
        breaker: CircuitBreaker | None = None,
        max_pending: int = 10_000,
    ) -> None:
        if timeout <= 0:
            raise CacheOptionError("timeout", "above 0", timeout)
        if max_pending < 1:
            raise CacheOptionError("max_pending", "at least 1", max_pending)
        self._l2 = l2
        self._timeout = timeout
        self._breaker = breaker or CircuitBreaker()
        self._max_pending = max_pending
        self._pending = Pending(max_pending)
        self._told = Pending(max_pending)
        self._replaying: asyncio.Task[None] | None = None
        self._recovery: asyncio.Task[None] | None = None
        self._calls = self._failures = self._spared = self._replayed = self._overflows = 0

    def stats(self) -> ResilienceStats:
        """Return what happened so far."""
        return ResilienceStats(
            self._calls,
            self._failures,
            self._spared,
            len(self._pending) + len(self._told),
            self._replayed,
            self._overflows,
            self._breaker.state,
        )

    async def read(self, wanted: Sequence[Wanted]) -> Reading:
        """Look up entries; find none, at a moment unknown, if the store is away."""
        try:
            return await self._call(lambda: self._l2.read(wanted))
        except SecondLevelError:
            return Reading(UNKNOWN, (None,) * len(wanted))

    async def write(self, key: str, entry: StoredEntry) -> bool:
        """Store an entry; drop it if the store is away. False only if the store refused it."""
        if entry.version == UNKNOWN:
            return False
        try:
            return await self._call(lambda: self._l2.write(key, entry))
        except SecondLevelError:
            return True

    async def put(self, key: str, entry: StoredEntry) -> Version:
        """Store an entry; if the store is away, see to it that it forgets the key."""
        return await self._change(lambda: self._l2.put(key, entry), keys=[key])

    async def delete(self, keys: Sequence[str]) -> Version:
        """Forget keys, now or before anything else is read."""
        return await self._change(lambda: self._l2.delete(keys), keys=keys)

    async def invalidate(self, tags: Sequence[str]) -> Version:
        """Let no entry with one of these tags be served again."""
        return await self._change(lambda: self._l2.invalidate(tags), tags=tags)

    async def expire(self, tags: Sequence[str]) -> Version:
        """Let entries with one of these tags be served by fail-safe only."""
        return await self._change(lambda: self._l2.expire(tags), expired=tags)

    async def clear(self) -> Version:
        """Forget everything."""
        return await self._change(self._l2.clear, cleared=True)

    async def close(self) -> None:
        """Try once more to tell what is pending, then close the store."""
        if self._recovery is not None:
            self._recovery.cancel()
            await asyncio.gather(self._recovery, return_exceptions=True)
        try:
            await self._caught_up()
        except SecondLevelError:
            log.warning("closed before the store was told of %d invalidations", len(self._pending))
        await self._l2.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def _change(
        self,
        make: Callable[[], Awaitable[Version]],
        *,
        keys: Sequence[str] = (),
        tags: Sequence[str] = (),
        expired: Sequence[str] = (),
        cleared: bool = False,
    ) -> Version:
        for role, names in (("key", keys), ("tag", tags), ("tag", expired)):
            for name in names:
                if type(name) is not str:
                    raise CacheNameError(role, type(name).__name__)
        try:
            return await self._call(make)
        except BaseException as error:
            # Also if the caller was cancelled: whether it happened is not known.
            if self._pending.add(keys=keys, tags=tags, expired=expired, cleared=cleared):
                self._overflows += 1
                log.warning("more than %d invalidations are pending", self._max_pending)
            if self._recovery is None:
                self._recovery = asyncio.create_task(self._recover())
            if not isinstance(error, SecondLevelError):
                raise
            return UNKNOWN

    async def _call(self, make: Callable[[], Awaitable[T]]) -> T:
        await self._caught_up()
        return await self._attempt(make)

    async def _attempt(self, make: Callable[[], Awaitable[T]]) -> T:
        breaker = self._breaker
        if not breaker.enter():
            self._spared += 1
            raise SecondLevelError("the store failed lately and is left alone")
        self._calls += 1
        try:
            async with asyncio.timeout(self._timeout):
                result = await make()
        except (SecondLevelError, TimeoutError) as error:
            self._failures += 1
            breaker.failed()
            if breaker.state is not Circuit.CLOSED:
                log.warning("the second level fails (%r): trying again later", error)
            raise SecondLevelError(f"{type(error).__name__}: {error}") from error
        except BaseException:
            breaker.given_up()
            raise
        if breaker.state is not Circuit.CLOSED:
            log.info("the second level answers again")
        breaker.succeeded()
        return result

    async def _caught_up(self) -> None:
        """Return once the store has been told all that is pending; raise if it cannot be."""
        while self._is_behind:
            if self._replaying is None:
                self._replaying = asyncio.create_task(self._replay())
                self._replaying.add_done_callback(_forget_outcome)
            # Who is cancelled meanwhile takes nobody along.
            await asyncio.shield(self._replaying)

    @property
    def _is_behind(self) -> bool:
        return bool(self._pending) or self._replaying is not None

    async def _replay(self) -> None:
        self._told, self._pending = self._pending, Pending(self._max_pending)
        try:
            await self._told.replay(self._l2, self._attempt)
        except BaseException:
            self._pending.merge(self._told)
            raise
        finally:
            self._told = Pending(self._max_pending)
            self._replaying = None
        self._replayed += 1

    async def _recover(self) -> None:
        try:
            while self._is_behind:
                await asyncio.sleep(max(self._breaker.retry_in, _RECOVERY_PAUSE_S))
                try:
                    await self._caught_up()
                except SecondLevelError as error:
                    log.debug("the store cannot be told yet: %s", error)
        finally:
            self._recovery = None


def _forget_outcome(replaying: asyncio.Task[None]) -> None:
    # Those who waited know it; perhaps all of them were cancelled.
    if not replaying.cancelled():
        replaying.exception()

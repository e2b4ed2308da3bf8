"""A second level that may fail without anything being served that was invalidated meanwhile."""

import asyncio
import logging
import os
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import Context
from types import TracebackType
from typing import Any, Final, NamedTuple, Self, TypeVar

from meshaccel.cache.level2 import UNKNOWN, Level2, Reading, StoredEntry, Version, Wanted
from meshaccel.cache.pending import Pending
from meshaccel.errors import CacheNameError, CacheOptionError, ResilienceError, SecondLevelError
from meshaccel.resilience import (
    ONCE,
    Breaker,
    CircuitBreaker,
    ErrorHandlingMiddleware,
    OperationStats,
)

T = TypeVar("T")

log = logging.getLogger(__name__)

READ: Final = "cache.l2.read"
"""The operation that reads are, to the error handling."""

WRITE: Final = "cache.l2.write"
"""The operation that everything else is."""

_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 2.0
"""Between attempts to tell the store what is pending."""


class ResilienceStats(NamedTuple):
    """Counts since it was made, and where it stands."""

    operations: Mapping[str, OperationStats]
    """``cache.l2.read`` and ``cache.l2.write``, with the state of the breaker."""
    pending: int
    """Keys and tags the store is still to be told of."""
    replayed: int
    """Times that the store was told what was pending."""
    overflows: int
    """Times that too much was pending, so that everything is to be forgotten."""


class ResilientL2:
    """Wraps a second level: nothing asked of it is forgotten, and nobody waits long for it.

    What is put, deleted, invalidated, expired or cleared while the store is away is remembered,
    and the store is told before it is asked anything else: a read that begins after
    ``invalidate`` has ended never finds what was invalidated, whether or not the store was there,
    and whether it ended with a version, an error or a cancellation. That holds for this object:
    what is pending is lost with the process, and other nodes can read what is stale until the
    store has been told. A task sees to that as soon as it can be reached.

    Calls raise ``SecondLevelError`` while the store is away, soon if it failed lately.
    ``HierarchicalCache`` wraps its second level by itself; do it for other options than these.
    It may be used from any loop and thread that the store may be used from.

    Args:
        l2: the store. It is closed with this.
        timeout: seconds for each call.
        breaker: when to leave the store alone; by default for half a second, after half of the
            calls of the last 3 s have failed, if there were three.
        errors: error handling that knows the operations ``cache.l2.read`` and ``cache.l2.write``,
            and ``breaker`` is not used then; one of its own if None.
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
        breaker: Breaker | None = None,
        errors: ErrorHandlingMiddleware | None = None,
        max_pending: int = 10_000,
    ) -> None:
        if not timeout > 0:
            raise CacheOptionError("timeout", "above 0", timeout)
        if max_pending < 1:
            raise CacheOptionError("max_pending", "at least 1", max_pending)
        self._l2 = l2
        self._timeout = timeout
        self._errors = _handling(breaker) if errors is None else errors
        self._max_pending = max_pending
        self._pending = Pending(max_pending)
        self._told = Pending(max_pending)
        """What is being told."""
        self._replaying: asyncio.Task[None] | None = None
        self._recovery: asyncio.Task[None] | None = None
        self._process = os.getpid()
        self._replayed = self._overflows = 0

    def stats(self) -> ResilienceStats:
        """Return what happened so far."""
        return ResilienceStats(
            {
                name: operation
                for name, operation in self._errors.stats().items()
                if name in {READ, WRITE}
            },
            len(self._pending) + len(self._told),
            self._replayed,
            self._overflows,
        )

    async def read(self, wanted: Sequence[Wanted]) -> Reading:
        """Look up entries."""
        if self._is_behind:
            await self._catch_up()
        return await self._call(READ, self._l2.read, wanted)

    async def write(self, key: str, entry: StoredEntry) -> bool:
        """Store an entry; False only if the store refused it."""
        if entry.version == UNKNOWN:
            return False
        if self._is_behind:
            await self._catch_up()
        return await self._call(WRITE, self._l2.write, key, entry)

    async def put(self, key: str, entry: StoredEntry) -> Version:
        """Store an entry; if that fails, see to it that the store forgets the key."""
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
        recovery = self._recovery
        if recovery is not None and recovery.get_loop() is asyncio.get_running_loop():
            recovery.cancel()
            await asyncio.gather(recovery, return_exceptions=True)
        try:
            await self._catch_up()
        except SecondLevelError:
            log.warning("closed before the store was told of %d invalidations", len(self._pending))
        finally:
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
            if self._is_behind:
                await self._catch_up()
            return await self._tell(make)
        except BaseException:
            # Also if the caller was cancelled: whether it happened is not known.
            self._remember(keys=keys, tags=tags, expired=expired, cleared=cleared)
            self._see_to_it()
            raise

    def _remember(self, **what: Any) -> None:
        while True:
            pending = self._pending
            if pending.add(**what):
                self._overflows += 1
                log.warning("more than %d invalidations are pending", self._max_pending)
            # In another thread they may just have begun to be told, without this.
            if pending is self._pending:
                return

    async def _tell(self, make: Callable[[], Awaitable[Version]]) -> Version:
        version = await self._call(WRITE, make)
        if not isinstance(version, Version):  # what a handler returned in place of the store
            raise SecondLevelError("the store was not told")
        return version

    async def _call(self, operation: str, make: Callable[..., Awaitable[T]], *given: Any) -> T:
        try:
            return await self._errors.run(operation, self._in_time, make, given)
        except (ResilienceError, TimeoutError) as error:
            raise SecondLevelError(f"{type(error).__name__}: {error}") from error

    async def _in_time(self, make: Callable[..., Awaitable[T]], given: Sequence[Any]) -> T:
        # Here it costs half of what it does as a limit of the policy.
        async with asyncio.timeout(self._timeout):
            return await make(*given)

    @property
    def _is_behind(self) -> bool:
        return self._replaying is not None or bool(self._pending) or bool(self._told)

    async def _catch_up(self) -> None:
        """Return once the store has been told all that is pending; raise if it cannot be."""
        while True:
            replaying = self._replaying
            if replaying is None or replaying.done() or not self._runs(replaying):
                self._replaying = None
                if not self._is_behind:
                    return
                # Not in the context of who happens to be first: its deadline is its own.
                replaying = asyncio.create_task(self._replay(), context=Context())
                replaying.add_done_callback(_forget_outcome)
                self._replaying = replaying
                self._process = os.getpid()
            elif replaying.get_loop() is not asyncio.get_running_loop():
                raise SecondLevelError("another event loop is telling the store what is pending")
            # Who is cancelled meanwhile takes nobody along.
            await asyncio.shield(replaying)

    def _runs(self, task: asyncio.Task[None]) -> bool:
        """Whether a task may ever end: its loop may have stopped, or be that of the parent."""
        return task.get_loop().is_running() and self._process == os.getpid()

    async def _replay(self) -> None:
        self._pending.merge(self._told)  # of a loop that has stopped
        told = self._told = self._pending
        self._pending = Pending(self._max_pending)
        try:
            await told.replay(self._l2, self._tell)
        except BaseException:
            self._pending.merge(told)
            raise
        finally:
            if self._told is told:
                self._told = Pending(self._max_pending)
            if self._replaying is asyncio.current_task():
                self._replaying = None
        self._replayed += 1

    def _see_to_it(self) -> None:
        recovery = self._recovery
        if recovery is None or recovery.done() or not self._runs(recovery):
            self._process = os.getpid()
            self._recovery = asyncio.create_task(self._recover(), context=Context())

    async def _recover(self) -> None:
        pause = _FIRST_PAUSE_S
        while self._is_behind:
            await asyncio.sleep(pause * random.uniform(0.75, 1.25))  # noqa: S311 - no secret
            try:
                await self._catch_up()
            except Exception as error:  # noqa: BLE001 - a store is another's code; it goes on
                log.debug("the store cannot be told yet: %s", error)
            pause = min(2 * pause, _LONGEST_PAUSE_S)


def _handling(breaker: Breaker | None) -> ErrorHandlingMiddleware:
    if breaker is None:
        # A short window: each call waits for its timeout until what went well before is out of it.
        breaker = CircuitBreaker(
            failure_rate=0.5, min_calls=3, window_s=3.0, open_s=0.5, name="the second level"
        )
    errors = ErrorHandlingMiddleware()
    for operation in (READ, WRITE):
        errors.policy(operation, ONCE, breaker=breaker)
    return errors


def _forget_outcome(replaying: asyncio.Task[None]) -> None:
    # Those who waited know it; perhaps all of them were cancelled.
    if not replaying.cancelled():
        replaying.exception()

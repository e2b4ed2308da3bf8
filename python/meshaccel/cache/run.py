"""One fetch of one key, from its start to its end."""

import asyncio
import inspect
from typing import Generic, TypeVar

from meshaccel.cache.arrivals import Wish
from meshaccel.cache.context import FetchContext, Fetcher, call
from meshaccel.cache.fetches import Fetch, Outcome
from meshaccel.cache.first_level import Failed, Kept
from meshaccel.cache.level2 import UNKNOWN, StoredEntry, Version, Wanted
from meshaccel.cache.parts import Parts
from meshaccel.errors import FetchCancelledError, FetchTimeoutError

V = TypeVar("V")


class Run(Generic[V]):
    """Asks the second level, then the function, and stores what they say.

    It runs in a task of its own, so no caller's cancellation ends it for the others.

    Args:
        parts: The cache.
        fetch: Whom to tell. The guard in it was made before anything is read.
        function: Fetches the value.
        wish: What its first caller said.
        enough: Seconds that an entry of the second level must have left to count.
    """

    def __init__(
        self, parts: Parts[V], fetch: Fetch[V], function: Fetcher[V], wish: Wish, *, enough: float
    ) -> None:
        self._parts = parts
        self._fetch = fetch
        self._function = function
        self._wish = wish
        self._enough = enough
        self._outcome = Outcome(again=True)
        self._entry: StoredEntry | None = None

    async def __call__(self) -> None:
        """Run it. Whatever happens, those who wait are told."""
        try:
            await self._obtain()
            if self._entry is not None:
                # The value is there: whether they go on waiting makes no difference to it.
                self._fetch.in_background = True
                if self._parts.background_writes:
                    self._end()
                await self._write(self._entry)
        except Exception as error:  # noqa: BLE001 - it is raised in those who wait
            self._outcome = Outcome(error=error, trace=error.__traceback__)
        finally:
            self._end()

    def _end(self) -> None:
        self._parts.fetches.discard(self._fetch)
        self._fetch.settle(self._outcome)
        self._fetch.guard.end()

    async def _obtain(self) -> None:
        fetch, parts = self._fetch, self._parts
        old = self._known()
        version = UNKNOWN
        if parts.second.store is not None:
            wanted = Wanted(fetch.key, tuple(fetch.tags))
            version, (entry,) = await parts.second.find([wanted])
            if version != UNKNOWN:
                old = self._promote(entry)
                if self._outcome.found:
                    return
        context = FetchContext(fetch.key, fetch.tags, self._wish.ttl, old)
        try:
            value = await self._called(context, old)
        except Exception as error:  # noqa: BLE001 - it is raised in those who wait
            self._outcome = parts.arrivals.failed(fetch, error, old, self._wish)
            return
        self._accept(value, context, version)

    def _known(self) -> Kept[V] | None:
        old = self._parts.first.find_old(self._fetch.key)
        return None if isinstance(old, Failed) else old

    def _promote(self, entry: StoredEntry | None) -> Kept[V] | None:
        """Take what the second level has; return what of it is old.

        What it does not have was maybe invalidated by another node, so nor do we any more.
        """
        fetch, parts = self._fetch, self._parts
        kept = None
        if entry is not None:
            kept = parts.arrivals.promote(fetch.key, entry, self._wish, fetch.guard)
        if kept is None:
            parts.counters.l2_misses += 1
            parts.first.forget_old(fetch.key)
            return None
        now = parts.clock.monotonic()
        outdated = fetch.guard.outdated(kept.tags, fetch.key)
        found = Outcome(kept.value, found=True, outdated=outdated)
        if kept.left(now) > self._enough:
            parts.counters.l2_hits += 1
            self._outcome = found
        else:
            parts.counters.l2_misses += 1
            if kept.stale(self._wish.policy, now) or kept.left(now) > 0:
                parts.counters.stale += 1
                fetch.release(found)
        return kept

    async def _called(self, context: FetchContext[V], old: Kept[V] | None) -> V:
        """Call the function, within its time.

        Raises:
            FetchTimeoutError: It took too long.
            FetchCancelledError: It was cancelled, but not by us.
        """
        parts, policy = self._parts, self._wish.policy
        parts.counters.fetches += 1
        timer = None
        if policy.soft_timeout is not None and old is not None:
            loop = asyncio.get_running_loop()
            timer = loop.call_later(policy.soft_timeout, self._lose_patience, old)
        limit = asyncio.timeout(policy.hard_timeout)
        try:
            async with limit:
                answer = call(self._function, context)
                return await answer if inspect.isawaitable(answer) else answer
        except TimeoutError as error:
            if not limit.expired():
                raise
            parts.counters.timeouts += 1
            raise FetchTimeoutError(context.key, policy.hard_timeout or 0.0) from error
        except asyncio.CancelledError as error:
            if cancelled_from_outside():
                raise
            raise FetchCancelledError(context.key) from error
        finally:
            if timer is not None:
                timer.cancel()

    def _lose_patience(self, old: Kept[V]) -> None:
        fetch, now = self._fetch, self._parts.clock.monotonic()
        if old.spare(self._wish.policy, now) and not fetch.guard.forbidden(old.tags, fetch.key):
            self._parts.counters.stale += 1
            outdated = fetch.guard.outdated(old.tags, fetch.key)
            fetch.release(Outcome(old.value, found=True, outdated=outdated))

    def _accept(self, value: V, context: FetchContext[V], version: Version) -> None:
        arrivals = self._parts.arrivals
        self._parts.counters.not_modified += context.renewed
        self._outcome, self._entry = arrivals.fetched(
            self._fetch, value, context, self._wish, version
        )

    async def _write(self, entry: StoredEntry) -> None:
        """Write to the second level; it may know better."""
        key = self._fetch.key
        if not await self._parts.second.write(key, entry):
            self._parts.first.delete([key])
            self._outcome = self._outcome._replace(outdated=True)


def cancelled_from_outside() -> bool:
    """Whether somebody asked this task to end, or else something that it awaited did."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0

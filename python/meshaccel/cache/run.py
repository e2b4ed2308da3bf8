"""Fetching some keys, from the start to the end."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from meshaccel.cache.arrivals import Wish
from meshaccel.cache.context import FetchContext
from meshaccel.cache.fetches import Fetch, Outcome
from meshaccel.cache.first_level import Failed, Kept
from meshaccel.cache.level2 import UNKNOWN, StoredEntry, Version, Wanted
from meshaccel.cache.parts import Parts
from meshaccel.errors import FetchCancelledError, FetchTimeoutError

V = TypeVar("V")

Source = Callable[[Sequence[FetchContext[V]]], Awaitable[Mapping[str, V]]]
"""Fetches the values of some keys; those that it leaves out do not exist."""


@dataclass(slots=True, eq=False)
class Job(Generic[V]):
    """One of the keys."""

    fetch: Fetch[V]
    old: Kept[V] | None
    outcome: Outcome = Outcome(again=True)  # noqa: RUF009 - nobody can change it
    """What those who wait are told if the run is broken off."""
    entry: StoredEntry | None = None
    """To be written to the second level."""
    ended: bool = False


class Run(Generic[V]):
    """Asks the second level, then the source, and stores what they say.

    It runs in a task of its own, so the cancellation of a caller does not end it for others.

    Args:
        parts: The cache.
        fetches: Whom to tell. Their guards were made before anything is read.
        source: Fetches what the second level does not have.
        wish: What the first caller said.
        enough: Seconds that an entry of the second level must have left to count.
    """

    def __init__(
        self,
        parts: Parts[V],
        fetches: Sequence[Fetch[V]],
        source: Source[V],
        wish: Wish,
        *,
        enough: float,
    ) -> None:
        self._parts = parts
        self._jobs = [Job(fetch, self._known(fetch.key)) for fetch in fetches]
        self._source = source
        self._wish = wish
        self._enough = enough
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in a task of the running loop."""
        name = f"fetch {described([job.fetch.key for job in self._jobs])}"
        self._task = self._parts.tasks.start(self._run(), name)
        # A loop that ends cancels its tasks, even before their first step.
        self._task.add_done_callback(self._end_all)
        for job in self._jobs:
            job.fetch.stop = self._stop

    def _stop(self) -> None:
        """Break off if nobody waits for any of the keys."""
        if self._task is not None and all(job.ended or job.fetch.abandoned for job in self._jobs):
            self._task.cancel()

    async def _run(self) -> None:
        try:
            version = await self._promote()
            missing = [job for job in self._jobs if not job.ended]
            if missing:
                await self._fetch(missing, version)
        except Exception as error:  # noqa: BLE001 - it is raised in those who wait
            for job in self._jobs:
                job.outcome = Outcome(error=error, trace=error.__traceback__)
        finally:
            self._end_all()

    def _end_all(self, _: object = None) -> None:
        for job in self._jobs:
            self._end(job)

    def _end(self, job: Job[V]) -> None:
        if not job.ended:
            job.ended = True
            fetch = job.fetch
            self._parts.fetches.discard(fetch)
            # Since it was judged, it may have been written, and others have joined.
            outdated = job.outcome.outdated or fetch.guard.outdated(fetch.tags, fetch.key)
            fetch.settle(job.outcome._replace(outdated=outdated))
            fetch.guard.end()

    def _known(self, key: str) -> Kept[V] | None:
        old = self._parts.first.find_old(key)
        return None if isinstance(old, Failed) else old

    async def _promote(self) -> Version:
        """Take what the second level has."""
        if self._parts.second.store is None:
            return UNKNOWN
        wanted = [Wanted(job.fetch.key, tuple(job.fetch.tags)) for job in self._jobs]
        version, entries = await self._parts.second.find(wanted)
        if version != UNKNOWN:
            for job, entry in zip(self._jobs, entries, strict=True):
                self._judge(job, entry)
        return version

    def _judge(self, job: Job[V], entry: StoredEntry | None) -> None:
        fetch, parts, old = job.fetch, self._parts, job.old
        job.old = None
        if entry is not None:
            job.old = parts.arrivals.promote(fetch.key, entry, self._wish, fetch.guard)
        if job.old is None:
            parts.counters.l2_misses += 1
            if old is not None:  # another node may have invalidated it
                old.forget()
            return
        fetch.tags = job.old.tags
        if fetch.patient and job.old.expired and entry is not None and not entry.expired:
            # Something changed while the store was asked, or a backplane began to listen. The
            # store knows by now whether the entry still counts: asking again costs a trip, not a
            # call of the function.
            job.outcome = Outcome(again=True)
            self._end(job)
            return
        now = parts.clock.monotonic()
        left = job.old.left(now)
        outdated = fetch.guard.outdated(job.old.tags, fetch.key)
        found = Outcome(job.old.value, found=True, outdated=outdated)
        if left > self._enough:
            parts.counters.l2_hits += 1
            job.outcome = found
            self._end(job)
            return
        parts.counters.l2_misses += 1
        if left > 0:
            fetch.release(found)
        elif job.old.stale(self._wish.policy, now):
            parts.counters.stale += fetch.release(found)

    async def _fetch(self, jobs: list[Job[V]], version: Version) -> None:
        ttl = self._wish.ttl
        contexts = [FetchContext(job.fetch.key, job.fetch.asked, ttl, job.old) for job in jobs]
        self._parts.counters.fetches += 1
        try:
            values = await self._called(jobs, contexts)
        except Exception as error:  # noqa: BLE001 - it is raised in those who wait
            self._parts.counters.fetch_errors += 1
            for job in jobs:
                job.outcome = self._parts.arrivals.failed(job.fetch, error, job.old, self._wish)
            return
        for job, context in zip(jobs, contexts, strict=True):
            self._accept(job, context, values, version)
        if writes := [job for job in jobs if job.entry is not None]:
            await self._write(writes)

    async def _called(
        self, jobs: list[Job[V]], contexts: Sequence[FetchContext[V]]
    ) -> Mapping[str, V]:
        """Call the source, within its time.

        Raises:
            FetchTimeoutError: It took too long.
            FetchCancelledError: It was cancelled, but not by us.
        """
        policy = self._wish.policy
        timer = None
        if policy.soft_timeout is not None and any(job.old is not None for job in jobs):
            loop = asyncio.get_running_loop()
            timer = loop.call_later(policy.soft_timeout, partial(self._lose_patience, jobs))
        limit = asyncio.timeout(policy.hard_timeout)
        try:
            async with limit:
                return await self._source(contexts)
        except TimeoutError as error:
            if not limit.expired():
                raise
            self._parts.counters.timeouts += 1
            keys = described([job.fetch.key for job in jobs])
            raise FetchTimeoutError(keys, policy.hard_timeout or 0.0) from error
        except asyncio.CancelledError as error:
            if self._task is not None and self._task.cancelling():
                raise
            keys = described([job.fetch.key for job in jobs])
            raise FetchCancelledError(keys) from error
        finally:
            if timer is not None:
                timer.cancel()

    def _lose_patience(self, jobs: list[Job[V]]) -> None:
        now = self._parts.clock.monotonic()
        for job in jobs:
            old, fetch = job.old, job.fetch
            if old is None or not old.spare(self._wish.policy, now):
                continue
            if not fetch.guard.forbidden(old.tags, fetch.key):
                outdated = fetch.guard.outdated(old.tags, fetch.key)
                patience = Outcome(old.value, found=True, outdated=outdated)
                self._parts.counters.stale += fetch.release(patience)

    def _accept(
        self, job: Job[V], context: FetchContext[V], values: Mapping[str, V], version: Version
    ) -> None:
        if context.key not in values:
            outdated = job.fetch.guard.outdated(job.fetch.tags, context.key)
            job.outcome = Outcome(outdated=outdated)
            return
        self._parts.counters.not_modified += context.renewed
        try:
            job.outcome, job.entry = self._parts.arrivals.fetched(
                job.fetch, values[context.key], context, self._wish, version
            )
        except Exception as error:  # noqa: BLE001 - of `freeze` or a codec; other keys are fine
            job.outcome = Outcome(error=error, trace=error.__traceback__)
            return
        # The value is there: whether anyone goes on waiting makes no difference to it.
        job.fetch.in_background = True

    async def _write(self, jobs: list[Job[V]]) -> None:
        """Write to the second level, which may know better."""
        if self._parts.background_writes:
            for job in self._jobs:
                self._end(job)
        written = await asyncio.gather(
            *(self._parts.second.write(job.fetch.key, job.entry) for job in jobs if job.entry)
        )
        for job, taken in zip(jobs, written, strict=True):
            if not taken and not job.outcome.outdated:  # or it is not in the first level
                self._parts.first.delete([job.fetch.key])
                job.outcome = job.outcome._replace(outdated=True)


def described(keys: Sequence[str]) -> str:
    """Name some keys in one line."""
    return keys[0] if len(keys) == 1 else f"{keys[0]} and {len(keys) - 1} others"

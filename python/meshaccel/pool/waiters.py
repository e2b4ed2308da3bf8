"""The bounded queue of those who wait for a connection."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meshaccel.pool.jobs import Job

if TYPE_CHECKING:
    from meshaccel.pool.slot import Keeper, Slot


@dataclass(eq=False, slots=True)
class Waiter:
    """Someone who waits for a connection of their own."""

    future: "asyncio.Future[Slot]"
    queued: float
    deadline: float = float("inf")
    timeout: float = 0.0


Entry = Waiter | Job
"""Who waits: for a connection, or only for the outcome of work on one."""


class Waiting:
    """First come, first served.

    Entries are taken by the event loop and by the workers' threads, which go on with the next
    job without asking the loop. Whoever takes an entry out owns it: a timeout or a cancellation
    that does not find its entry any more comes too late to take it back. All operations are
    O(1), and each touches the queue in one call, which makes it atomic.

    Args:
        loop: where the timeouts are kept.
        on_timeout: makes the error of an entry that waited too long.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, on_timeout: Callable[[float], Exception]
    ) -> None:
        self._loop = loop
        self._on_timeout = on_timeout
        self._entries: OrderedDict[Entry, None] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        self._refusal: Callable[[], BaseException] | None = None
        self.cancelled = 0

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: Entry, timeout: float | None) -> None:
        """Queue an entry, for ``timeout`` seconds or for ever."""
        if timeout is not None:
            entry.timeout = timeout
            entry.deadline = self._loop.time() + timeout
            self._watch(entry)
        self._entries[entry] = None

    def put_back(self, entry: Entry) -> None:
        """Queue an entry that was taken out but could not be served, before all others."""
        if self._refusal is not None:
            # It was in a worker's hands when the others were sent away.
            fail(entry.future, self._refusal())
            return
        self._watch(entry)
        self._entries[entry] = None
        self._entries.move_to_end(entry, last=False)

    def pop(self) -> Entry | None:
        """Take out the first entry; from any thread."""
        if not self._entries:
            return None
        try:
            return self._entries.popitem(last=False)[0]
        except KeyError:  # another thread was faster
            return None

    def discard(self, entry: Entry) -> bool:
        """Take out ``entry``; return whether it was still there."""
        try:
            del self._entries[entry]
        except KeyError:
            return False
        return True

    def oldest(self) -> Entry | None:
        """Return the first entry, without taking it out."""
        with suppress(RuntimeError):  # a worker took it out between two looks
            return next(iter(self._entries), None)
        return None

    def fail_all(self, error: Callable[[], BaseException]) -> None:
        """Send everyone away."""
        while (entry := self.pop()) is not None:
            fail(entry.future, error())
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def shut(self, error: Callable[[], BaseException]) -> None:
        """Send everyone away, and whoever is put back later."""
        self._refusal = error
        self.fail_all(error)

    def _watch(self, entry: Entry) -> None:
        # One timer for all: timeouts are mostly equal, so the first is the next to expire.
        if entry.deadline < (self._timer.when() if self._timer else float("inf")):
            self._arm(entry.deadline)

    def _arm(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline, self._expire)

    def _expire(self) -> None:
        self._timer = None
        now = self._loop.time()
        next_deadline = float("inf")
        for entry in self._entries.copy():
            if entry.deadline > now:
                next_deadline = min(entry.deadline, next_deadline)
            elif self.discard(entry):
                fail(entry.future, self._on_timeout(entry.timeout))
        if next_deadline < float("inf"):
            self._arm(next_deadline)


def fail(future: "asyncio.Future[Any]", error: BaseException) -> None:
    """Set an exception, unless the future is settled or its task gone."""
    if not future.done():
        future.set_exception(error)


async def handed_over(waiter: Waiter, waiting: Waiting, keeper: "Keeper") -> "Slot":
    """Wait for a connection; cancelled, leave the queue, or give back what came too late."""
    try:
        return await waiter.future
    except asyncio.CancelledError:
        waiting.cancelled += 1
        future = waiter.future
        if not waiting.discard(waiter) and not future.cancelled() and not future.exception():
            # It was handed over, and the cancellation came before the task woke up.
            keeper.give_back(future.result())
        raise

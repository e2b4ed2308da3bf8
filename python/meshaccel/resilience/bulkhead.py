"""A bound on calls at the same time."""

import asyncio
from collections import deque
from contextlib import suppress

from meshaccel.errors import BulkheadFullError, PolicyError


class Bulkhead:
    """Lets a number of calls run at once and, if told so, some wait for their turn.

    Waiting coroutines are served first come, first served; nobody overtakes them. Threads never
    wait. Coroutines of several loops and threads may share one.

    Args:
        limit: calls at the same time.
        max_waiting: coroutines that may wait; a further one is turned away at once.
        name: what messages call it.
    """

    def __init__(self, limit: int, *, max_waiting: int = 0, name: str = "the bulkhead") -> None:
        if limit < 1 or max_waiting < 0:
            raise PolicyError(f"no call could be made: limit {limit}, max_waiting {max_waiting}")
        self.limit = limit
        """How many may run."""
        self._max_waiting = max_waiting
        self._name = name
        # Taking one is a single step of a deque, which no other thread can cut in two.
        self._permits = deque([None] * limit)
        self._waiters: deque[asyncio.Future[None]] = deque()

    @property
    def in_use(self) -> int:
        """How many calls run now."""
        return self.limit - len(self._permits)

    @property
    def waiting(self) -> int:
        """How many coroutines wait."""
        return len(self._waiters)

    def try_enter(self) -> bool:
        """Let a call run if there is room."""
        try:
            self._permits.pop()
        except IndexError:
            return False
        return True

    async def enter(self, within_s: float | None) -> None:
        """Let a call run, now or within so many seconds.

        Raises:
            BulkheadFullError: there was no room, and none to wait either.
        """
        if self.try_enter():
            return
        if len(self._waiters) >= self._max_waiting:
            raise BulkheadFullError(
                f"{self._name} is full: {self.limit} run and {len(self._waiters)} wait"
            )
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        if self.try_enter():  # a thread left in between, and saw nobody wait
            self._give_up(waiter)
            return
        try:
            async with asyncio.timeout(within_s) as scope:
                await waiter
        except BaseException as error:
            self._give_up(waiter)
            if isinstance(error, TimeoutError) and scope.expired():
                raise BulkheadFullError(
                    f"{self._name} was full for {within_s:.3g} s: {self.limit} run"
                ) from None
            raise

    def leave(self) -> None:
        """End a call that was let in."""
        # First the permit, then the look, and who waits does it the other way round: so one of
        # two threads sees the other.
        self._permits.append(None)
        if self._waiters:
            self._serve()

    def _serve(self) -> None:
        """Let in who waits first, if there is room."""
        while (waiter := self._first()) is not None:
            loop = waiter.get_loop()
            if not waiter.done() and not loop.is_closed():
                if loop is not asyncio._get_running_loop():  # noqa: SLF001
                    # Only its own loop may wake a coroutine. Until then the permit is free.
                    with suppress(RuntimeError):  # it was closed just now: nobody waits there
                        loop.call_soon_threadsafe(self._serve)
                    return
                if not self.try_enter():
                    return
                self._waiters.remove(waiter)
                waiter.set_result(None)
                return
            with suppress(ValueError):
                self._waiters.remove(waiter)

    def _first(self) -> "asyncio.Future[None] | None":
        try:
            return self._waiters[0]
        except IndexError:
            return None

    def _give_up(self, waiter: "asyncio.Future[None]") -> None:
        if waiter.done() and not waiter.cancelled():
            self.leave()  # it was let in, in the moment it stopped waiting
            return
        with suppress(ValueError):
            self._waiters.remove(waiter)

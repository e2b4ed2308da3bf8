"""For tests of code that uses the middleware: time that passes at once, and chance with a seed."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager

from meshaccel.resilience.middleware import ErrorHandlingMiddleware


class VirtualTime:
    """A clock that moves only when somebody sleeps by it.

    Give its ``clock`` to breakers and budgets, too.

    Attributes:
        now: what the clock says, in seconds.
        pauses: how long was slept, in seconds, in order.
    """

    def __init__(self, seed: int = 0) -> None:
        self.now = 0.0
        self.pauses: list[float] = []
        self._random = random.Random(seed)  # noqa: S311 - nothing secret

    def clock(self) -> float:
        """Return what the clock says."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let time pass; other tasks take their turn."""
        self.sleep_sync(seconds)
        await asyncio.sleep(0)

    def sleep_sync(self, seconds: float) -> None:
        """Let time pass."""
        self.pauses.append(seconds)
        self.now += seconds

    def uniform(self, low: float, high: float) -> float:
        """Draw a number between two; the same ones for the same seed."""
        return self._random.uniform(low, high)


@contextmanager
def without_waiting(middleware: ErrorHandlingMiddleware, seed: int = 0) -> Iterator[VirtualTime]:
    """Let a middleware wait in virtual time within the block, and tell how long it would have.

    Its policies, handlers and gates stay as they are; breakers and budgets go on by the clock
    they were made with.
    """
    environment = middleware.environment
    before = environment.clock, environment.sleep, environment.sleep_sync, environment.uniform
    time = VirtualTime(seed)
    environment.clock, environment.sleep = time.clock, time.sleep
    environment.sleep_sync, environment.uniform = time.sleep_sync, time.uniform
    try:
        yield time
    finally:
        environment.clock, environment.sleep, environment.sleep_sync, environment.uniform = before

"""A circuit breaker: what fails again and again is left alone for a while."""

import random as random_module
import time
from collections.abc import Callable
from enum import Enum

from meshaccel.errors import CacheOptionError


class Circuit(Enum):
    """State of a breaker."""

    CLOSED = "closed"
    """Calls are made."""
    OPEN = "open"
    """No call is made."""
    HALF_OPEN = "half-open"
    """One call is made, to find out."""


class CircuitBreaker:
    """Opens after failures in a row, then lets one call through now and then.

    Each time that one fails it stays open for twice as long, give or take a quarter at random:
    nodes that lost the same server do not come back at the same moment.

    Args:
        failures: in a row, until it opens.
        open_for: seconds that it stays open at first.
        open_at_most: seconds that it stays open at most, before the quarter.
        clock: seconds, never going back.
        random: numbers from 0 to 1.

    Raises:
        CacheOptionError: an option is out of its range.
    """

    def __init__(
        self,
        *,
        failures: int = 3,
        open_for: float = 0.5,
        open_at_most: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        if failures < 1:
            raise CacheOptionError("failures", "at least 1", failures)
        if not 0 < open_for <= open_at_most:
            raise CacheOptionError("open_for", "above 0 and at most open_at_most", open_for)
        self._threshold = failures
        self._shortest = open_for
        self._longest = open_at_most
        self._clock = clock
        self._random = random
        self._failures = 0
        self._openings = 0
        self._until = 0.0
        self._trying = False

    @property
    def state(self) -> Circuit:
        """Whether calls are made now."""
        if not self._openings:
            return Circuit.CLOSED
        return Circuit.HALF_OPEN if self._trying or self.retry_in == 0 else Circuit.OPEN

    @property
    def retry_in(self) -> float:
        """Seconds until a call may be made; 0 if one may be made now."""
        return max(self._until - self._clock(), 0.0) if self._openings else 0.0

    def enter(self) -> bool:
        """Whether a call may be made; if so, tell how it went by one of the methods below."""
        if not self._openings:
            return True
        if self._trying or self.retry_in:
            return False
        self._trying = True
        return True

    def succeeded(self) -> None:
        """A call came back."""
        self._failures = self._openings = 0
        self._trying = False

    def failed(self) -> None:
        """A call did not."""
        self._failures += 1
        # Calls that were under way when it opened say nothing new.
        if self._trying or (not self._openings and self._failures >= self._threshold):
            span = min(self._shortest * 2**self._openings, self._longest)
            self._until = self._clock() + span * (0.75 + 0.5 * self._random())
            # Beyond this, the power would grow for nothing.
            self._openings = min(self._openings + 1, 32)
        self._trying = False

    def given_up(self) -> None:
        """A call was cancelled, and says nothing."""
        self._trying = False

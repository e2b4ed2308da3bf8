"""A bound on retries as a share of all calls."""

import math
import threading
import time
from collections.abc import Callable

from meshaccel.errors import PolicyError
from meshaccel.resilience.stats import Counters


class RetryBudget:
    """Lets retries be a share of the calls, whatever the policies of single calls allow.

    Each call earns ``ratio`` of a retry, and each second ``reserve_per_s`` of one, so that rare
    calls can be retried, too; ``capacity`` retries are kept at most. When a dependency fails for
    everybody, its load stays below ``1 + ratio`` times the usual. After Finagle's ``RetryBudget``.

    One budget serves all operations on one dependency, from any thread.

    Args:
        ratio: retries per call.
        reserve_per_s: retries per second that need no calls.
        capacity: retries that can be saved up; it starts full.
        clock: seconds from an arbitrary start.
    """

    def __init__(
        self,
        ratio: float = 0.1,
        *,
        reserve_per_s: float = 1.0,
        capacity: float = 100.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        for name, value in (("ratio", ratio), ("reserve_per_s", reserve_per_s)):
            if not 0 <= value < math.inf:
                raise PolicyError(f"{name} must not be negative or infinite: {value}")
        if not 1 <= capacity < math.inf:
            raise PolicyError(f"capacity must be at least 1 and finite: {capacity}")
        self._served: list[Counters] = []
        self._ratio = ratio
        self._reserve_per_s = reserve_per_s
        self._capacity = capacity
        self._clock = clock
        self._lock = threading.Lock()
        self._balance = capacity
        self._credited_calls = 0
        self._credited_until = clock()

    def serve(self, counters: Counters) -> None:
        """Let the calls that are counted there earn retries."""
        with self._lock:
            if all(served is not counters for served in self._served):
                self._served.append(counters)
                self._credited_calls += counters.calls

    @property
    def balance(self) -> float:
        """How many retries could be made now."""
        with self._lock:
            return self._credit()

    def withdraw(self) -> bool:
        """Take one retry, or return False if there is none."""
        with self._lock:
            if self._credit() < 1.0:
                return False
            self._balance -= 1.0
            return True

    def _credit(self) -> float:
        now, calls = self._clock(), sum(counters.calls for counters in self._served)
        earned = (calls - self._credited_calls) * self._ratio
        earned += max(0.0, now - self._credited_until) * self._reserve_per_s
        self._balance = min(self._capacity, self._balance + earned)
        self._credited_calls, self._credited_until = calls, now
        return self._balance

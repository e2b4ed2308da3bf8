"""A circuit breaker that fails fast."""

import random as chance
import threading
import time
from collections import deque
from collections.abc import Callable
from enum import Enum

from meshaccel.errors import CircuitOpenError, PolicyError
from meshaccel.resilience.backoff import Uniform
from meshaccel.resilience.breaker import Permit

_BUCKETS = 10


class State(Enum):
    """What a breaker does with calls."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitBreaker:
    """Keeps calls from a dependency when too many of the recent ones failed.

    Closed, it counts the calls of the last ``window_s`` seconds, to a tenth of that. Open, it
    refuses all. After ``open_s``, and up to a fifth more so that callers spread, it lets
    ``probes`` calls through, half open: if all of them succeed it closes, the first failure opens
    it again. A probe of which nothing is heard for ``open_s`` is given up, for another. While it is
    not closed, results of calls that were let in before it opened do not count.

    It may be shared by threads and loops: counts of racing threads may miss a call, its state
    changes under a lock.

    Args:
        failure_rate: the share of failures, above 0 and up to 1, at which it opens.
        min_calls: calls in the window below which it does not judge.
        window_s: how far back it looks, in seconds.
        open_s: how long it refuses, in seconds.
        probes: calls at the same time that test whether the dependency is back.
        name: what messages call the dependency.
        clock: seconds from an arbitrary start.
        uniform: where chance comes from.
    """

    timed = False

    def __init__(  # noqa: PLR0913 - a setting each
        self,
        *,
        failure_rate: float = 0.5,
        min_calls: int = 10,
        window_s: float = 30.0,
        open_s: float = 5.0,
        probes: int = 1,
        name: str = "the dependency",
        clock: Callable[[], float] = time.monotonic,
        uniform: Uniform = chance.uniform,
    ) -> None:
        if not 0 < failure_rate <= 1:
            raise PolicyError(f"failure_rate must be a share above 0, not {failure_rate}")
        if min_calls < 1 or probes < 1 or not window_s > 0 or not open_s > 0:
            raise PolicyError("min_calls, probes, window_s and open_s must be positive")
        self._failure_rate = failure_rate
        self._min_calls = min_calls
        self._bucket_s = window_s / _BUCKETS
        self._open_s = open_s
        self._probes = probes
        self._name = name
        self._clock = clock
        self._uniform = uniform
        # Reentrant: the collector may drop a coroutine with a probe while it is held.
        self._lock = threading.RLock()
        self.opened = 0
        """How often it opened."""
        self._state = State.CLOSED
        self._closed = True
        """The same, to be read as fast as can be."""
        self._until = 0.0
        """Open: for how long. Half open: when a probe has taken too long."""
        self._period = 0
        self._past: deque[tuple[int, int]] = deque(maxlen=_BUCKETS - 1)
        self._close()

    @property
    def state(self) -> str:
        """``closed``, ``open`` or ``half_open``."""
        return self._state.value

    def try_enter(self) -> bool:
        """Let a call through if the breaker is closed."""
        return self._closed

    async def enter(self, deadline: float | None, /) -> Permit:
        """Let a call through, as a probe if it is time for one; it never waits.

        Raises:
            CircuitOpenError: it is not.
        """
        del deadline
        with self._lock:
            if self._closed:
                return self
            now = self._clock()
            left = self._until - now
            if left <= 0:
                self._state = State.HALF_OPEN
                self._give_up_probes()
            if self._state is State.OPEN:
                waiting = f"for another {left:.3g} s"
            elif self._running + self._passed < self._probes:
                self._running += 1
                self._until = now + self._open_s
                return _Probe(self, self._period)
            else:
                left, waiting = 0.0, "while it is being probed"
        raise CircuitOpenError(f"{self._name} is in trouble: no calls {waiting}", left)

    def success(self, latency_s: float, /) -> None:
        """Count a call that was answered."""
        del latency_s
        if self._closed:
            if self._clock() >= self._bucket_end:
                with self._lock:
                    self._turn()
            self._calls += 1

    def failure(self) -> None:
        """Count a call that failed, and open if that is one too many."""
        with self._lock:
            if not self._closed:
                return
            self._turn()
            self._calls += 1
            self._failures += 1
            calls = self._calls + sum(calls for calls, _ in self._past)
            failures = self._failures + sum(failures for _, failures in self._past)
            if calls >= self._min_calls and failures >= self._failure_rate * calls:
                self._open()

    def release(self) -> None:
        """Count nothing."""

    def settle_probe(self, period: int, *, passed: bool | None) -> None:
        """Note what became of a probe; None if it tells nothing."""
        with self._lock:
            if period != self._period:
                return  # it was given up, or another probe has settled it
            self._running -= 1
            if passed is False:
                self._open()
            elif passed:
                self._passed += 1
                if self._passed == self._probes:
                    self._close()

    def _open(self) -> None:
        self._state = State.OPEN
        self._closed = False
        self.opened += 1
        self._passed = 0
        self._give_up_probes()
        self._until = self._clock() + self._open_s * self._uniform(1.0, 1.2)

    def _close(self) -> None:
        self._state = State.CLOSED
        self._past.clear()
        self._calls = self._failures = 0
        self._bucket_end = self._clock() + self._bucket_s
        self._passed = 0
        self._give_up_probes()
        self._closed = True

    def _give_up_probes(self) -> None:
        self._running = 0
        self._period += 1

    def _turn(self) -> None:
        """Begin another bucket when it is time."""
        now = self._clock()
        if now < self._bucket_end:
            return
        self._past.append((self._calls, self._failures))
        self._calls = self._failures = 0
        missed = int((now - self._bucket_end) / self._bucket_s)
        self._past.extend([(0, 0)] * min(missed, _BUCKETS - 1))
        self._bucket_end += (missed + 1) * self._bucket_s


class _Probe:
    """Leave for a call that tests whether the dependency is back."""

    __slots__ = ("_breaker", "_period")

    def __init__(self, breaker: CircuitBreaker, period: int) -> None:
        self._breaker = breaker
        self._period = period

    def success(self, latency_s: float, /) -> None:
        del latency_s
        self._breaker.settle_probe(self._period, passed=True)

    def failure(self) -> None:
        self._breaker.settle_probe(self._period, passed=False)

    def release(self) -> None:
        self._breaker.settle_probe(self._period, passed=None)

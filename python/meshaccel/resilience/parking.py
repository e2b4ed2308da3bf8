"""A circuit breaker that makes calls wait until the dependency is back."""

import asyncio
import random as chance
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from meshaccel.errors import CircuitOpenError, PolicyError
from meshaccel.resilience.breaker import Permit
from meshaccel.resilience.parking_alarm import Alarm
from meshaccel.resilience.parking_gate import ParkingGate, ParkingState
from meshaccel.resilience.parking_lanes import Lanes, Parked
from meshaccel.resilience.parking_permit import ParkingPermit
from meshaccel.resilience.parking_stats import ParkingStats


class ParkingBreaker:
    """Keeps calls from a dependency in trouble, and makes them wait instead of failing.

    Closed, it lets all calls through. After ``trip_after`` failures without a success between
    them it opens: calls wait in line, up to ``max_parked`` and each up to its deadline, while one
    call at a time tests whether the dependency is back, after pauses that double. When one
    succeeds, it is half open: calls leave the line through a window that grows as long as replies
    are not slow (see ``ReleaseWindow``), most of them the newest, some the oldest (see ``Lanes``).
    When the line is empty, it closes.

    So an outage costs the dependency next to nothing while it lasts, no more than it can bear
    afterwards, and calls that can wait as long do not fail. Only such calls should have one that
    may be made later: those of a user who looks at a screen fail fast with ``CircuitBreaker``.

    Threads may share it with an event loop: their calls do not wait, they go as probes or are
    refused. Calls of one event loop at a time can wait; those of another are refused meanwhile.
    There is no task in the background: one timer runs while calls wait. Each method is O(log n) in
    the calls that wait, ``try_enter``, ``success`` and ``release`` O(1).

    Args:
        max_parked: how many calls wait at most.
        trip_after: failures in a row that open it.
        probe_s: the first pause before a probe, in seconds, half of it more or less by chance.
        max_probe_s: the longest pause.
        patience_s: after how many seconds without an outcome of calls that it let through it
            sends another probe.
        name: what messages call the dependency.
        clock: seconds from an arbitrary start.
        uniform: where chance comes from.

    Raises:
        PolicyError: the values make no sense.
    """

    def __init__(  # noqa: PLR0913 - a setting each
        self,
        *,
        max_parked: int = 10_000,
        trip_after: int = 5,
        probe_s: float = 0.25,
        max_probe_s: float = 2.0,
        patience_s: float = 10.0,
        name: str = "the dependency",
        clock: Callable[[], float] = time.monotonic,
        uniform: Callable[[float, float], float] = chance.uniform,
    ) -> None:
        if max_parked < 1:
            raise PolicyError(f"max_parked must be at least 1, not {max_parked}")
        self._gate = ParkingGate(
            trip_after=trip_after,
            probe_s=probe_s,
            max_probe_s=max_probe_s,
            patience_s=patience_s,
            uniform=uniform,
        )
        # Reentrant: the collector may drop a coroutine that waits here while it is held.
        self._lock = threading.RLock()
        self._max_parked = max_parked
        self._name = name
        self._clock = clock
        self._lanes = Lanes()
        self._alarm = Alarm(self._ring)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._direct = 0  # calls in flight that were let through while it was closed
        self._released = self._expired = self._refused = self._cancelled = 0

    @property
    def state(self) -> ParkingState:
        """``closed``, ``open`` or ``half_open``."""
        return self._gate.state

    def try_enter(self) -> bool:
        """Let a call through if the breaker is closed. The breaker itself is its permit."""
        with self._lock:
            if self._gate.state == "closed":
                self._direct += 1
                return True
            return False

    async def enter(self, deadline: float | None, /) -> Permit:
        """Let a call through when it is its turn; cancelled, it leaves the line.

        Args:
            deadline: until when it waits, in seconds of the breaker's clock; None for ever. If
                that is past, it does not wait, but may still be let through at once.

        Raises:
            CircuitOpenError: the deadline came first, too many wait already, or those that wait
                are of another event loop. Nothing was sent.
            PolicyError: there is no event loop to wait in.
        """
        with self._lock:
            if self.try_enter():
                return self
            now = self._clock()
            if not self._lanes and self._gate.has_room(now):
                return ParkingPermit(self, self._gate.let_through(now))
            parked = self._park(float("inf") if deadline is None else deadline, now)
            self._go_on(now)
        try:
            return await parked.future
        except BaseException:  # a cancellation, or the coroutine is closed
            self._unpark(parked)
            raise

    def success(self, latency_s: float, /) -> None:
        """Note that a call let through while closed was answered, after so many seconds."""
        with self._lock:
            self._direct -= 1
            self._gate.direct_success(latency_s)

    def failure(self) -> None:
        """Note that a call let through while closed has failed."""
        with self._lock:
            self._gate.direct_failure(self._direct, self._clock())
            self._direct -= 1

    def release(self) -> None:
        """Note that a call let through while closed has ended, and tells nothing."""
        with self._lock:
            self._direct -= 1

    def settle(self, period: int, *, latency_s: float | None = None, failed: bool = False) -> None:
        """Note what became of a call that a permit of this period let through."""
        with self._lock:
            if period != self._gate.period:
                return
            now = self._clock()
            if failed:
                self._gate.failure(now)
            elif latency_s is not None:
                self._gate.success(latency_s, now)
            else:
                self._gate.nothing(now)
            self._go_on(now)

    def stats(self) -> ParkingStats:
        """Return what it has counted."""
        gate = self._gate
        return ParkingStats(
            state=gate.state,
            parked=len(self._lanes),
            in_flight=self._direct + gate.in_flight,
            window=int(gate.window.size),
            usual_s=gate.window.usual_s,
            trips=gate.trips,
            probes=gate.probes,
            released=self._released,
            expired=self._expired,
            refused=self._refused,
            cancelled=self._cancelled,
        )

    def _park(self, deadline: float, now: float) -> Parked:
        if deadline <= now or len(self._lanes) >= self._max_parked:
            raise self._refusal(f"{len(self._lanes)} calls wait for it")
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise PolicyError("calls wait at this breaker, which takes an event loop") from None
        if loop is not self._loop and self._loop is not None:
            if self._lanes and not self._loop.is_closed():
                raise self._refusal("calls of another event loop wait for it")
            # Whoever was left in a loop that is closed will never go on.
            self._lanes, self._alarm = Lanes(), Alarm(self._ring)
        self._loop = loop
        parked = Parked(loop.create_future(), deadline)
        self._lanes.add(parked)
        return parked

    def _unpark(self, parked: Parked) -> None:
        """Take a call that will not be made out of the line, or out of the flight."""
        future = parked.future
        with self._lock:
            self._lanes.discard(parked)
            if future.cancelled() or not future.done():
                self._cancelled += 1
                self._go_on(self._clock())
            elif future.exception() is None:
                # It was let through, and the cancellation came before the task woke up.
                future.result().release()

    def _refusal(self, why: str) -> CircuitOpenError:
        self._refused += 1
        return CircuitOpenError(f"{self._name} is in trouble: {why}", self._gate.pause_s)

    def _go_on(self, now: float) -> None:
        """Do what is due, and see to it that what is due next will be done."""
        gate, lanes = self._gate, self._lanes
        if lanes and self._loop is not asyncio._get_running_loop():  # noqa: SLF001
            # Only their own loop may wake those who wait.
            if self._loop is not None:
                with suppress(RuntimeError):  # it is closed: nobody waits there
                    self._loop.call_soon_threadsafe(self._ring)
            return
        for late in lanes.expired(now):
            if not late.future.done():
                self._expired += 1
                message = f"{self._name} did not come back before the deadline"
                late.future.set_exception(CircuitOpenError(message, gate.pause_s))
        gate.look(now)
        while gate.has_room(now) and (parked := lanes.take()) is not None:
            self._released += 1
            parked.future.set_result(ParkingPermit(self, gate.let_through(now)))
        if lanes and self._loop is not None:
            self._alarm.set(self._loop, min(lanes.next_deadline, gate.due) - now)
        else:
            self._alarm.stop()
            if gate.state == "half_open":
                gate.close()

    def _ring(self) -> None:
        with self._lock:
            self._go_on(self._clock())

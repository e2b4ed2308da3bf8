"""Probes of the breaker that fails fast, and what operations within operations tell it."""

import asyncio

import pytest
from tests.resilience.support import Busy, middleware

from meshaccel.errors import BulkheadFullError, CircuitOpenError
from meshaccel.resilience import ONCE, Bulkhead, CircuitBreaker, Permit
from meshaccel.resilience.testing import VirtualTime


def tripped(time: VirtualTime, probes: int = 1) -> CircuitBreaker:
    """A breaker whose next call is a probe."""
    breaker = CircuitBreaker(
        clock=time.clock, uniform=lambda low, _: low, min_calls=1, open_s=5.0, probes=probes
    )
    breaker.failure()
    time.now += 5.0
    return breaker


def enter(breaker: CircuitBreaker) -> Permit:
    return asyncio.run(breaker.enter(None))


def test_a_probe_that_hangs_is_given_up(time: VirtualTime) -> None:
    """Nothing cuts a call off, and a dependency that is back must not stay shut out for it."""
    breaker = tripped(time)
    hung = enter(breaker)
    time.now += 4.9
    with pytest.raises(CircuitOpenError, match="while it is being probed"):
        enter(breaker)
    time.now += 0.1
    second = enter(breaker)
    hung.failure()  # of the old probe, which nobody waits for
    assert breaker.state == "half_open"
    second.success(0.0)
    assert breaker.state == "closed"


def test_probes_that_passed_do_not_age(time: VirtualTime) -> None:
    breaker = tripped(time, probes=2)
    enter(breaker).success(0.0)
    time.now += 60.0
    enter(breaker).success(0.0)
    assert breaker.state == "closed"


def test_what_was_kept_back_within_tells_nothing(time: VirtualTime) -> None:
    """It is no answer of the dependency, so it closes nothing."""
    errors = middleware(time)
    breaker, full = tripped(time), Bulkhead(1)
    assert full.try_enter()
    errors.policy("outer", ONCE, breaker=breaker)
    errors.policy("inner", ONCE, bulkhead=full)
    with pytest.raises(BulkheadFullError):
        errors.run_sync("outer", lambda: errors.run_sync("inner", int))
    assert breaker.state == "half_open"
    enter(breaker).failure()
    assert breaker.state == "open"


def test_a_breaker_that_breaks_keeps_no_room(time: VirtualTime) -> None:
    """One of a user's may fail itself; what it does not hold is given back."""

    class Broken(CircuitBreaker):
        def success(self, latency_s: float, /) -> None:
            raise OSError("down", latency_s)

        def failure(self) -> None:
            raise OSError("down")

        def release(self) -> None:
            raise OSError("down")

    def busy() -> None:
        raise Busy

    def interrupted() -> None:
        raise KeyboardInterrupt

    async def called(fn: object) -> None:
        assert callable(fn)
        fn()

    errors, room = middleware(time), Bulkhead(1)
    errors.policy("op", ONCE, breaker=Broken(), bulkhead=room)
    for fn in (int, busy, interrupted):
        with pytest.raises(OSError, match="down"):
            errors.run_sync("op", fn)
        with pytest.raises(OSError, match="down"):
            asyncio.run(errors.run("op", called, fn))
    assert room.in_use == 0

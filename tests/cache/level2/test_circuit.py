"""The breaker: when calls are made, and when they are spared."""

from typing import Any

import pytest
from tests.pool.support import ManualClock

from meshaccel.cache.circuit import Circuit, CircuitBreaker
from meshaccel.errors import CacheOptionError


def make(clock: ManualClock) -> CircuitBreaker:
    """Opens after two failures, for 1 s, 2 s, 4 s, ..."""
    return CircuitBreaker(failures=2, open_for=1, open_at_most=8, clock=clock, random=lambda: 0.5)


def fail(breaker: CircuitBreaker) -> None:
    """One call that fails."""
    assert breaker.enter()
    breaker.failed()


def test_failures_in_a_row_open_it() -> None:
    breaker = make(ManualClock())
    fail(breaker)
    assert breaker.enter()
    breaker.succeeded()
    fail(breaker)
    assert breaker.enter()
    breaker.failed()
    assert breaker.state is Circuit.OPEN
    assert not breaker.enter()


def test_one_call_finds_out() -> None:
    clock = ManualClock()
    breaker = make(clock)
    fail(breaker)
    fail(breaker)
    for span in (1, 2, 4, 8, 8):
        assert breaker.retry_in == span
        clock.now += span
        assert breaker.state is Circuit.HALF_OPEN
        assert breaker.enter()
        assert not breaker.enter(), "one at a time"
        breaker.failed()
    clock.now += 8
    assert breaker.enter()
    breaker.succeeded()
    assert breaker.state is Circuit.CLOSED
    fail(breaker)
    fail(breaker)
    assert breaker.retry_in == 1


def test_a_trial_that_is_given_up_leaves_room_for_another() -> None:
    clock = ManualClock()
    breaker = make(clock)
    fail(breaker)
    fail(breaker)
    clock.now += 1
    assert breaker.enter()
    breaker.given_up()
    assert breaker.enter()


def test_calls_that_were_under_way_change_nothing() -> None:
    clock = ManualClock()
    breaker = make(clock)
    for _ in range(5):
        assert breaker.enter()
    for _ in range(5):
        breaker.failed()
    assert breaker.retry_in == 1


@pytest.mark.parametrize("wrong", [{"failures": 0}, {"open_for": 0}, {"open_for": 31}])
def test_options_are_checked(wrong: dict[str, Any]) -> None:
    (option,) = wrong
    with pytest.raises(CacheOptionError, match=option):
        CircuitBreaker(**wrong)

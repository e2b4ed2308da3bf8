"""The middleware with a breaker that makes calls wait instead of failing."""

import asyncio

import pytest
from tests.resilience.support import Busy, Table

from meshaccel.errors import CircuitOpenError
from meshaccel.resilience import ErrorHandlingMiddleware, RetryPolicy
from meshaccel.resilience.parking import ParkingBreaker

CALLS = 40


class Dependency:
    """Fails the first times it is asked."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.asked = 0

    async def ask(self, number: int) -> int:
        """Answer with the same number."""
        self.asked += 1
        await asyncio.sleep(0)
        if self.asked <= self.failures:
            raise Busy
        return number


def parking(deadline_s: float) -> tuple[ErrorHandlingMiddleware, ParkingBreaker]:
    errors = ErrorHandlingMiddleware(classifier=Table(), uniform=lambda low, _: low)
    breaker = ParkingBreaker(trip_after=3, probe_s=0.002, max_probe_s=0.01)
    errors.policy("op", RetryPolicy(deadline_s=deadline_s), breaker=breaker)
    return errors, breaker


def test_calls_wait_for_the_end_of_an_outage() -> None:
    """All of them succeed, and after their first attempts the dependency hears of one at a time."""
    errors, breaker = parking(deadline_s=30.0)
    dependency = Dependency(failures=CALLS + 3)

    async def main() -> None:
        calls = [errors.run("op", dependency.ask, number) for number in range(CALLS)]
        assert await asyncio.gather(*calls) == list(range(CALLS))

    asyncio.run(main())
    assert breaker.stats().probes == 4
    assert dependency.asked == dependency.failures + CALLS
    assert errors.stats()["op"].breaker == "closed"
    assert (breaker.stats().parked, breaker.stats().in_flight) == (0, 0)


def test_who_waits_in_vain_gets_the_operations_own_error() -> None:
    """After the deadline; who had not asked yet is told of the breaker."""
    for deadline_s in (0.03, 1.0, 10.0):  # the machine may stand still before anybody asked
        errors, breaker = parking(deadline_s)
        dependency = Dependency(failures=1_000_000)

        async def main(
            errors: ErrorHandlingMiddleware = errors, dependency: Dependency = dependency
        ) -> set[type]:
            calls = [errors.run("op", dependency.ask, number) for number in range(CALLS)]
            results = await asyncio.gather(*calls, return_exceptions=True)
            return {type(result) for result in results}

        errors_seen = asyncio.run(main())
        assert (breaker.stats().parked, breaker.stats().in_flight) == (0, 0)
        if errors_seen <= {Busy, CircuitOpenError} and Busy in errors_seen:
            break
    assert errors_seen <= {Busy, CircuitOpenError}
    assert Busy in errors_seen


@pytest.mark.parametrize("after", range(1, 40, 3))
def test_cancelled_while_waiting(after: int) -> None:
    """Whenever it comes, nobody is left in line, and the others are served."""
    errors, breaker = parking(deadline_s=30.0)
    dependency = Dependency(failures=1_000_000)

    async def main() -> None:
        tasks = [
            asyncio.create_task(errors.run("op", dependency.ask, number)) for number in range(CALLS)
        ]
        for _ in range(after):
            await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        dependency.failures = 0
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert results[1::2] == list(range(1, CALLS, 2))
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    assert (breaker.stats().parked, breaker.stats().in_flight) == (0, 0)


def test_a_thread_does_not_wait() -> None:
    errors, breaker = parking(deadline_s=30.0)
    for _ in range(3):
        assert breaker.try_enter()
        breaker.failure()
    with pytest.raises(CircuitOpenError):
        errors.run_sync("op", lambda: None)

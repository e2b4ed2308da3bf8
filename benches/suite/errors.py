"""Part 5 of the brief: errors are recovered from, and success costs little."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager

import tenacity
from benches.naive import errors as naive
from benches.suite.figure import Counted, Gain, Part, Timed
from tests.resilience.recovery_model import FAULTS, Attempt, MakeRun, Run, recover

from meshaccel.resilience import (
    Bulkhead,
    CircuitBreaker,
    ErrorHandlingMiddleware,
    RetryBudget,
    RetryPolicy,
)
from meshaccel.resilience.testing import VirtualTime

EVERYDAY = [name for name in FAULTS if name != "outage of 10 s"]
"""Those that are over within the deadline."""
OPERATIONS = 1_000
TIMES = 200


def persistent(time: VirtualTime) -> Run:
    """Return ours as it comes."""
    errors = ErrorHandlingMiddleware(
        clock=time.clock, sleep_sync=time.sleep_sync, uniform=time.uniform
    )
    errors.policy("work", RetryPolicy(idempotent=True))
    return lambda attempt: errors.run_sync("work", attempt)


def as_in_the_brief(time: VirtualTime) -> Run:
    """Return three attempts."""

    async def sleep(seconds: float) -> None:
        time.sleep_sync(seconds)

    errors = naive.ErrorHandlingMiddleware(sleep)

    def run(attempt: Attempt) -> None:
        async def work() -> None:
            attempt()

        finish(errors.handle_with_retry(work))

    return run


def finish(coroutine: Coroutine[object, None, object]) -> None:
    """Run a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError


async def recovered(make_run: MakeRun) -> float:
    """Return how many percent of the operations that met a fault are saved, of all faults."""
    shares = [recover(make_run, FAULTS[name], OPERATIONS).share for name in EVERYDAY]
    return 100 * sum(shares) / len(shares)


async def recovered_at_worst(make_run: MakeRun) -> float:
    """Return the same of the fault of which the fewest are."""
    return 100 * min(recover(make_run, FAULTS[name], OPERATIONS).share for name in EVERYDAY)


async def work(number: int) -> int:
    return number


class Success:
    """An operation that succeeds, behind all there is."""

    def __init__(self) -> None:
        self._errors = ErrorHandlingMiddleware()
        self._errors.policy(
            "work",
            RetryPolicy(idempotent=True),
            breaker=CircuitBreaker(),
            bulkhead=Bulkhead(64),
            budget=RetryBudget(),
        )
        self._naive = naive.ErrorHandlingMiddleware()
        stop = tenacity.stop_after_attempt(3)
        self._tenacity = tenacity.retry(stop=stop, reraise=True)(work)

    async def ours(self) -> None:
        """With retries, deadline, breaker, bulkhead and budget."""
        await _again_and_again(lambda number: self._errors.run("work", work, number))

    async def naive(self) -> None:
        """With retries."""
        await _again_and_again(lambda number: self._naive.handle_with_retry(work, number))

    async def tenacity(self) -> None:
        """With retries."""
        await _again_and_again(self._tenacity)


async def _again_and_again(way: Callable[[int], Awaitable[int]]) -> None:
    for number in range(TIMES):
        assert await way(number) == number


@asynccontextmanager
async def opened() -> AsyncIterator[Success]:
    yield Success()


BRIEF = "the brief's three attempts"
PART = Part(
    "errors",
    opened,
    (
        Counted(
            name="errors.recovered",
            what="operations saved from six faults of every day",
            unit="%",
            against=BRIEF,
            gain=Gain.SHARE,
            ours=lambda _: recovered(persistent),
            baseline=lambda _: recovered(as_in_the_brief),
        ),
        Counted(
            name="errors.recovered_at_worst",
            what="the same, of the fault with the fewest",
            unit="%",
            against=BRIEF,
            gain=Gain.SHARE,
            ours=lambda _: recovered_at_worst(persistent),
            baseline=lambda _: recovered_at_worst(as_in_the_brief),
        ),
        Timed(
            name="errors.success",
            what="a success behind retries, deadline, breaker, bulkhead, budget",
            against="tenacity's decorator, retries only",
            ours=Success.ours,
            baseline=Success.tenacity,
            each=TIMES,
        ),
        Timed(
            name="errors.success_of_brief",
            what="the same",
            against="the brief's middleware, retries only",
            ours=Success.ours,
            baseline=Success.naive,
            each=TIMES,
        ),
    ),
)

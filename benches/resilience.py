"""What error handling costs when nothing fails, and when something does.

    python -m benches.resilience [--rounds 15] [--json FILE]

Needs the packages of the extra ``bench``. Contenders wrap the same coroutine function, or
function, and take turns in one process, in random order; every answer is checked. The figures are
medians over the rounds: nanoseconds of CPU time per call, how many times the bare call that is
(the median of the rounds' ratios), and what share of tenacity's decorator.

"all" is a policy with retries, deadline, circuit breaker, bulkhead and retry budget. The others
do what they can: tenacity, stamina and backoff retry, purgatory and aiobreaker are breakers.
"""

import argparse
import asyncio
import json
import random
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import backoff
import stamina
import tenacity
from aiobreaker import CircuitBreaker as AioBreaker
from benches.provenance import provenance
from purgatory import AsyncCircuitBreakerFactory

from meshaccel.resilience import (
    Bulkhead,
    CircuitBreaker,
    DecorrelatedJitter,
    ErrorHandlingMiddleware,
    RetryBudget,
    RetryPolicy,
)

BURST_S = 0.02
"""CPU time of one turn."""

DECORATOR = "tenacity @retry"
Call = Callable[[int], Any]


async def work(number: int) -> int:
    return number


def work_sync(number: int) -> int:
    return number


class Flaky:
    """Fails every other time."""

    def __init__(self) -> None:
        self._fails = False

    def step(self, number: int) -> int:
        self._fails = not self._fails
        if self._fails:
            raise ConnectionRefusedError
        return number

    async def __call__(self, number: int) -> int:
        return self.step(number)


def armed() -> ErrorHandlingMiddleware:
    """Return a middleware whose operations are named after what they are armed with."""
    errors = ErrorHandlingMiddleware()
    plain = RetryPolicy(idempotent=True)
    errors.policy("retries", plain)
    errors.policy(
        "all", plain, breaker=CircuitBreaker(), bulkhead=Bulkhead(64), budget=RetryBudget()
    )
    errors.policy(
        "timeout",
        RetryPolicy(idempotent=True, attempt_timeout_s=30.0),
        breaker=CircuitBreaker(),
        bulkhead=Bulkhead(64),
        budget=RetryBudget(),
    )
    at_once = RetryPolicy(idempotent=True, backoff=DecorrelatedJitter(0.0, 0.0))
    errors.policy("flaky", at_once)
    return errors


def successes() -> dict[str, Call]:
    """Return the ways to await ``work``."""
    errors = armed()
    semaphore = asyncio.Semaphore(64)
    stop = tenacity.stop_after_attempt(3)

    async def block(number: int) -> int:
        async for attempt in errors.attempts("all"):
            async with attempt:
                return await work(number)
        raise AssertionError

    async def tenacity_block(number: int) -> int:
        async for attempt in tenacity.AsyncRetrying(stop=stop, reraise=True):
            with attempt:
                return await work(number)
        raise AssertionError

    async def limited(number: int) -> int:
        async with semaphore:
            return await work(number)

    async def timed(number: int) -> int:
        async with asyncio.timeout(30.0):
            return await work(number)

    purgatory_breaker = AsyncCircuitBreakerFactory()("work")
    return {
        "bare await": work,
        "ours, run, retries and deadline": lambda n: errors.run("retries", work, n),
        "ours, run, all": lambda n: errors.run("all", work, n),
        "ours, decorator, all": errors.guard("all")(work),
        "ours, block, all": block,
        "ours, run, all + attempt timeout": lambda n: errors.run("timeout", work, n),
        "asyncio.Semaphore": limited,
        "asyncio.timeout": timed,
        "aiobreaker": AioBreaker(fail_max=5)(work),
        "purgatory": purgatory_breaker(work),
        "backoff": backoff.on_exception(backoff.expo, OSError, max_tries=3)(work),
        "stamina @retry": stamina.retry(on=OSError, attempts=3)(work),
        "tenacity block": tenacity_block,
        DECORATOR: tenacity.retry(stop=stop, reraise=True)(work),
    }


def successes_sync() -> dict[str, Call]:
    """Return the ways to call ``work_sync``."""
    errors = armed()
    return {
        "bare call": work_sync,
        "ours, run_sync, all": lambda n: errors.run_sync("all", work_sync, n),
        "ours, decorator, all": errors.guard("all")(work_sync),
        "backoff": backoff.on_exception(backoff.expo, OSError, max_tries=3)(work_sync),
        "stamina @retry": stamina.retry(on=OSError, attempts=3)(work_sync),
        DECORATOR: tenacity.retry(stop=tenacity.stop_after_attempt(3), reraise=True)(work_sync),
    }


def recoveries() -> dict[str, Call]:
    """Return the ways to await what fails every other time, without a pause between."""
    errors = armed()

    async def loop(flaky: Flaky, number: int) -> int:
        result = None
        while result is None:
            try:
                result = await flaky(number)
            except ConnectionRefusedError:
                await asyncio.sleep(0)
        return result

    async def flaky_work(flaky: Flaky, number: int) -> int:
        return await flaky(number)

    stop = tenacity.stop_after_attempt(3)
    retried: dict[str, Callable[[Any], Any]] = {
        "backoff": backoff.on_exception(backoff.constant, OSError, interval=0, jitter=None),
        "stamina @retry": stamina.retry(
            on=OSError, attempts=3, wait_initial=0, wait_max=0, wait_jitter=0
        ),
        DECORATOR: tenacity.retry(stop=stop, reraise=True),
    }
    flaky = Flaky()
    ways: dict[str, Call] = {
        "bare loop": partial(loop, Flaky()),
        "ours, run": lambda n: errors.run("flaky", flaky, n),
    }
    return ways | {
        name: partial(decorate(flaky_work), Flaky()) for name, decorate in retried.items()
    }


async def burst(way: Call) -> float:
    """Return the CPU time of one await, in nanoseconds."""
    count = 0
    begun = time.thread_time_ns()
    while time.thread_time_ns() - begun < BURST_S * 1e9:
        for number in range(50):
            if await way(number) != number:
                raise AssertionError
        count += 50
    return (time.thread_time_ns() - begun) / count


def burst_sync(way: Call) -> float:
    """Return the CPU time of one call, in nanoseconds."""
    count = 0
    begun = time.thread_time_ns()
    while time.thread_time_ns() - begun < BURST_S * 1e9:
        for number in range(50):
            if way(number) != number:
                raise AssertionError
        count += 50
    return (time.thread_time_ns() - begun) / count


async def measure(ways: dict[str, Call], rounds: int, *, sync: bool) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name in random.sample(list(ways), len(ways)):
            way = ways[name]
            taken[name].append(burst_sync(way) if sync else await burst(way))
    return taken


def report(title: str, taken: dict[str, list[float]]) -> None:
    print(f"\n{title:<36}{'CPU ns':>10}{'x bare':>10}{'x tenacity':>12}")
    bare = next(iter(taken.values()))
    for name, results in taken.items():
        times_bare = ratio(results, bare)
        share = ratio(results, taken[DECORATOR])
        median = statistics.median(results)
        print(f"  {name:<34}{median:10.0f}{times_bare:9.1f}x{share:11.3f}x")


def ratio(ours: list[float], theirs: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    stamina.instrumentation.set_on_retry_hooks([])  # ours logs nothing either without a handler
    workloads: dict[str, tuple[Callable[[], dict[str, Call]], bool]] = {
        "success, coroutine": (successes, False),
        "success, thread": (successes_sync, True),
        "one failure, then success": (recoveries, False),
    }

    async def run() -> dict[str, dict[str, list[float]]]:
        figures = {}
        for title, (make, sync) in workloads.items():
            figures[title] = await measure(make(), options.rounds, sync=sync)
            report(title, figures[title])
        return figures

    figures = asyncio.run(run())
    if options.json:
        options.json.write_text(json.dumps({"provenance": provenance(), "figures": figures}))


if __name__ == "__main__":
    main()

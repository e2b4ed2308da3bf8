"""What no change may lose: how little a success costs. `benches/resilience.py` has the figures."""

import asyncio
import time

import tenacity

from meshaccel.resilience import (
    Bulkhead,
    CircuitBreaker,
    ErrorHandlingMiddleware,
    RetryBudget,
    RetryPolicy,
)

CALLS = 2_000
ROUNDS = 7


async def work(number: int) -> int:
    return number


def test_a_success_costs_little() -> None:
    """With all there is armed, at most 40 bare awaits, and a tenth of tenacity's decorator."""
    errors = ErrorHandlingMiddleware()
    errors.policy(
        "op",
        RetryPolicy(idempotent=True),
        breaker=CircuitBreaker(),
        bulkhead=Bulkhead(8),
        budget=RetryBudget(),
    )
    retried = tenacity.retry(stop=tenacity.stop_after_attempt(3))(work)

    async def bare(calls: int) -> None:
        for number in range(calls):
            await work(number)

    async def ours(calls: int) -> None:
        for number in range(calls):
            await errors.run("op", work, number)

    guarded = errors.guard("op")(work)

    async def decorated(calls: int) -> None:
        for number in range(calls):
            await guarded(number)

    async def theirs(calls: int) -> None:
        for number in range(calls):
            await retried(number)

    async def main() -> dict[str, float]:
        best: dict[str, float] = {}
        for _ in range(ROUNDS):
            for way, calls in (
                (bare, CALLS),
                (ours, CALLS),
                (decorated, CALLS),
                (theirs, CALLS // 20),
            ):
                begun = time.thread_time_ns()
                await way(calls)
                taken = (time.thread_time_ns() - begun) / calls
                best[way.__name__] = min(taken, best.get(way.__name__, taken))
        return best

    best = asyncio.run(main())
    for way in ("ours", "decorated"):
        assert best[way] <= 40 * best["bare"], best  # measured: 11, but a bare await is all noise
        assert best[way] <= best["theirs"] / 10, best

"""Attempts that are cut off, and calls that are made twice."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from tests.resilience.support import Busy, Script, Wrong, middleware

from meshaccel.errors import AttemptTimeoutError, DeadlineExceededError, PolicyError
from meshaccel.resilience import (
    Bulkhead,
    DecorrelatedJitter,
    ErrorHandlingMiddleware,
    FullJitter,
    RetryBudget,
    RetryPolicy,
    Unit,
)
from meshaccel.resilience.testing import VirtualTime

SHORT = 0.01


class Hanging:
    """A coroutine function that does not return the first times it is called."""

    def __init__(self, times: int) -> None:
        self.calls = self.cancelled = 0
        self._times = times

    async def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self._times:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        return f"call {self.calls}"


def test_an_attempt_that_takes_too_long_is_cut_off(time: VirtualTime) -> None:
    """And repeated, if that does no harm."""
    errors = middleware(time)
    errors.policy("op", RetryPolicy(attempt_timeout_s=SHORT, idempotent=True))
    work = Hanging(2)
    assert asyncio.run(errors.run("op", work)) == "call 3"
    assert (work.cancelled, errors.stats()["op"].timeouts) == (2, 2)


def test_cut_off_it_may_have_had_its_effect(time: VirtualTime) -> None:
    errors = middleware(time)
    errors.policy("op", RetryPolicy(attempt_timeout_s=SHORT))
    work = Hanging(1)
    with pytest.raises(AttemptTimeoutError, match=r"op: cut off after 0.01 s"):
        asyncio.run(errors.run("op", work))
    assert work.calls == 1


def test_a_timeout_of_what_is_called_is_not_ours(time: VirtualTime) -> None:
    errors = middleware(time)
    errors.policy("op", RetryPolicy(attempt_timeout_s=60, idempotent=True))

    async def work() -> None:
        async with asyncio.timeout(0):
            await asyncio.sleep(1)

    with pytest.raises(TimeoutError) as caught:
        asyncio.run(errors.run("op", work))
    assert type(caught.value) is TimeoutError
    assert errors.stats()["op"].timeouts == 0


def test_the_deadline_comes_before_the_attempt_timeout() -> None:
    """In real time: the first attempt failed, the second hangs."""
    for deadline_s in (0.05, 1.0, 30.0):  # the machine may stand still before the second begins
        errors = ErrorHandlingMiddleware(uniform=lambda low, _: low)
        policy = RetryPolicy(deadline_s=deadline_s, attempt_timeout_s=3600, idempotent=True)
        errors.policy("op", policy)
        first = Script(ConnectionResetError())

        async def work(first: Script = first) -> None:
            first()
            await asyncio.Event().wait()

        early = (DeadlineExceededError, ConnectionResetError)
        with pytest.raises((AttemptTimeoutError, *early)) as caught:
            asyncio.run(errors.run("op", work))
        if first.calls == 2:
            break
    assert (first.calls, caught.type) == (2, AttemptTimeoutError)
    assert "ConnectionResetError" in caught.value.__notes__[0]


def test_threads_and_blocks_cannot_be_cut_off(time: VirtualTime) -> None:
    """They are told so, instead of not being cut off."""
    errors = middleware(time)
    errors.policy("timed", RetryPolicy(attempt_timeout_s=1))
    errors.policy("hedged", RetryPolicy(hedge_after_s=1, idempotent=True))
    for name in ("timed", "hedged"):
        with pytest.raises(PolicyError, match="neither be cut off nor hedged"):
            errors.run_sync(name, Script())
        with pytest.raises(PolicyError, match="neither be cut off nor hedged"):
            errors.attempts(name)


# -- hedging -----------------------------------------------------------------------------

HEDGED = RetryPolicy(hedge_after_s=0.1, idempotent=True)


def test_a_quick_answer_needs_no_hedge(time: VirtualTime) -> None:
    """The function is called once, and nothing of the race is left."""
    errors = ErrorHandlingMiddleware()
    errors.policy("op", RetryPolicy(hedge_after_s=60, idempotent=True))

    async def main() -> None:
        assert await errors.run("op", Hanging(0)) == "call 1"
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    assert errors.stats()["op"].hedges == 0
    del time


def test_the_second_call_answers_for_the_first(time: VirtualTime) -> None:
    errors = middleware(time)
    bulkhead = Bulkhead(2)
    errors.policy("op", HEDGED, bulkhead=bulkhead)
    work = Hanging(1)

    async def main() -> None:
        assert await errors.run("op", work) == "call 2"
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    stats = errors.stats()["op"]
    assert (stats.hedges, stats.hedges_won, stats.in_use) == (1, 1, 0)
    assert work.cancelled == 1


def test_a_hedge_needs_room_and_budget(time: VirtualTime) -> None:
    """Without them the first call is waited for."""
    errors = middleware(time)
    spent = RetryBudget(0, reserve_per_s=0, capacity=1, clock=time.clock)
    assert spent.withdraw()
    roomy = Bulkhead(2)
    errors.policy("full", HEDGED, bulkhead=Bulkhead(1))
    errors.policy("spent", HEDGED, budget=spent, bulkhead=roomy)

    async def slow() -> str:
        for _ in range(5):
            await asyncio.sleep(0)
        return "slow"

    for name in ("full", "spent"):
        assert asyncio.run(errors.run(name, slow)) == "slow"
        assert errors.stats()[name].hedges == 0
        assert errors.stats()[name].in_use == 0


def test_a_second_call_that_cannot_be_made_keeps_no_room(time: VirtualTime) -> None:
    """What is called may fail before there is anything to wait for; the first call goes on."""
    errors = middleware(time)
    errors.policy("op", HEDGED, bulkhead=Bulkhead(2))
    calls = 0

    async def slow() -> str:
        for _ in range(5):
            await asyncio.sleep(0)
        return "slow"

    def work() -> Coroutine[Any, Any, str]:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise Wrong
        return slow()

    assert asyncio.run(errors.run("op", work)) == "slow"
    stats = errors.stats()["op"]
    assert (stats.hedges, stats.hedges_won, stats.in_use) == (1, 0, 0)


@pytest.mark.parametrize("who_fails", ["first", "second", "both"])
def test_one_answer_of_two_is_enough(time: VirtualTime, who_fails: str) -> None:
    errors = middleware(time)
    errors.policy("op", RetryPolicy(hedge_after_s=0.1, idempotent=True, attempts=1))
    calls = 0

    async def work() -> str:
        nonlocal calls
        calls += 1
        name = "first" if calls == 1 else "second"
        for _ in range(6 if name == "first" else 2):
            await asyncio.sleep(0)
        if who_fails in (name, "both"):
            raise Wrong(name)
        return name

    if who_fails == "both":
        with pytest.raises(Wrong, match="first"):
            asyncio.run(errors.run("op", work))
    else:
        assert asyncio.run(errors.run("op", work)) != who_fails
    assert calls == 2


# -- policies ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"attempts": 0},
        {"attempts": None, "deadline_s": None},
        {"deadline_s": 0.0},
        {"deadline_s": float("nan")},
        {"attempt_timeout_s": -1.0},
        {"hedge_after_s": 1.0},
        {"hedge_after_s": float("inf"), "idempotent": True},
    ],
)
def test_policies_that_cannot_work_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(PolicyError):
        RetryPolicy(**settings)  # type: ignore[arg-type]


def test_policies_are_values() -> None:
    assert RetryPolicy(attempts=3) == RetryPolicy(attempts=3)
    assert len({RetryPolicy(), RetryPolicy(), RetryPolicy(unit=Unit.STATEMENT)}) == 2


# -- pauses ------------------------------------------------------------------------------


def highest(_: float, most: float) -> float:
    return most


def test_full_jitter_doubles_up_to_its_cap() -> None:
    backoff = FullJitter(0.1, 1.0)
    pauses = [backoff.pause_s(n, 0, None, highest) for n in range(1, 7)]
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.0, 1.0])
    assert backoff.pause_s(100_000, 0, None, highest) == 1.0
    assert backoff.pause_s(3, 0, None, lambda low, _: low) == 0.0


def test_an_error_known_to_last_lengthens_the_pauses() -> None:
    assert FullJitter(0.1, 1.0).pause_s(1, 0, 5.0, highest) == 5.0
    assert FullJitter(0.1, 1.0).pause_s(1, 0, 0.5, highest) == 0.5
    assert DecorrelatedJitter(0.1, 1.0).pause_s(1, 0, 5.0, lambda low, _: low) == 5.0


def test_decorrelated_jitter_grows_from_the_last_pause() -> None:
    backoff = DecorrelatedJitter(0.1, 1.0)
    assert backoff.pause_s(1, 0, None, highest) == 0.1
    assert backoff.pause_s(2, 0.1, None, highest) == pytest.approx(0.3)
    assert backoff.pause_s(9, 0.3, None, highest) == pytest.approx(0.9)
    assert backoff.pause_s(9, 0.9, None, highest) == 1.0
    assert backoff.pause_s(9, 0.9, None, lambda low, _: low) == 0.1


def test_decorrelated_pauses_are_fed_with_the_last_one(time: VirtualTime) -> None:
    errors = middleware(time, RetryPolicy(backoff=DecorrelatedJitter(0.1, 100.0), deadline_s=1e4))
    errors.environment.uniform = highest
    errors.run_sync("op", Script(*(Busy() for _ in range(4))))
    assert time.pauses == pytest.approx([0.1, 0.3, 0.9, 2.7])


def test_waits_of_tenacity_do_as_well(time: VirtualTime) -> None:
    from tenacity.wait import wait_incrementing  # noqa: PLC0415

    errors = middleware(time, RetryPolicy(backoff=wait_incrementing(0.1, 0.1)))
    errors.run_sync("op", Script(Busy(), Busy()))
    assert time.pauses == pytest.approx([0.1, 0.2])

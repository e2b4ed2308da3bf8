"""Errors that pass, errors that stay, and what the caller sees of both; in every form."""

import asyncio
import gc
import traceback
from contextlib import suppress
from weakref import ref

import pytest
from tests.resilience.conftest import Form
from tests.resilience.support import (
    CALLS,
    MEANINGS,
    Busy,
    Cut,
    Ours,
    Restart,
    Script,
    Told,
    Wrong,
    by_attempts_sync,
    by_run_sync,
    middleware,
)

from meshaccel.resilience import DecorrelatedJitter, RetryBudget, RetryPolicy, Unit
from meshaccel.resilience.testing import VirtualTime


def test_a_success_costs_one_call(time: VirtualTime, form: Form) -> None:
    errors = middleware(time)
    script = Script()
    assert form(errors, "op", script) == "done"
    assert (script.calls, time.pauses) == (1, [])
    stats = errors.stats()["op"]
    assert (stats.calls, stats.retries, stats.recovery_rate) == (1, 0, None)


def test_transient_errors_pass(time: VirtualTime, form: Form) -> None:
    """The call is made again, after pauses within the bounds of the policy."""
    errors = middleware(time)
    script = Script(Busy(), Busy(), Busy())
    assert form(errors, "op", script) == "done"
    assert script.calls == 4
    assert len(time.pauses) == 3
    assert all(0 <= pause <= 0.05 * 2**n for n, pause in enumerate(time.pauses))
    stats = errors.stats()["op"]
    assert (stats.retries, stats.recovered, stats.recovery_rate) == (3, 1, 1.0)
    assert (stats.attempts_failed, stats.failed) == (3, 0)


@pytest.mark.parametrize("error", [Wrong(), Cut(), Ours(), ZeroDivisionError()])
def test_other_errors_are_raised_at_once(time: VirtualTime, form: Form, error: Exception) -> None:
    """Permanent ones, ambiguous ones without idempotency, and those that are nobody's business."""
    errors = middleware(time)
    script = Script(error)
    with pytest.raises(type(error)) as caught:
        form(errors, "op", script)
    assert caught.value is error
    assert script.calls == 1
    assert errors.stats()["op"].failed == 1
    assert errors.stats()["op"].ambiguous == isinstance(error, Cut)


def test_an_ambiguous_error_is_repeated_if_that_does_no_harm(time: VirtualTime, form: Form) -> None:
    errors = middleware(time, RetryPolicy(idempotent=True))
    assert form(errors, "op", Script(Cut())) == "done"


def test_the_last_error_is_raised_with_notes_of_all(time: VirtualTime, form: Form) -> None:
    errors = middleware(time, RetryPolicy(attempts=3))
    last = Busy("third")
    with pytest.raises(Busy) as caught:
        form(errors, "op", Script(Busy("first"), Busy("second"), last))
    assert caught.value is last
    notes = last.__notes__
    assert [n.partition(": ")[2][:16] for n in notes[:3]] == [f"attempt {n} failed" for n in "123"]
    assert [word in note for word, note in zip(("first", "second", "third"), notes, strict=False)]
    assert notes[3] == "op: not tried again: after 3 attempts"
    stats = errors.stats()["op"]
    assert (stats.failed, stats.unrecovered, stats.recovery_rate) == (1, 1, 0.0)
    assert stats.out_of_attempts == 1
    assert caught.value.__context__ is None


def test_notes_of_many_attempts_are_bounded(time: VirtualTime) -> None:
    errors = middleware(time, RetryPolicy(attempts=50, deadline_s=1e6))
    with pytest.raises(Busy) as caught:
        by_run_sync(errors, "op", Script(*(Busy() for _ in range(50))))
    assert caught.value.__notes__[0] == "op: 42 earlier attempts not shown"
    assert len(caught.value.__notes__) == 10


def test_the_traceback_shows_where_it_failed(time: VirtualTime, form: Form) -> None:
    with pytest.raises(Wrong) as caught:
        form(middleware(time), "op", Script(Wrong()))
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert frames[-1].name == "__call__"


def test_no_attempt_is_made_that_would_come_too_late(time: VirtualTime, form: Form) -> None:
    """The deadline is kept whatever the pauses are, and the reason is named."""
    errors = middleware(time, RetryPolicy(deadline_s=1.0))
    with pytest.raises(Busy) as caught:
        form(errors, "op", Script(*(Busy() for _ in range(1000))))
    assert time.now < 1.0
    assert "deadline" in caught.value.__notes__[-1]
    assert errors.stats()["op"].out_of_time == 1


def test_the_last_attempt_is_made_shortly_before_the_deadline(time: VirtualTime) -> None:
    """However long the pause would be; a dependency that is back by then is not missed."""
    policy = RetryPolicy(deadline_s=10.0, backoff=DecorrelatedJitter(8.0, 8.0))
    errors = middleware(time, policy)
    assert by_run_sync(errors, "op", Script(Busy(), Busy())) == "done"
    first, last = time.pauses
    assert first == 8.0
    assert 1.0 <= last < 2.0


@pytest.mark.parametrize("down_s", [(1.0, 5.0), (5.0, 9.0)])
def test_restarts_are_survived(down_s: tuple[float, float]) -> None:
    """By at least 99.5 % of calls with the default policy, each with chance of its own."""
    recovered = 0
    for seed in range(1_000):
        time = VirtualTime(seed)
        back = time.uniform(*down_s)

        def work(time: VirtualTime = time, back: float = back) -> None:
            if time.now < back:
                raise Busy

        with suppress(Busy):
            middleware(time).run_sync("op", work)
            recovered += 1
    assert recovered >= 995


def test_the_other_side_says_when(time: VirtualTime, form: Form) -> None:
    """Retry-After is a lower bound of the pause."""
    errors = middleware(time)
    assert form(errors, "op", Script(Told(3.0))) == "done"
    assert time.pauses == [3.0]


def test_the_other_side_says_later_than_we_have_time(time: VirtualTime, form: Form) -> None:
    errors = middleware(time, RetryPolicy(deadline_s=2.0))
    with pytest.raises(Told):
        form(errors, "op", Script(Told(3.0)))
    assert time.pauses == []


def test_a_statement_is_not_repeated_without_its_transaction(time: VirtualTime, form: Form) -> None:
    errors = middleware(time)
    errors.policy("statement", RetryPolicy(unit=Unit.STATEMENT))
    errors.policy("transaction", RetryPolicy(unit=Unit.TRANSACTION))
    with pytest.raises(Restart):
        form(errors, "statement", Script(Restart()))
    assert form(errors, "transaction", Script(Restart())) == "done"
    assert form(errors, "statement", Script(Busy())) == "done"


def test_a_transaction_is_repeated_as_a_whole(time: VirtualTime) -> None:
    """Its statements leave the error to it, and are all made again."""
    errors = middleware(time)
    errors.policy("statement", RetryPolicy(unit=Unit.STATEMENT))
    errors.policy("transaction", RetryPolicy(unit=Unit.TRANSACTION))
    begin, work, commit = Script(), Script(Restart()), Script()

    def transaction() -> None:
        for statement in (begin, work, commit):
            errors.run_sync("statement", statement)

    errors.run_sync("transaction", transaction)
    assert (begin.calls, work.calls, commit.calls) == (2, 2, 1)


def test_a_budget_bounds_retries_as_a_share_of_calls(time: VirtualTime) -> None:
    errors = middleware(time)
    budget = RetryBudget(0.1, reserve_per_s=0, capacity=10, clock=time.clock)
    errors.policy("op", RetryPolicy(attempts=3), budget=budget)
    attempts = 0

    def fail() -> None:
        nonlocal attempts
        attempts += 1
        raise Busy

    for _ in range(1000):
        with pytest.raises(Busy):
            errors.run_sync("op", fail)
    assert 1000 < attempts <= 1000 * 1.1 + 10
    assert errors.stats()["op"].out_of_budget > 800


@pytest.mark.parametrize("form_of_call", CALLS)
@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit, GeneratorExit])
@pytest.mark.parametrize("before", [0, 2])
def test_interrupts_pass(
    time: VirtualTime, form_of_call: Form, interrupt: type[BaseException], before: int
) -> None:
    """What is no Exception is not looked at, in the first attempt or a later one."""
    errors = middleware(time)
    errors.add_handler(Exception, lambda _: pytest.fail("asked") if before == 0 else None)
    script = Script(*(Busy() for _ in range(before)), interrupt())
    with pytest.raises(interrupt):
        form_of_call(errors, "op", script)
    assert script.calls == before + 1


def test_cancelled_from_within(time: VirtualTime) -> None:
    """A CancelledError that the function raises itself passes as well."""
    errors = middleware(time)
    script = Script(Busy(), asyncio.CancelledError())

    async def work() -> None:
        script()

    async def main() -> None:
        with pytest.raises(asyncio.CancelledError):
            await errors.run("op", work)

    asyncio.run(main())
    assert script.calls == 2


def test_none_is_a_result(time: VirtualTime, form: Form) -> None:
    assert form(middleware(time), "op", Script(Busy(), value=None)) is None


@pytest.mark.parametrize("failures", [2, 3])
@pytest.mark.parametrize("way", ["call", "block", "thread", "block in a thread"])
def test_errors_are_let_go(time: VirtualTime, way: str, failures: int) -> None:
    """No circle of frames and errors is left for the collector to find."""
    errors = middleware(time, RetryPolicy(attempts=3))
    made = [Busy(str(n)) for n in range(failures)]
    alive = [ref(error) for error in made]
    script = Script(*made)
    made.clear()

    async def work() -> None:
        script()

    async def block() -> None:
        async for attempt in errors.attempts("op"):
            async with attempt:
                script()

    async def main() -> None:  # asyncio.run() itself would leave a circle behind
        with suppress(Busy):
            await (errors.run("op", work) if way == "call" else block())
        assert [error() for error in alive] == [None] * failures

    gc.collect()
    gc.disable()
    try:
        if way in {"call", "block"}:
            asyncio.run(main())
        with suppress(Busy):
            (by_run_sync if way == "thread" else by_attempts_sync)(errors, "op", script)
        assert [error() for error in alive] == [None] * failures
    finally:
        gc.enable()


def test_an_error_without_a_text_is_raised_all_the_same(time: VirtualTime, form: Form) -> None:
    class Mute(Busy):
        def __str__(self) -> str:
            raise ZeroDivisionError

    MEANINGS[Mute] = MEANINGS[Busy]
    errors = middleware(time, RetryPolicy(attempts=2))
    with pytest.raises(Mute) as caught:
        form(errors, "op", Script(Mute(), Mute()))
    assert "Mute, whose text raises ZeroDivisionError" in caught.value.__notes__[0]


def test_an_answer_after_a_retry_is_no_failure_to_recover(time: VirtualTime, form: Form) -> None:
    errors = middleware(time)
    with pytest.raises(Wrong):
        form(errors, "op", Script(Busy(), Wrong()))
    stats = errors.stats()["op"]
    assert (stats.recovered, stats.unrecovered, stats.failed) == (0, 0, 1)

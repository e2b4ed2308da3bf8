"""Handlers: who is asked, in which order, and what comes of their answers."""

import asyncio
from typing import Any

import pytest
from tests.resilience.conftest import Form
from tests.resilience.support import (
    CALLS,
    Busy,
    Cut,
    Ours,
    Script,
    Wrong,
    by_run,
    by_run_sync,
    middleware,
)

from meshaccel.errors import PolicyError
from meshaccel.resilience import Failure, Ignore, Raise, Retry, RetryPolicy, Return
from meshaccel.resilience.testing import VirtualTime


class VeryWrong(Wrong):
    """More specific."""


def test_return_settles_the_call(time: VirtualTime, form: Form) -> None:
    errors = middleware(time)
    errors.add_handler(Wrong, lambda failure: Return(f"not {failure.error}"))
    script = Script(Wrong("there"))
    assert form(errors, "op", script) == "not there"
    assert script.calls == 1
    assert errors.stats()["op"].handled == 1


def test_raise_names_the_error_as_its_cause(time: VirtualTime, form: Form) -> None:
    errors = middleware(time)
    error, other = Wrong(), LookupError()
    errors.add_handler(Wrong, lambda _: Raise(other))
    with pytest.raises(LookupError) as caught:
        form(errors, "op", Script(error))
    assert caught.value is other
    assert other.__cause__ is error


def test_retry_overrides_the_verdict(time: VirtualTime, form: Form) -> None:
    """After exactly as long as the handler says, within the limits of the policy."""
    errors = middleware(time, RetryPolicy(attempts=3))
    errors.add_handler(Wrong, lambda _: Retry(0.25))
    assert form(errors, "op", Script(Wrong(), Wrong())) == "done"
    assert time.pauses == [0.25, 0.25]
    with pytest.raises(Wrong):
        form(errors, "op", Script(*(Wrong() for _ in range(3))))


def test_retry_does_not_repeat_what_may_have_happened(time: VirtualTime, form: Form) -> None:
    errors = middleware(time)
    errors.add_handler(Cut, lambda _: Retry())
    script = Script(Cut())
    with pytest.raises(Cut) as caught:
        form(errors, "op", script)
    assert script.calls == 1
    assert "not idempotent" in caught.value.__notes__[-1]


def test_the_most_specific_is_asked_first_and_ignoring_passes_on(
    time: VirtualTime, form: Form
) -> None:
    """By class, then by order of registration, then along the causes; Exception comes last."""
    errors = middleware(time)
    asked: list[str] = []

    def handler(name: str, answer: Any = None) -> Any:
        def ask(failure: Failure[Exception]) -> Any:
            asked.append(f"{name}:{type(failure.error).__name__}")
            return answer

        return ask

    errors.add_handler(Exception, handler("any", Return("at last")))
    errors.add_handler(Wrong, handler("wrong"))
    errors.add_handler(VeryWrong, handler("very 1", Ignore()))
    errors.add_handler(VeryWrong, handler("very 2"))
    errors.add_handler(OSError, handler("os"))
    errors.add_handler(ConnectionError, handler("connection"))
    errors.add_handler(KeyError, handler("never"))

    def fail() -> None:
        raise VeryWrong from ConnectionResetError()

    assert form(errors, "op", fail) == "at last"
    assert asked == [
        "very 1:VeryWrong",
        "very 2:VeryWrong",
        "wrong:VeryWrong",
        "connection:ConnectionResetError",
        "os:ConnectionResetError",
        "any:VeryWrong",
    ]


def missing() -> None:
    raise KeyError


def test_context_counts_unless_suppressed(time: VirtualTime) -> None:
    errors = middleware(time)
    errors.add_handler(KeyError, lambda failure: Return(failure.raised))

    def implicit() -> None:
        try:
            missing()
        except KeyError:
            raise Wrong  # noqa: B904 - the point

    def suppressed() -> None:
        try:
            missing()
        except KeyError:
            raise Wrong from None

    assert isinstance(by_run_sync(errors, "op", implicit), Wrong)
    with pytest.raises(Wrong):
        by_run_sync(errors, "op", suppressed)


def test_a_circle_of_causes_ends(time: VirtualTime) -> None:
    first, second = Wrong("1"), Wrong("2")
    first.__cause__, second.__cause__ = second, first
    errors = middleware(time)
    errors.add_handler(KeyError, lambda _: pytest.fail("asked"))
    with pytest.raises(Wrong) as caught:
        by_run_sync(errors, "op", Script(first))
    assert caught.value is first


def test_handlers_see_the_facts(time: VirtualTime, form: Form) -> None:
    errors = middleware(time)
    seen: list[Failure[Busy]] = []
    errors.add_handler(Busy, seen.append)
    form(errors, "op", Script(Busy(), Busy()))
    assert [(f.operation, f.attempt) for f in seen] == [("op", 1), ("op", 2)]
    assert [f.elapsed_s for f in seen] == [0.0, time.pauses[0]]
    assert seen[0].raised is seen[0].error
    assert seen[0].classification.feeds == "breaker"


def test_coroutine_functions_may_handle(time: VirtualTime) -> None:
    async def handler(failure: Failure[Wrong]) -> Return:
        await asyncio.sleep(0)
        return Return(failure.attempt)

    errors = middleware(time)
    errors.add_handler(Wrong, handler)
    assert by_run(errors, "op", Script(Wrong())) == 1


def test_a_thread_cannot_wait_for_a_handler_or_fallback(time: VirtualTime) -> None:
    """It is told so; a coroutine that does not really wait is fine."""

    async def waiting(_: object) -> Return:
        await asyncio.sleep(0)
        return Return(1)

    async def prompt(_: object) -> Return:
        return Return(2)

    errors = middleware(time)
    errors.add_handler(Wrong, waiting)
    errors.add_handler(Busy, prompt)
    errors.policy("late", RetryPolicy(attempts=1), fallback=waiting)
    with pytest.raises(PolicyError, match="handler waits"):
        by_run_sync(errors, "op", Script(Wrong()))
    assert by_run_sync(errors, "op", Script(Busy())) == 2
    with pytest.raises(PolicyError, match="fallback waits"):
        by_run_sync(errors, "late", Script(Cut()))


@pytest.mark.parametrize("by", CALLS)
def test_what_a_handler_raises_is_raised(time: VirtualTime, by: Form) -> None:
    """With the error it was asked about as its cause."""
    error = Wrong()

    def broken(_: object) -> None:
        raise ZeroDivisionError

    errors = middleware(time)
    errors.add_handler(Wrong, broken)
    with pytest.raises(ZeroDivisionError) as caught:
        by(errors, "op", Script(error))
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("by", CALLS)
def test_a_handler_may_raise_the_error_itself_or_its_cause(time: VirtualTime, by: Form) -> None:
    """No circle of causes comes of it."""

    def reraise(failure: Failure[Exception]) -> None:
        raise failure.error

    errors = middleware(time)
    errors.add_handler(Wrong, reraise)
    errors.add_handler(KeyError, reraise)
    error, wrapper, cause = Wrong(), ValueError(), KeyError()
    with pytest.raises(Wrong) as caught:
        by(errors, "op", Script(error))
    assert (caught.value, error.__cause__) == (error, None)
    wrapper.__cause__ = cause
    with pytest.raises(KeyError) as caught_cause:
        by(errors, "op", Script(wrapper))
    assert (caught_cause.value, cause.__cause__) == (cause, None)


def test_an_answer_that_is_none_is_refused(time: VirtualTime) -> None:
    errors = middleware(time)
    errors.add_handler(Wrong, lambda _: "Return")  # type: ignore[arg-type,return-value]
    with pytest.raises(PolicyError, match="'Return'") as caught:
        by_run_sync(errors, "op", Script(Wrong()))
    assert isinstance(caught.value.__cause__, Wrong)


@pytest.mark.parametrize("kind", [BaseException, KeyboardInterrupt, asyncio.CancelledError])
def test_interrupts_have_no_handlers(time: VirtualTime, kind: type[Exception]) -> None:
    with pytest.raises(PolicyError, match="no subclass of Exception"):
        middleware(time).add_handler(kind, lambda _: Return(1))


def test_nobodys_error_is_not_handled(time: VirtualTime, form: Form) -> None:
    errors = middleware(time)
    errors.add_handler(Exception, lambda _: Return(1))
    with pytest.raises(Ours):
        form(errors, "op", Script(Ours()))


# -- fallbacks ---------------------------------------------------------------------------


def test_the_fallback_answers_when_the_dependency_cannot(time: VirtualTime, form: Form) -> None:
    errors = middleware(time)
    seen: list[Exception] = []

    def fallback(error: Exception) -> str:
        seen.append(error)
        return "kept"

    errors.policy("op", RetryPolicy(attempts=2), fallback=fallback)
    last = Busy()
    assert form(errors, "op", Script(Busy(), last)) == "kept"
    assert seen == [last]
    stats = errors.stats()["op"]
    assert (stats.fallbacks, stats.unrecovered, stats.failed) == (1, 1, 0)


def test_the_fallback_does_not_hide_an_answer(time: VirtualTime, form: Form) -> None:
    errors = middleware(time)
    errors.policy("op", RetryPolicy(), fallback=lambda _: "kept")
    with pytest.raises(Wrong):
        form(errors, "op", Script(Wrong()))


def test_a_fallback_may_be_a_coroutine_function(time: VirtualTime) -> None:
    async def fallback(error: Exception) -> str:
        await asyncio.sleep(0)
        return type(error).__name__

    errors = middleware(time)
    errors.policy("op", RetryPolicy(attempts=1), fallback=fallback)
    assert by_run(errors, "op", Script(Busy())) == "Busy"


def test_what_a_fallback_raises_has_the_error_as_its_cause(time: VirtualTime, form: Form) -> None:
    def broken(_: Exception) -> None:
        raise LookupError

    errors = middleware(time)
    errors.policy("op", RetryPolicy(attempts=1), fallback=broken)
    error = Busy()
    with pytest.raises(LookupError) as caught:
        form(errors, "op", Script(error))
    assert caught.value.__cause__ is error

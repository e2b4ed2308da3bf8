"""Errors, answers and pauses of a kind that nobody thinks of."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import pytest
from tests.resilience.conftest import Form
from tests.resilience.support import Busy, Ours, Script, middleware

from meshaccel.errors import PolicyError
from meshaccel.resilience import (
    Bulkhead,
    ErrorHandlingMiddleware,
    FullJitter,
    Raise,
    Retry,
    RetryPolicy,
    Return,
)
from meshaccel.resilience.testing import VirtualTime


@dataclass(frozen=True)
class Frozen(Exception):  # noqa: N818
    """Refuses every attribute, those that the interpreter sets included."""

    number: int


async def answer() -> str:
    return "done"


@pytest.mark.parametrize("end", [StopIteration("end"), StopAsyncIteration("end")])
def test_the_end_of_an_iterator_ends_no_loop(end: Exception) -> None:
    """Not that over the attempts, which would look as if all had gone well."""
    errors = ErrorHandlingMiddleware()
    errors.policy("op", RetryPolicy(), bulkhead=Bulkhead(1))

    def block() -> None:
        for attempt in errors.attempts("op"):
            with attempt:
                raise end

    async def block_async() -> None:
        async for attempt in errors.attempts("op"):
            async with attempt:
                raise StopAsyncIteration("end")

    with pytest.raises(type(end), match="end"):
        errors.run_sync("op", Script(end))
    with pytest.raises(type(end), match="end"):
        block()
    with pytest.raises(StopAsyncIteration, match="end"):
        asyncio.run(block_async())
    assert errors.stats()["op"].in_use == 0
    assert errors.stats()["op"].failed == 3


def test_nobodys_error_passes_through_a_block(time: VirtualTime, form: Form) -> None:
    """It is counted, and gives back what was entered."""
    errors = middleware(time)
    errors.policy("op", RetryPolicy(), bulkhead=Bulkhead(1))
    with pytest.raises(Ours):
        form(errors, "op", Script(Ours()))
    assert (errors.stats()["op"].failed, errors.stats()["op"].in_use) == (1, 0)
    assert errors.stats()["op"].attempts_failed == 1


def test_an_error_that_cannot_be_written_to(time: VirtualTime, form: Form) -> None:
    """It is raised all the same, if without notes."""
    errors = middleware(time)
    errors.add_handler(Frozen, lambda _: Retry())
    errors.policy("op", RetryPolicy(attempts=2))
    with pytest.raises(Frozen) as caught:
        form(errors, "op", Script(Frozen(1), Frozen(2)))
    assert caught.value.number == 2


def test_one_that_a_handler_raises(time: VirtualTime, form: Form) -> None:
    errors = middleware(time)
    errors.add_handler(Busy, lambda _: Raise(Frozen(1)))
    with pytest.raises(Frozen):
        form(errors, "op", Script(Busy()))


def test_a_coroutine_is_no_answer_of_a_thread(time: VirtualTime) -> None:
    """Nothing would watch over it: it would fail when it is awaited, after all is over."""
    errors = middleware(time)

    @errors.guard("op")
    def hidden() -> Coroutine[Any, Any, str]:  # a decorator that is no coroutine function
        return answer()

    with pytest.raises(PolicyError, match="op: a coroutine"):
        hidden()  # type: ignore[unused-coroutine]
    with pytest.raises(PolicyError, match="op: a coroutine"):
        errors.run_sync("op", Script(Busy(), value=answer()))
    assert errors.stats()["op"].failed == 2


@pytest.mark.parametrize("after_s", [-1.0, float("nan")])
def test_a_pause_that_is_none_is_refused(time: VirtualTime, form: Form, after_s: float) -> None:
    errors = middleware(time)
    errors.add_handler(Busy, lambda _: Retry(after_s))
    with pytest.raises(PolicyError, match="after_s") as caught:
        form(errors, "op", Script(Busy()))
    assert isinstance(caught.value.__cause__, Busy)


@pytest.mark.parametrize("pause_s", [-1.0, float("nan")])
def test_a_backoff_that_is_wrong_does_not_wait(time: VirtualTime, pause_s: float) -> None:
    errors = middleware(time)
    errors.policy("op", RetryPolicy(backoff=lambda _: pause_s))  # type: ignore[arg-type]
    assert errors.run_sync("op", Script(Busy())) == "done"
    assert time.pauses == [0.0]


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_pauses_below_nothing_are_refused(seconds: float) -> None:
    with pytest.raises(PolicyError):
        FullJitter(base_s=seconds)
    with pytest.raises(PolicyError):
        FullJitter(cap_s=seconds)


def test_an_answer_that_is_a_value_of_the_handlers(time: VirtualTime, form: Form) -> None:
    """What an operation returns is nobody's decision."""
    errors = middleware(time)
    assert form(errors, "op", Script(value=Return(1))) == Return(1)

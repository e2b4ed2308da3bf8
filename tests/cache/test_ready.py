"""An awaitable that has its value already."""

import asyncio
import gc
import inspect
import sys
import weakref
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import pytest
from tests.naming import named

from meshaccel._native import Ready, ready


class Thing:
    """Something that can be referred to weakly."""


VALUES: list[Any] = [
    1,
    None,
    (),
    (1, 2),
    LookupError("as a value"),
    StopIteration(3),
    StopIteration,
    Thing(),
]


async def awaiting(awaitable: Any) -> Any:
    """Await in a frame of its own."""
    return await awaitable


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run what never suspends."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    pytest.fail("suspended")


@pytest.mark.parametrize("value", VALUES, ids=named)
def test_awaiting_gives_the_very_value_without_suspending(value: Any) -> None:
    """Tuples and exceptions too, which a bare ``StopIteration`` would take apart."""
    awaitable = ready(value)
    for _ in range(3):
        assert run(awaiting(awaitable)) is value


@pytest.mark.parametrize("value", VALUES, ids=named)
def test_by_hand_it_is_a_coroutine_that_has_returned(value: Any) -> None:
    awaitable = ready(value)
    for step in (awaitable.__next__, awaitable.__await__().__next__, lambda: awaitable.send(None)):
        with pytest.raises(StopIteration) as done:
            step()
        assert done.value.value is value
    assert list(awaitable) == []
    awaitable.close()


def test_whatever_takes_awaitables_takes_it() -> None:
    async def take() -> None:
        assert list(await asyncio.gather(ready("a"), ready((2, 3)))) == ["a", (2, 3)]
        assert await asyncio.wait_for(ready("b"), 60) == "b"
        assert await asyncio.shield(ready("c")) == "c"
        assert await asyncio.ensure_future(ready("d")) == "d"
        async with asyncio.TaskGroup() as group:
            task: asyncio.Task[str] = group.create_task(ready("e"))
        assert task.result() == "e"

    asyncio.run(take())
    assert asyncio.run(ready("f")) == "f"
    assert inspect.isawaitable(ready("g"))
    assert isinstance(ready("h"), Coroutine)


def test_task_that_is_cancelled_before_it_began() -> None:
    async def cancel() -> None:
        task: asyncio.Task[int] = asyncio.create_task(ready(1))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())


def test_throw_raises_what_it_is_given() -> None:
    awaitable = ready(1)
    error = LookupError("given")
    with pytest.raises(LookupError) as caught:
        awaitable.throw(error)
    assert caught.value is error
    with pytest.raises(LookupError, match="made"):
        awaitable.throw(LookupError, "made")
    with pytest.raises(LookupError) as caught:
        awaitable.throw(LookupError, error, error.__traceback__)
    assert caught.value is error
    with pytest.raises(LookupError):
        awaitable.throw(LookupError)
    wrongs: list[Any] = [(), (1,), (None, 1), (LookupError, None, 1)]
    for wrong in wrongs:
        with pytest.raises(TypeError):
            awaitable.throw(*wrong)
    assert run(awaiting(awaitable)) == 1


def test_nothing_is_kept_alive() -> None:
    """Neither by the exception that is used again nor by the frames it came through."""
    things: list[weakref.ref[Thing]] = []

    def once() -> None:
        thing = Thing()
        things.append(weakref.ref(thing))
        run(awaiting(ready(thing)))
        with suppress(StopIteration):
            next(ready(thing))
        try:
            raise LookupError(thing)  # noqa: TRY301 - the context is what is tested
        except LookupError:
            run(awaiting(ready(thing)))

    for _ in range(3):
        once()
    assert [thing() for thing in things] == [None] * 3


def test_exception_that_somebody_keeps_is_not_used_again() -> None:
    kept: list[StopIteration] = []
    for number in range(10):
        awaitable = ready(number)
        with pytest.raises(StopIteration) as done:
            next(awaitable)
        kept.append(done.value)
        del awaitable, done
        assert run(awaiting(ready("another"))) == "another"
    assert [error.value for error in kept] == list(range(10))
    assert len({id(error) for error in kept}) == 10


def test_ready_in_ready() -> None:
    inner, outer = ready(1), ready(ready(2))
    assert run(awaiting(ready(inner))) is inner
    assert run(awaiting(run(awaiting(outer)))) == 2


def test_cycles_are_collected() -> None:
    holder: list[Any] = []
    thing = Thing()
    holder += [thing, ready(holder)]
    run(awaiting(holder[1]))
    next(iter(holder[1]), None)  # as `await` does since 3.12
    gone = weakref.ref(thing)
    del thing, holder
    gc.collect()
    assert gone() is None


def test_finaliser_may_await() -> None:
    seen: list[object] = []

    class Finalised:
        def __del__(self) -> None:
            seen.append(run(awaiting(ready("in finaliser"))))

    run(awaiting(ready(Finalised())))
    assert seen == ["in finaliser"]
    assert run(awaiting(ready("after"))) == "after"


def test_long_chain_is_dropped_without_a_stack() -> None:
    chain: object = None
    for _ in range(300_000):
        chain = ready(chain)
    del chain
    assert run(awaiting(ready(1))) == 1


def test_nothing_leaks() -> None:
    value = Thing()
    before = sys.getrefcount(value), sys.getrefcount(Ready)
    for _ in range(1000):
        run(awaiting(ready(value)))
        next(ready(value), None)
    assert (sys.getrefcount(value), sys.getrefcount(Ready)) == before


def test_only_the_function_makes_one() -> None:
    with pytest.raises(TypeError, match="cannot create"):
        Ready()
    assert Ready[int].__origin__ is Ready  # type: ignore[attr-defined]

"""Cancelled at any await of any policy: it ends there, and leaves nothing behind."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any

import pytest
from tests.resilience.support import Busy, Cut, Told, Wrong, middleware

from meshaccel.errors import MeshAccelError
from meshaccel.resilience import (
    Bulkhead,
    CircuitBreaker,
    ErrorHandlingMiddleware,
    Failure,
    Retry,
    RetryBudget,
    RetryPolicy,
    Return,
)
from meshaccel.resilience.scope import SCOPE
from meshaccel.resilience.testing import VirtualTime

WORLDS = 400
POINTS = 2_000
"""Fewer points than this would not be a proof; the random worlds have more."""


class Stepped:
    """Runs a coroutine and cancels it at one of the points where it waits.

    ``early`` asks for it before the wait begins, which the event loop then cancels; otherwise
    the wait ends well, and the cancellation comes before the coroutine goes on.
    """

    def __init__(self, point: int | None, *, early: bool) -> None:
        self.points = 0
        self._point = point
        self._early = early

    @coroutine
    def run(self, work: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """Await ``work``."""
        thrown: BaseException | None = None
        while True:
            try:
                waited = work.send(None) if thrown is None else work.throw(thrown)
            except StopIteration as stop:
                return stop.value
            thrown = None
            now = self.points == self._point
            self.points += 1
            if now and self._early:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            try:
                yield waited
            except BaseException as error:  # noqa: BLE001 - it goes to the coroutine
                thrown = error
            else:
                if now and not self._early:
                    thrown = asyncio.CancelledError()


class World:
    """A middleware with some policy, and something to run that fails in some way."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - nothing secret
        self._chance = chance
        self.time = VirtualTime(seed)
        self.bulkhead = Bulkhead(2, max_waiting=4)
        self.breaker = CircuitBreaker(clock=self.time.clock, min_calls=chance.choice([2, 50]))
        self.errors = middleware(self.time)
        self.scopes: list[list[Any]] = []
        self.script = [
            chance.choice([None, Busy, Busy, Cut, Wrong]) for _ in range(chance.randint(1, 5))
        ]
        self.hold = chance.random() < 0.4
        self.form = chance.choice([self.call, self.block, self.nested])
        whole = self.form == self.call
        self.errors.policy(
            "op",
            RetryPolicy(
                attempts=chance.choice([2, 4]),
                idempotent=whole or chance.random() < 0.5,
                attempt_timeout_s=60.0 if whole and chance.random() < 0.5 else None,
                hedge_after_s=0.01 if whole and chance.random() < 0.4 else None,
            ),
            breaker=self.breaker,
            bulkhead=self.bulkhead,
            budget=RetryBudget(clock=self.time.clock),
            fallback=self.fallback if chance.random() < 0.5 else None,
        )
        self.errors.policy("outer", RetryPolicy(attempts=2, idempotent=chance.random() < 0.5))
        self.errors.add_handler(Wrong, self.handler)
        self.errors.add_handler(Told, lambda _: Retry())

    async def handler(self, failure: Failure[Wrong]) -> Return | None:
        await asyncio.sleep(0)
        return Return(failure.attempt) if self._chance.random() < 0.5 else None

    async def fallback(self, error: Exception) -> str:
        await asyncio.sleep(0)
        return type(error).__name__

    async def work(self) -> str:
        scope = SCOPE.get()
        if scope:
            self.scopes.append(scope)
        await asyncio.sleep(0)
        error = self.script.pop(0) if self.script else None
        await asyncio.sleep(0)
        if error is not None:
            raise error
        return "done"

    async def call(self) -> Any:
        return await self.errors.run("op", self.work)

    async def block(self) -> Any:
        attempts = self.errors.attempts("op")
        async for attempt in attempts:
            async with attempt:
                return await self.work()
        return attempts.value

    async def nested(self) -> Any:
        return await self.errors.run("outer", self.block)

    async def run(self, stepped: Stepped) -> str:
        """Run, and say how it ended: ``cancelled``, ``raised`` or ``returned``."""
        if self.hold:  # somebody else has all the room for a while
            assert self.bulkhead.try_enter()
            assert self.bulkhead.try_enter()
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self.bulkhead.leave)
            loop.call_soon(self.bulkhead.leave)
        outcome = "returned"

        async def stepping() -> None:
            await stepped.run(self.form())

        task = asyncio.create_task(stepping())
        try:
            await task
        except asyncio.CancelledError:
            outcome = "cancelled"
        except (Busy, Cut, Wrong, MeshAccelError):
            outcome = "raised"
        return outcome

    async def check(self) -> None:
        """Nothing of it is left: no task, timer, permit or scope."""
        for _ in range(3):
            await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        loop: Any = asyncio.get_running_loop()
        assert [timer for timer in loop._scheduled if not timer.cancelled()] == []
        assert (self.bulkhead.in_use, self.bulkhead.waiting) == (0, 0)
        assert all(not scope for scope in self.scopes)
        self.time.now += 60.0
        permit = self.breaker if self.breaker.try_enter() else await self.breaker.enter(None)
        permit.success(0.0)
        assert self.breaker.state == "closed"


async def play(seed: int, stepped: Stepped) -> str:
    world = World(seed)
    outcome = await world.run(stepped)
    await world.check()
    return outcome


def test_cancelled_at_each_await() -> None:
    """No cancellation is swallowed, and nothing leaks."""
    points = 0
    ends = set()

    async def main() -> None:
        nonlocal points
        for seed in range(WORLDS):
            whole = Stepped(None, early=True)
            ends.add(await play(seed, whole))
            for point in range(whole.points):
                for early in (True, False):
                    outcome = await play(seed, Stepped(point, early=early))
                    assert outcome == "cancelled", (seed, point, early)
                    points += 1

    asyncio.run(main())
    assert points >= POINTS
    assert ends == {"returned", "raised"}


def test_a_middleware_that_swallowed_would_be_found() -> None:
    """The proof bites: one that treats cancellations as errors fails it."""

    class Swallowing(ErrorHandlingMiddleware):
        async def run(self, operation: str, fn: Callable[..., Any], /, *args: Any) -> Any:  # type: ignore[override]
            try:
                return await super().run(operation, fn, *args)
            except asyncio.CancelledError:
                return None

    async def main() -> str:
        world = World(0)
        world.errors.__class__ = Swallowing
        world.form = world.call
        return await world.run(Stepped(0, early=True))

    assert asyncio.run(main()) == "returned"


@pytest.mark.parametrize("seed", range(20))
def test_closed_in_the_middle(seed: int) -> None:
    """A coroutine that is dropped at any await gives everything back, too."""

    async def main() -> None:
        whole = Stepped(None, early=True)
        await play(seed, whole)
        for point in range(whole.points):
            world = World(seed)
            if any(op.policy.hedge_after_s is not None for op in world.errors._operations.values()):
                return  # its tasks go on in the loop, as nobody can wait for them
            work: Any = world.form()
            try:
                for _ in range(point + 1):
                    work.send(None)
            except (StopIteration, Busy, Cut, Wrong, MeshAccelError):
                continue
            work.close()
            await world.check()

    asyncio.run(main())

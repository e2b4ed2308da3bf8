"""An operation: its policy, what it has to pass, and what became of it."""

import math
from collections.abc import Awaitable, Callable
from typing import Any

from meshaccel.errors import BulkheadFullError, CircuitOpenError
from meshaccel.resilience.breaker import Breaker, Permit
from meshaccel.resilience.budget import RetryBudget
from meshaccel.resilience.bulkhead import Bulkhead
from meshaccel.resilience.environment import at_once
from meshaccel.resilience.policy import RetryPolicy
from meshaccel.resilience.stats import Counters, OperationStats
from meshaccel.resilience.verdicts import Classification, Verdict

Fallback = Callable[[Exception], Any | Awaitable[Any]]
"""Is given the error that is about to be raised; what it returns is returned instead."""


class Operation:
    """What happens around the calls of one name.

    Whoever enters takes the gates in one order, breaker and then bulkhead, and gives both back
    by exactly one of ``succeeded``, ``failed`` and ``abandoned``.
    """

    __slots__ = (
        "breaker",
        "budget",
        "bulkhead",
        "claims",
        "counters",
        "deadline_s",
        "fallback",
        "name",
        "plain",
        "policy",
        "timed",
    )

    def __init__(  # noqa: PLR0913 - a part each
        self,
        name: str,
        policy: RetryPolicy,
        *,
        breaker: Breaker | None = None,
        bulkhead: Bulkhead | None = None,
        budget: RetryBudget | None = None,
        fallback: Fallback | None = None,
        counters: Counters | None = None,
    ) -> None:
        self.name = name
        self.policy = policy
        self.breaker = breaker
        self.bulkhead = bulkhead
        self.budget = budget
        self.fallback = fallback
        self.counters = counters if counters is not None else Counters()
        if budget is not None:
            budget.serve(self.counters)
        self.deadline_s = math.inf if policy.deadline_s is None else policy.deadline_s
        self.plain = policy.attempt_timeout_s is None and policy.hedge_after_s is None
        """Whether a first attempt needs no timer."""
        self.timed = getattr(breaker, "timed", True)
        """Whether the breaker wants to know how long an answer took; reading the clock costs."""
        self.claims = policy.retries and policy.idempotent
        """Whether what fails within it is left to it; it must be able to repeat all of it."""

    def try_enter(self) -> bool:
        """Take the gates if all are open; then the breaker, if any, is the permit."""
        breaker, bulkhead = self.breaker, self.bulkhead
        if breaker is not None and not breaker.try_enter():
            return False
        if bulkhead is None or bulkhead.try_enter():
            return True
        if breaker is not None:
            breaker.release()
        return False

    async def enter(
        self, deadline: float, clock: Callable[[], float], *, wait: bool = True
    ) -> Permit | None:
        """Take the gates, waiting at most until ``deadline``.

        Raises:
            CircuitOpenError, BulkheadFullError: they did not open.
        """
        permit: Permit | None = self.breaker
        bounded = deadline if deadline != math.inf else None
        try:
            if self.breaker is not None and not self.breaker.try_enter():
                permit = await self.breaker.enter(bounded if wait else clock())
            try:
                await self._enter_bulkhead(bounded, clock, wait=wait)
            except BaseException:
                if permit is not None:
                    permit.release()
                raise
        except (CircuitOpenError, BulkheadFullError):
            self.counters.refused += 1
            raise
        return permit

    async def _enter_bulkhead(
        self, deadline: float | None, clock: Callable[[], float], *, wait: bool
    ) -> None:
        if self.bulkhead is None or self.bulkhead.try_enter():
            return
        if not wait:
            raise BulkheadFullError(f"{self.name!r} is full: {self.bulkhead.limit} run")
        await self.bulkhead.enter(None if deadline is None else deadline - clock())

    def enter_sync(self, deadline: float, clock: Callable[[], float]) -> Permit | None:
        """Take the gates without waiting.

        Raises:
            CircuitOpenError, BulkheadFullError: they are closed.
        """
        if self.try_enter():
            return self.breaker
        return at_once(self.enter(deadline, clock, wait=False), "the breaker")

    def succeeded(self, permit: Permit | None, latency_s: float) -> None:
        """Leave after an answer."""
        if self.bulkhead is not None:  # first: a breaker of a user's may fail
            self.bulkhead.leave()
        if permit is not None:
            permit.success(latency_s)

    def failed(self, permit: Permit | None, meaning: Classification, latency_s: float) -> None:
        """Leave after an error, and tell the breaker if it is its business."""
        if self.bulkhead is not None:
            self.bulkhead.leave()
        if permit is not None:
            if meaning.verdict is Verdict.NEVER or meaning.feeds == "bulkhead":
                permit.release()
            elif meaning.feeds == "breaker":
                permit.failure()
            else:  # a refusal is an answer
                permit.success(latency_s)

    def abandoned(self, permit: Permit | None) -> None:
        """Leave without any outcome."""
        if self.bulkhead is not None:
            self.bulkhead.leave()
        if permit is not None:
            permit.release()

    def stats(self) -> OperationStats:
        """Return what became of the calls so far."""
        return self.counters.snapshot(
            self.breaker.state if self.breaker is not None else None,
            self.bulkhead.in_use if self.bulkhead is not None else None,
            self.budget.balance if self.budget is not None else None,
        )


class Operations(dict[str, Operation]):
    """Operations by name. One that is asked for and has no policy has the default."""

    def __init__(self, default: RetryPolicy) -> None:
        super().__init__()
        self._default = default

    def __missing__(self, name: str) -> Operation:
        return self.setdefault(name, Operation(name, self._default))

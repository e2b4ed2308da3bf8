"""The middleware: handlers by type of error, policies by name of operation."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import ParamSpec, TypeVar

from meshaccel.errors import PolicyError
from meshaccel.resilience.attempt import limited
from meshaccel.resilience.blocks import Attempts
from meshaccel.resilience.breaker import Breaker
from meshaccel.resilience.budget import RetryBudget
from meshaccel.resilience.bulkhead import Bulkhead
from meshaccel.resilience.classification import DEFAULT_CLASSIFIER
from meshaccel.resilience.environment import Environment, answered
from meshaccel.resilience.guard import Guard
from meshaccel.resilience.handlers import Handler
from meshaccel.resilience.meaning import classified
from meshaccel.resilience.operation import Fallback, Operation
from meshaccel.resilience.persisting import persist, persist_sync
from meshaccel.resilience.policy import RetryPolicy
from meshaccel.resilience.recovery import Recovery
from meshaccel.resilience.scope import DEADLINE, SCOPE, inherit
from meshaccel.resilience.stats import OperationStats
from meshaccel.resilience.verdicts import Classifying

P = ParamSpec("P")
T = TypeVar("T")
E = TypeVar("E", bound=Exception)


class ErrorHandlingMiddleware:
    """Calls functions, and knows what to do when they fail.

    ::

        errors = ErrorHandlingMiddleware()
        errors.policy("agents.read", RetryPolicy(idempotent=True), breaker=CircuitBreaker())
        errors.add_handler(KeyError, lambda failure: Return(None))
        agent = await errors.run("agents.read", read_agent, "a1")

    The first attempt is a bare call. When it fails, the error is classified; handlers are asked,
    those of the most specific class first, then those of its cause; without their word the
    policy decides, and the call is made again after a pause until the deadline. In the end the
    operation's own error is raised, with a note of each attempt, or the fallback answers.
    ``CancelledError``, ``KeyboardInterrupt`` and whatever else is no ``Exception`` passes at once.

    Of operations within each other only one tries again: the outermost that is idempotent. Those
    within it are tried once, and inherit its deadline, also in tasks started by it.

    It may be shared by coroutines and threads. A success costs no timer, closure or context.

    Args:
        classifier: what errors mean.
        default: the policy of operations that have none.
        clock: seconds from an arbitrary start.
        sleep: waits so many seconds in a coroutine.
        sleep_sync: waits so many seconds in a thread.
        uniform: draws a number between two.
    """

    def __init__(
        self,
        *,
        classifier: Classifying = DEFAULT_CLASSIFIER,
        default: RetryPolicy = RetryPolicy(),  # noqa: B008 - it is frozen
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        sleep_sync: Callable[[float], None] = time.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._environment = Environment(classifier, clock, sleep, sleep_sync, uniform)
        self._default = default
        self._operations: dict[str, Operation] = {}

    @property
    def environment(self) -> Environment:
        """Its clock, sleep and chance; ``resilience.testing`` exchanges them."""
        return self._environment

    def add_handler(self, exc_type: type[E], handler: Handler[E]) -> None:
        """Let ``handler`` decide about errors of a type, and of its subclasses.

        It is a function or a coroutine function of a ``Failure``, and returns ``Retry``,
        ``Return``, ``Raise``, or ``Ignore`` (or nothing) to leave the error to the next. It is
        asked after each attempt that fails. What it raises is raised.

        Raises:
            PolicyError: ``exc_type`` is no subclass of Exception.
        """
        self._environment.handlers.add(exc_type, handler)

    def policy(
        self,
        operation: str,
        policy: RetryPolicy,
        *,
        breaker: Breaker | None = None,
        bulkhead: Bulkhead | None = None,
        budget: RetryBudget | None = None,
        fallback: Fallback | None = None,
    ) -> None:
        """Say how an operation is to be called, from its next call on.

        Args:
            operation: its name; the same function may have several.
            policy: attempts, deadline, pauses.
            breaker: keeps calls from a dependency in trouble; operations may share one.
            bulkhead: bounds calls at the same time; operations may share one.
            budget: bounds retries as a share of calls; operations may share one.
            fallback: a function or coroutine function of the error; it answers when the
                dependency cannot, not when its answer is an error.
        """
        before = self._operations.get(operation)
        self._operations[operation] = Operation(
            operation,
            policy,
            breaker=breaker,
            bulkhead=bulkhead,
            budget=budget,
            fallback=fallback,
            counters=before.counters if before is not None else None,
        )

    async def run(  # noqa: C901, PLR0912, PLR0915 - each method less is a tenth of the cost
        self,
        operation: str,
        fn: Callable[P, Awaitable[T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Await ``fn(*args, **kwargs)`` as an operation of that name, and return its result.

        Raises:
            ResilienceError: no attempt could be made, or one took too long.
            Exception: what ``fn`` raises, or a handler or the fallback.
        """
        try:
            op = self._operations[operation]
        except KeyError:
            op = self._declared(operation)
        op.counters.calls += 1
        breaker, bulkhead = op.breaker, op.bulkhead
        clock = self._environment.clock
        started = clock()
        outer = SCOPE.get()
        scope = [started + op.deadline_s, op.claims]
        in_time = True
        if outer:
            inherit(scope, outer)
            in_time = started < scope[DEADLINE]
        SCOPE.set(scope)
        failed: Exception | None = None
        try:
            entered = in_time and (breaker is None or breaker.try_enter())
            if entered and bulkhead is not None and not bulkhead.try_enter():
                entered = False
                if breaker is not None:
                    breaker.release()
            if entered:
                try:
                    if op.plain:
                        result = await fn(*args, **kwargs)
                    else:
                        call = partial(fn, *args, **kwargs)
                        result = await limited(self._environment, op, scope[DEADLINE], call)
                except Exception as error:  # noqa: BLE001 - it is classified
                    failed = error
                    meaning = classified(self._environment, error)
                    op.failed(breaker, meaning, clock() - started)
                except BaseException:
                    op.abandoned(breaker)
                    raise
                else:
                    if bulkhead is not None:
                        bulkhead.leave()
                    if breaker is not None:
                        breaker.success(clock() - started if op.timed else 0.0)
                    return result
            recovery = Recovery(self._environment, op, started, scope, outer)
            call = partial(fn, *args, **kwargs)
            return await persist(self._environment, op, recovery, call, failed)
        finally:
            failed = None  # or the error and this frame would keep each other alive
            scope.clear()
            if outer:
                SCOPE.set(outer)

    def run_sync(
        self, operation: str, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call ``fn(*args, **kwargs)`` as an operation of that name, and return its result.

        Handlers and fallback must not wait, nor can breaker and bulkhead let it wait.

        Raises:
            PolicyError: the policy has an attempt timeout or a hedge, or a handler waits, or ``fn``
                returns a coroutine.
            ResilienceError: no attempt could be made.
            Exception: what ``fn`` raises, or a handler or the fallback.
        """
        op = self._operations.get(operation)
        if op is None:
            op = self._declared(operation)
        if not op.plain:
            raise PolicyError(f"{operation}: a thread can neither be cut off nor hedged")
        op.counters.calls += 1
        clock = self._environment.clock
        started = clock()
        outer = SCOPE.get()
        scope = [started + op.deadline_s, op.claims]
        in_time = True
        if outer:
            inherit(scope, outer)
            in_time = started < scope[DEADLINE]
        SCOPE.set(scope)
        failed: Exception | None = None
        try:
            if in_time and op.try_enter():
                try:
                    result = answered(operation, fn(*args, **kwargs))
                except Exception as error:  # noqa: BLE001 - it is classified
                    failed = error
                    meaning = classified(self._environment, error)
                    op.failed(op.breaker, meaning, clock() - started)
                except BaseException:
                    op.abandoned(op.breaker)
                    raise
                else:
                    op.succeeded(op.breaker, clock() - started)
                    return result
            recovery = Recovery(self._environment, op, started, scope, outer)
            call = partial(fn, *args, **kwargs)
            return persist_sync(self._environment, op, recovery, call, failed)
        finally:
            failed = None
            scope.clear()
            if outer:
                SCOPE.set(outer)

    def guard(self, operation: str) -> Guard:
        """Return a decorator that makes each call of a function such an operation."""
        return Guard(self, operation)

    def attempts(self, operation: str) -> Attempts:
        """Return a loop over the attempts of a block of code, for ``async for`` and ``for``."""
        op = self._operations.get(operation)
        if op is None:
            op = self._declared(operation)
        return Attempts(self._environment, op)

    def stats(self) -> dict[str, OperationStats]:
        """Return what became of the calls, by name of the operation."""
        return {name: op.stats() for name, op in list(self._operations.items())}

    def _declared(self, operation: str) -> Operation:
        return self._operations.setdefault(operation, Operation(operation, self._default))

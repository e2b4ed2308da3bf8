"""The middleware: handlers by type of error, policies by name of operation."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from meshaccel.resilience.blocks import Attempts
from meshaccel.resilience.breaker import Breaker
from meshaccel.resilience.budget import RetryBudget
from meshaccel.resilience.bulkhead import Bulkhead
from meshaccel.resilience.calling import call, call_sync
from meshaccel.resilience.classification import DEFAULT_CLASSIFIER
from meshaccel.resilience.environment import Environment
from meshaccel.resilience.guard import Guard
from meshaccel.resilience.handlers import Handler
from meshaccel.resilience.operation import Fallback, Operation, Operations
from meshaccel.resilience.policy import RetryPolicy
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
        self._operations = Operations(default)

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

    def run(
        self,
        operation: str,
        fn: Callable[P, Awaitable[T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Coroutine[Any, Any, T]:
        """Await ``fn(*args, **kwargs)`` as an operation of that name, and return its result.

        Returns a coroutine, in which ``fn`` is called.

        Raises:
            ResilienceError: no attempt could be made, or one took too long.
            Exception: what ``fn`` raises, or a handler or the fallback.
        """
        # Not ``async``: one coroutine more would be a tenth of the cost.
        return call(self._environment, self._operations[operation], fn, args, kwargs)

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
        return call_sync(self._environment, self._operations[operation], fn, args, kwargs)

    def guard(self, operation: str) -> Guard:
        """Return a decorator that makes each call of a function such an operation."""
        return Guard(self._environment, self._operations, operation)

    def attempts(self, operation: str) -> Attempts:
        """Return a loop over the attempts of a block of code, for ``async for`` and ``for``."""
        return Attempts(self._environment, self._operations[operation])

    def stats(self) -> dict[str, OperationStats]:
        """Return what became of the calls, by name of the operation."""
        return {name: op.stats() for name, op in list(self._operations.items())}

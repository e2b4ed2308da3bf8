"""The middleware around a block of code."""

from types import TracebackType
from typing import Any, Self

from meshaccel.errors import PolicyError
from meshaccel.resilience.attempt import check_time
from meshaccel.resilience.breaker import Permit
from meshaccel.resilience.environment import Environment
from meshaccel.resilience.handlers import chain
from meshaccel.resilience.meaning import classified
from meshaccel.resilience.operation import Operation
from meshaccel.resilience.recovery import Recovery
from meshaccel.resilience.scope import DEADLINE, SCOPE, Scope, inherit
from meshaccel.resilience.verdicts import Verdict


class Attempts:
    """The attempts of a block, which a statement cannot repeat but a loop can.

    ::

        async for attempt in errors.attempts("agents.read"):
            async with attempt:
                agent = await read_agent("a1")

    The loop ends with the first attempt that succeeds, with the error if there is no other, or,
    if a handler or the fallback settled it, with what they returned as ``value``. The same
    with ``for`` and ``with`` in a thread. Blocks are neither cut off nor hedged.

    Attributes:
        value: what a handler or the fallback returned.
    """

    def __init__(self, environment: Environment, operation: Operation) -> None:
        if not operation.plain:
            raise PolicyError(f"{operation.name}: a block can neither be cut off nor hedged")
        self.value: Any = None
        self._environment = environment
        self._operation = operation
        self._recovery: Recovery | None = None
        self._scope: Scope = []
        self._outer: Scope | None = None
        self._failed: Exception | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> "Attempt":
        recovery = self._recovery
        if recovery is None:
            return self._first()
        if self._failed is not None and await self._again(recovery, self._failed):
            return Attempt(self._environment, self._operation, self)
        raise StopAsyncIteration

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> "Attempt":
        recovery = self._recovery
        if recovery is None:
            return self._first()
        if self._failed is not None and self._again_sync(recovery, self._failed):
            return Attempt(self._environment, self._operation, self)
        raise StopIteration

    @property
    def deadline(self) -> float:
        """Until when attempts are made, by the middleware's clock."""
        return float(self._scope[DEADLINE])

    def entered(self) -> None:
        """Let what happens in the block inherit what is left of time."""
        SCOPE.set(self._scope)

    def failed(self, error: Exception) -> None:
        """Note an attempt that failed; the loop goes on with it."""
        SCOPE.set(self._outer)
        self._failed = error

    def ended(self, *, well: bool) -> None:
        """Note that there will not be another attempt."""
        SCOPE.set(self._outer)
        self._operation.counters.recovered += well and self._failed is not None
        self._failed = None
        self._scope.clear()
        if self._recovery is not None:
            self._recovery.forget()

    def refused(self, error: BaseException) -> None:
        """Note that an attempt was kept back, or cancelled before it began."""
        if isinstance(error, Exception):
            self._operation.counters.failed += 1
            if self._failed is not None:
                chain(error, self._failed)
        self.ended(well=False)

    def _first(self) -> "Attempt":
        environment, operation = self._environment, self._operation
        operation.counters.calls += 1
        started = environment.clock()
        self._outer = SCOPE.get()
        self._scope = [started + operation.deadline_s, operation.claims]
        if self._outer:
            inherit(self._scope, self._outer)
        self._recovery = Recovery(environment, operation, started, self._scope, self._outer)
        return Attempt(environment, operation, self)

    async def _again(self, recovery: Recovery, failed: Exception) -> bool:
        more = False
        try:
            more = await recovery.again(failed)
        finally:
            del failed
            self._settle(recovery, more=more)
        return more

    def _again_sync(self, recovery: Recovery, failed: Exception) -> bool:
        more = False
        try:
            more = recovery.again_sync(failed)
        finally:
            del failed
            self._settle(recovery, more=more)
        return more

    def _settle(self, recovery: Recovery, *, more: bool) -> None:
        if not more:
            self.value = recovery.value
            self.ended(well=False)


class Attempt:
    """One attempt: the block is what it surrounds.

    Entering raises ``CircuitOpenError``, ``BulkheadFullError`` or ``DeadlineExceededError`` if it
    is kept back: a block cannot be skipped, so this ends the loop.
    """

    __slots__ = ("_attempts", "_began", "_environment", "_operation", "_permit")

    def __init__(self, environment: Environment, operation: Operation, attempts: Attempts) -> None:
        self._environment = environment
        self._operation = operation
        self._attempts = attempts
        self._permit: Permit | None = None
        self._began = 0.0

    async def __aenter__(self) -> None:
        clock = self._environment.clock
        try:
            check_time(self._operation, self._attempts.deadline, clock())
            self._permit = await self._operation.enter(self._attempts.deadline, clock)
        except BaseException as error:
            self._attempts.refused(error)
            raise
        self._attempts.entered()
        self._began = clock()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        return self._leave(exc)

    def __enter__(self) -> None:
        clock = self._environment.clock
        try:
            check_time(self._operation, self._attempts.deadline, clock())
            self._permit = self._operation.enter_sync(self._attempts.deadline, clock)
        except BaseException as error:
            self._attempts.refused(error)
            raise
        self._attempts.entered()
        self._began = clock()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        return self._leave(exc)

    def _leave(self, exc: BaseException | None) -> bool:
        operation = self._operation
        latency_s = self._environment.clock() - self._began
        if exc is None:
            operation.succeeded(self._permit, latency_s)
            self._attempts.ended(well=True)
        elif isinstance(exc, Exception):
            meaning = classified(self._environment, exc)
            operation.failed(self._permit, meaning, latency_s)
            if meaning.verdict is not Verdict.NEVER:
                self._attempts.failed(exc)
                return True  # the loop raises it if there is no other attempt
            operation.counters.attempts_failed += 1
            operation.counters.failed += 1
            self._attempts.ended(well=False)
        else:
            operation.abandoned(self._permit)
            self._attempts.ended(well=False)
        return False

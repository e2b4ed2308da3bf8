"""What happens after the first failure: handlers, pauses, the end of patience, the fallback."""

import logging
from collections.abc import AsyncIterator, Iterator
from inspect import isawaitable
from typing import Any

from tenacity import AsyncRetrying, AttemptManager, RetryCallState, Retrying

from meshaccel.errors import PolicyError, ResilienceError
from meshaccel.resilience.environment import Environment, at_once
from meshaccel.resilience.handlers import Failure, Raise, Retry, Return, chain, within
from meshaccel.resilience.history import NOT_SENT, History
from meshaccel.resilience.meaning import OURS, classified
from meshaccel.resilience.operation import Operation
from meshaccel.resilience.scope import CLAIMED, DEADLINE, ERRORS, Scope, given_up
from meshaccel.resilience.verdicts import Verdict


class Recovery:
    """One call that did not go well at once.

    Whoever makes its attempts tells each failure to ``again`` (or ``again_sync``), which waits
    and returns True when it is time for another attempt; returns False when ``value`` is what
    the call returns; and else raises. Tenacity keeps the order of these steps; it is asked in
    for the first failure, and replays it.
    """

    def __init__(
        self,
        environment: Environment,
        operation: Operation,
        started: float,
        scope: Scope,
        outer: Scope | None,
    ) -> None:
        self.deadline: float = scope[DEADLINE]
        self.value: Any = None
        self._environment = environment
        self._operation = operation
        self._started = started
        self._scope = scope
        self._outer = outer
        self._may_retry = operation.policy.retries and not (outer and outer[CLAIMED])
        self._steps: AsyncIterator[AttemptManager] | None = None
        self._steps_sync: Iterator[AttemptManager] | None = None
        self._manager: AttemptManager | None = None
        self._meaning = OURS
        self._result: Retry | Return | Raise | None = None
        self._wanted = False
        self._at_last = False
        self._history = History(operation.name)

    async def again(self, error: Exception) -> bool:
        """Wait for another attempt after ``error``, or settle the call, or raise."""
        self._failed(error)
        final: Exception | None = None
        try:
            if self._meaning.verdict is not Verdict.NEVER and await self._next(error):
                return True
            if final := await self._settled(error):
                raise final  # noqa: TRY301 - it is counted
        except Exception:
            self._operation.counters.failed += 1
            raise
        finally:
            del error, final  # or they and this frame would keep each other alive
        return False

    def again_sync(self, error: Exception) -> bool:
        """Do as ``again``, in a thread that can wait."""
        self._failed(error)
        final: Exception | None = None
        try:
            if self._meaning.verdict is not Verdict.NEVER and self._next_sync(error):
                return True
            if final := at_once(self._settled(error), "the fallback"):
                raise final  # noqa: TRY301 - it is counted
        except Exception:
            self._operation.counters.failed += 1
            raise
        finally:
            del error, final
        return False

    def forget(self) -> None:
        """Let go of the errors, whose tracebacks know of who keeps this."""
        self._history.forget()
        if self._manager is not None:
            self._manager.retry_state.outcome = None  # tenacity's objects are in a circle
        self._steps = self._steps_sync = self._manager = None

    async def _next(self, error: Exception) -> bool:
        steps = self._steps = self._steps or aiter(self._controller())
        if (manager := self._manager) is None:
            manager = self._manager = await anext(steps)
        traceback = error.__traceback__
        try:
            manager.__exit__(type(error), error, traceback)
            self._manager = await anext(steps)
        except Exception as raised:
            if raised is not error:
                raise
            # Without tenacity's frames, of which nobody wants to read.
            error.with_traceback(traceback)
            return False
        return True

    def _next_sync(self, error: Exception) -> bool:
        steps = self._steps_sync = self._steps_sync or iter(self._controller_sync())
        if (manager := self._manager) is None:
            manager = self._manager = next(steps)
        traceback = error.__traceback__
        try:
            manager.__exit__(type(error), error, traceback)
            self._manager = next(steps)
        except Exception as raised:
            if raised is not error:
                raise
            # Without tenacity's frames, of which nobody wants to read.
            error.with_traceback(traceback)
            return False
        return True

    def _controller(self) -> AsyncRetrying:
        return AsyncRetrying(
            sleep=self._environment.sleep,
            retry=self._judge,
            wait=self._pause_s,
            stop=self._stop,
            reraise=True,
        )

    def _controller_sync(self) -> Retrying:
        def judge(state: RetryCallState) -> bool:
            return at_once(self._judge(state), "a handler")

        return Retrying(
            sleep=self._environment.sleep_sync,
            retry=judge,
            wait=self._pause_s,
            stop=self._stop,
            reraise=True,
        )

    def _failed(self, error: Exception) -> None:
        self._operation.counters.attempts_failed += 1
        self._meaning = classified(self._environment, error)
        self._result = None
        self._history.add(error, self._meaning, self._environment.clock() - self._started)

    async def _judge(self, state: RetryCallState) -> bool:
        """Ask the handlers, and then the policy, whether to try again."""
        error = state.outcome.exception() if state.outcome else None
        if not isinstance(error, Exception):
            return False
        if self._environment.handlers:
            elapsed_s = self._environment.clock() - self._started
            operation, attempt = self._operation.name, self._history.failures
            self._result = await self._environment.handlers.ask(
                lambda link: Failure(link, error, operation, attempt, elapsed_s, self._meaning),
                error,
            )
        if isinstance(self._result, Return | Raise):
            return False
        if isinstance(self._result, Retry):
            wanted = self._repeatable()
        else:
            wanted = self._meaning.verdict is not Verdict.PERMANENT and self._repeatable()
        # An answer settles it, also one that nobody wanted; being kept back does not.
        self._wanted = wanted or (self._wanted and isinstance(error, NOT_SENT))
        return wanted and self._may_retry and not self._tried_within(error)

    def _repeatable(self) -> bool:
        """Tell whether repeating what this operation is does neither harm nor nothing."""
        policy = self._operation.policy
        if self._meaning.verdict is Verdict.AMBIGUOUS and not policy.idempotent:
            self._operation.counters.ambiguous += 1
            self._history.reason = "it may have had its effect, and is not idempotent"
            return False
        return policy.unit.value >= self._meaning.unit.value

    def _tried_within(self, error: Exception) -> bool:
        """Tell whether an operation within this one has tried again for the error already."""
        tried = self._scope[ERRORS:]
        return bool(tried) and any(one is other for one in within(error) for other in tried)

    def _pause_s(self, state: RetryCallState) -> float:
        environment, meaning, result = self._environment, self._meaning, self._result
        if isinstance(result, Retry) and result.after_s is not None:
            return result.after_s
        backoff = self._operation.policy.backoff
        if callable(backoff):
            pause = float(backoff(state))
        else:
            pause = backoff.pause_s(
                state.attempt_number,
                state.upcoming_sleep,
                meaning.base_delay_s,
                environment.uniform,
            )
        least = max(0.0, meaning.retry_after_s or 0.0)
        left = self.deadline - environment.clock()
        if pause >= left > least and not self._at_last:
            # The dependency may come back before the deadline: one more attempt shortly before it.
            self._at_last = True
            pause = environment.uniform(left / 2, left)
        return max(least, pause)  # in this order, a pause that is no number is none

    def _stop(self, state: RetryCallState) -> bool:
        """Tell whether there is no time, attempt or budget left; else count the retry."""
        operation, counters = self._operation, self._operation.counters
        limits = (operation.policy.attempts, self._meaning.max_attempts)
        allowed = min((limit for limit in limits if limit is not None), default=None)
        pause = state.upcoming_sleep
        if allowed is not None and self._history.failures >= allowed:
            counters.out_of_attempts += 1
            self._history.reason = f"after {allowed} attempts"
            return True
        if self._environment.clock() + pause >= self.deadline:
            counters.out_of_time += 1
            self._history.reason = f"its deadline is nearer than the next attempt, in {pause:.3g} s"
            return True
        if operation.budget is not None and not operation.budget.withdraw():
            counters.out_of_budget += 1
            self._history.reason = "the retry budget is spent"
            return True
        counters.retries += 1
        self._history.log(logging.INFO, "trying again", pause_s=pause)
        return False

    async def _settled(self, error: Exception) -> Exception | None:
        """Return what is to be raised, or None if the call has a ``value``."""
        counters = self._operation.counters
        if isinstance(self._result, Return):
            counters.handled += 1
            self.value = self._result.value
            return None
        if isinstance(self._result, Raise):
            counters.handled += 1
            chain(self._result.error, error)
            return self._result.error
        final = self._history.explained(error)
        if self._wanted and self._may_retry:
            counters.unrecovered += 1
            self._history.log(logging.WARNING, "giving up", reason=self._history.reason)
            if self._outer:
                given_up(self._outer, final)
        fallback = self._operation.fallback
        if fallback is None or not self._unavailable(error):
            return final
        try:
            value = fallback(final)
            if isawaitable(value):
                value = await value
        except Exception as raised:
            chain(raised, final)
            raise
        counters.fallbacks += 1
        self.value = value
        return None

    def _unavailable(self, error: Exception) -> bool:
        """Tell whether there was no answer; an error that is one needs no substitute."""
        if isinstance(error, ResilienceError):
            return not isinstance(error, PolicyError)
        return self._meaning.verdict in (Verdict.TRANSIENT, Verdict.AMBIGUOUS)

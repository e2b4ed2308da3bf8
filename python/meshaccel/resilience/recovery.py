"""What happens after the first failure: handlers, pauses, the end of patience, the fallback."""

import logging
from collections import deque
from collections.abc import AsyncIterator, Iterator
from inspect import isawaitable
from typing import Any

from tenacity import AsyncRetrying, AttemptManager, RetryCallState, Retrying

from meshaccel.errors import (
    AttemptTimeoutError,
    BulkheadFullError,
    CircuitOpenError,
    DeadlineExceededError,
    PolicyError,
    ResilienceError,
)
from meshaccel.resilience.environment import Environment, at_once, logger
from meshaccel.resilience.handlers import Failure, Ignore, Raise, Retry, Return, chain_of
from meshaccel.resilience.operation import Operation
from meshaccel.resilience.scope import CLAIMED, DEADLINE, ERRORS, Scope
from meshaccel.resilience.verdicts import Classification, Verdict

_NOTES = 8
_NOT_SENT = (BulkheadFullError, CircuitOpenError, DeadlineExceededError)
_TIMED_OUT = Classification(Verdict.AMBIGUOUS, feeds="breaker")
_OURS = Classification(Verdict.PERMANENT)


def classified(environment: Environment, error: BaseException) -> Classification:
    """Return what an error means, those of our own included."""
    if isinstance(error, AttemptTimeoutError):
        return _TIMED_OUT
    if isinstance(error, ResilienceError):
        return _OURS
    return environment.classifier.classify(error)


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
        self._meaning = _OURS
        self._result: Retry | Return | Raise | None = None
        self._wanted = False
        self._reason = ""
        self._last: Exception | None = None
        self._notes: deque[str] = deque(maxlen=_NOTES)
        self._failures = 0

    async def again(self, error: Exception) -> bool:
        """Wait for another attempt after ``error``, or settle the call, or raise."""
        self._failed(error)
        try:
            return await self._next(error) or await self._conclude(error)
        except Exception:
            self._operation.counters.failed += 1
            raise

    def again_sync(self, error: Exception) -> bool:
        """Do as ``again``, in a thread that can wait."""
        self._failed(error)
        try:
            return self._next_sync(error) or at_once(self._conclude(error), "the fallback")
        except Exception:
            self._operation.counters.failed += 1
            raise

    async def _next(self, error: Exception) -> bool:
        steps = self._steps = self._steps or aiter(self._controller())
        manager = self._manager if self._manager is not None else await anext(steps)
        try:
            manager.__exit__(type(error), error, error.__traceback__)
            self._manager = await anext(steps)
        except Exception as raised:
            if raised is not error:
                raise
            return False
        return True

    def _next_sync(self, error: Exception) -> bool:
        steps = self._steps_sync = self._steps_sync or iter(self._controller_sync())
        manager = self._manager if self._manager is not None else next(steps)
        try:
            manager.__exit__(type(error), error, error.__traceback__)
            self._manager = next(steps)
        except Exception as raised:
            if raised is not error:
                raise
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
        self._failures += 1
        self._operation.counters.attempts_failed += 1
        self._meaning = classified(self._environment, error)
        self._result = None
        elapsed = self._environment.clock() - self._started
        self._notes.append(
            f"{self._operation.name}: attempt {self._failures} failed after {elapsed:.3f} s, "
            f"{self._meaning.verdict.value}: {_named(error)}"
        )
        if not isinstance(error, _NOT_SENT):
            self._last = error

    async def _judge(self, state: RetryCallState) -> bool:
        """Ask the handlers, and then the policy, whether to try again."""
        error = state.outcome.exception() if state.outcome else None
        if not isinstance(error, Exception) or self._meaning.verdict is Verdict.NEVER:
            return False
        if self._environment.handlers:
            self._result = await self._handled(error)
        if isinstance(self._result, Return | Raise):
            return False
        if isinstance(self._result, Retry):
            wanted = self._repeatable()
        else:
            wanted = self._meaning.verdict is not Verdict.PERMANENT and self._repeatable()
        self._wanted = self._wanted or wanted
        return wanted and self._may_retry and not self._tried_within(error)

    async def _handled(self, error: Exception) -> Retry | Return | Raise | None:
        elapsed = self._environment.clock() - self._started
        for link, handler in self._environment.handlers.matching(error):
            failure = Failure(
                link, error, self._operation.name, self._failures, elapsed, self._meaning
            )
            try:
                outcome = handler(failure)
                if isawaitable(outcome):
                    outcome = await outcome
            except Exception as raised:
                _chain(raised, error)
                raise
            if isinstance(outcome, Retry | Return | Raise):
                return outcome
            if outcome is not None and not isinstance(outcome, Ignore):
                raise PolicyError(
                    f"a handler returned {outcome!r}, not Retry, Return, Raise, Ignore or None"
                ) from error
        return None

    def _repeatable(self) -> bool:
        """Tell whether repeating what this operation is does neither harm nor nothing."""
        policy = self._operation.policy
        if self._meaning.verdict is Verdict.AMBIGUOUS and not policy.idempotent:
            self._operation.counters.ambiguous += 1
            self._reason = "it may have had its effect, and is not idempotent"
            return False
        return policy.unit.value >= self._meaning.unit.value

    def _tried_within(self, error: Exception) -> bool:
        """Tell whether an operation within this one has tried again for the error already."""
        tried = self._scope[ERRORS:]
        return bool(tried) and any(link is other for link in chain_of(error) for other in tried)

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
        return max(pause, meaning.retry_after_s or 0.0)

    def _stop(self, state: RetryCallState) -> bool:
        """Tell whether there is no time, attempt or budget left; else count the retry."""
        operation, counters = self._operation, self._operation.counters
        limits = (operation.policy.attempts, self._meaning.max_attempts)
        allowed = min((limit for limit in limits if limit is not None), default=None)
        pause = state.upcoming_sleep
        if allowed is not None and self._failures >= allowed:
            counters.out_of_attempts += 1
            self._reason = f"after {allowed} attempts"
            return True
        if self._environment.clock() + pause >= self.deadline:
            counters.out_of_time += 1
            self._reason = f"its deadline is nearer than the next attempt, in {pause:.3g} s"
            return True
        if operation.budget is not None and not operation.budget.withdraw():
            counters.out_of_budget += 1
            self._reason = "the retry budget is spent"
            return True
        counters.retries += 1
        self._log(logging.INFO, "trying again", pause_s=pause)
        return False

    async def _conclude(self, error: Exception) -> bool:
        counters = self._operation.counters
        if isinstance(self._result, Return):
            counters.handled += 1
            self.value = self._result.value
            return False
        if isinstance(self._result, Raise):
            counters.handled += 1
            _chain(self._result.error, error)
            raise self._result.error
        final = self._explained(error)
        if self._wanted and self._may_retry:
            counters.unrecovered += 1
            self._log(logging.WARNING, "giving up", reason=self._reason)
            if self._outer:
                self._outer.append(final)
        fallback = self._operation.fallback
        if fallback is None or not self._unavailable(error):
            raise final
        try:
            value = fallback(final)
            if isawaitable(value):
                value = await value
        except Exception as raised:
            _chain(raised, final)
            raise
        counters.fallbacks += 1
        self.value = value
        return False

    def _unavailable(self, error: Exception) -> bool:
        """Tell whether there was no answer; an error that is one needs no substitute."""
        if isinstance(error, ResilienceError):
            return not isinstance(error, PolicyError)
        return self._meaning.verdict in (Verdict.TRANSIENT, Verdict.AMBIGUOUS)

    def _explained(self, error: Exception) -> Exception:
        """Return the error to raise: the last of the operation itself, with what came before."""
        final = error
        if isinstance(error, _NOT_SENT) and self._last is not None:
            final = self._last
        # A pool may give one error to all who waited; it would collect the notes of each.
        noted = len(getattr(final, "__notes__", ()))
        if noted < _NOTES and (self._failures > 1 or self._reason):
            hidden = self._failures - len(self._notes)
            if hidden:
                final.add_note(f"{self._operation.name}: {hidden} earlier attempts not shown")
            for note in self._notes:
                final.add_note(note)
            if self._reason:
                final.add_note(f"{self._operation.name}: not tried again: {self._reason}")
        return final

    def _log(self, level: int, message: str, **facts: object) -> None:
        if logger.isEnabledFor(level):
            extra = {
                "operation": self._operation.name,
                "attempt": self._failures,
                "verdict": self._meaning.verdict.value,
                "error": self._notes[-1],
                **facts,
            }
            logger.log(level, "%s: %s", self._operation.name, message, extra=extra)


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def _chain(raised: Exception, error: Exception) -> None:
    """Let ``raised`` name ``error`` as its cause, unless it is one of its chain or has another."""
    if raised.__cause__ is None and all(link is not raised for link in chain_of(error)):
        raised.__cause__ = error

"""What errors mean to the pipeline: those of users by the classifier, and our own."""

from dataclasses import replace

from meshaccel.errors import AttemptTimeoutError, CircuitOpenError, ResilienceError
from meshaccel.resilience.environment import Environment, logger
from meshaccel.resilience.verdicts import Classification, Verdict

_TIMED_OUT = Classification(Verdict.AMBIGUOUS, feeds="breaker")
_KEPT_BACK = Classification(Verdict.PERMANENT, feeds="bulkhead")
"""By an operation within: nothing was sent, so it tells nothing of the dependency."""
_END = Classification(Verdict.NEVER)
OURS = Classification(Verdict.PERMANENT)


def classified(environment: Environment, error: BaseException) -> Classification:
    """Return what an error means, those of our own included."""
    if isinstance(error, AttemptTimeoutError):
        return _TIMED_OUT
    if isinstance(error, CircuitOpenError):
        return replace(_KEPT_BACK, retry_after_s=error.retry_after_s)
    if isinstance(error, ResilienceError):
        return _KEPT_BACK
    if isinstance(error, StopIteration | StopAsyncIteration):
        # What an iterator says to a loop. Ours would take it for their own end.
        return _END
    try:
        return environment.classifier.classify(error)
    except Exception:  # noqa: BLE001 - a rule may be a user's
        # It must not take the place of the error, nor keep what the call has entered.
        logger.exception("the classifier fails on %s", type(error).__name__)
        return OURS

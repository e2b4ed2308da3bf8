"""The errors of meshaccel itself."""

from collections.abc import Callable
from dataclasses import replace

from meshaccel.errors import (
    AttemptTimeoutError,
    BulkheadFullError,
    CircuitOpenError,
    ConnectionPoolExhausted,
    DatabaseError,
    DatabaseReplacedError,
    DeadlineExceededError,
    IncompatibleDatabaseError,
    MeshAccelError,
    SecondLevelError,
)
from meshaccel.resilience.classify.rules import (
    NEVER,
    PERMANENT,
    SATURATED,
    TIMED_OUT,
    UNREACHABLE,
    Cause,
    Rule,
    again,
)
from meshaccel.resilience.verdicts import Classification


def _until_it_closes(
    exc: BaseException, means: Classification, _: Callable[[], float]
) -> Classification:
    return replace(means, retry_after_s=getattr(exc, "retry_after_s", None))


RULES = (
    Rule(MeshAccelError, PERMANENT),
    # The pool tried to make connections all the while; nothing was sent.
    Rule(ConnectionPoolExhausted, SATURATED),
    # It promises that nothing was kept, and mostly says why.
    Rule(DatabaseError, UNREACHABLE, cause=Cause.FIRST),
    Rule(SecondLevelError, UNREACHABLE, cause=Cause.FIRST),
    Rule(DatabaseReplacedError, PERMANENT),
    Rule(IncompatibleDatabaseError, PERMANENT),
    # Of an operation within the one that asks. Its own breaker has counted the failures.
    Rule(CircuitOpenError, again(), adjust=_until_it_closes),
    Rule(BulkheadFullError, SATURATED),
    Rule(AttemptTimeoutError, TIMED_OUT),
    # Nobody has time for more than the caller gave.
    Rule(DeadlineExceededError, NEVER),
)

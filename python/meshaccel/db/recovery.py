"""Which troubles of the database are worth another attempt, and which are the caller's."""

import sqlite3
from collections.abc import Iterator

from meshaccel.resilience.classification import DEFAULT_CLASSIFIER, Codes, Rule
from meshaccel.resilience.middleware import ErrorHandlingMiddleware
from meshaccel.resilience.policy import RetryPolicy
from meshaccel.resilience.verdicts import Classification, Unit, Verdict

READ = "db.read"
WRITE = "db.write"

_PATIENCE_S = 1.0
"""Shorter than the pool waits for a lock: one it has waited for in vain is not waited for again,
one that SQLite refuses to wait for (a recovery, a snapshot that is out of date) is."""

_MAYBE_COMMITTED = Classification(
    Verdict.AMBIGUOUS, Unit.CONNECTION, max_attempts=2, feeds="breaker"
)


def _primary_code(error: BaseException) -> Iterator[int]:
    code = getattr(error, "sqlite_errorcode", None)
    if isinstance(code, int):
        yield code & 0xFF


# The pool does not say whether it was the commit that failed. If it was, what was written may be
# on the disk: so reads, which do no harm, are made again after such an error, and writes are not.
_CLASSIFIER = DEFAULT_CLASSIFIER.extended(
    Rule(
        sqlite3.OperationalError,
        codes=Codes(_primary_code, {sqlite3.SQLITE_IOERR: _MAYBE_COMMITTED}),
    )
)


def database_errors() -> ErrorHandlingMiddleware:
    """Return the error handling of one database; what it does not mend becomes a 503.

    Transactions are repeated as a whole, and only while they can be without any doubt.
    """
    errors = ErrorHandlingMiddleware(classifier=_CLASSIFIER)
    errors.policy(READ, RetryPolicy(deadline_s=_PATIENCE_S, idempotent=True, unit=Unit.CONNECTION))
    errors.policy(WRITE, RetryPolicy(deadline_s=_PATIENCE_S, unit=Unit.CONNECTION))
    return errors

"""PostgreSQL, through asyncpg or psycopg: by SQLSTATE, and where there is none by class.

A statement that fails in a transaction spoils it, so the transaction is the unit. A connection
that was lost leaves open whether the last thing sent was done. Who knows that it was no COMMIT,
and no statement outside of a transaction, knows more than an error can tell.

Source: https://www.postgresql.org/docs/current/errcodes-appendix.html.
"""

from collections.abc import Iterator

from meshaccel.resilience.classify.rules import (
    LOST,
    PERMANENT,
    REOPEN_ONCE,
    SATURATED,
    SLOW_S,
    TRANSACTION,
    UNREACHABLE,
    Code,
    Codes,
    Rule,
    again,
    message,
    permanent,
)
from meshaccel.resilience.verdicts import Classification, Unit, Verdict

_SQLSTATE_LENGTH = 5
_SLOW = again(Unit.TRANSACTION, base_delay_s=SLOW_S)
_OVERLOADED = again(Unit.TRANSACTION, base_delay_s=SLOW_S, feeds="breaker")
_NOT_NOW = again(Unit.CONNECTION, base_delay_s=SLOW_S, feeds="breaker")
_SENT_AWAY = Classification(Verdict.AMBIGUOUS, Unit.CONNECTION)


def _sqlstates(exc: BaseException) -> Iterator[str]:
    state = getattr(exc, "sqlstate", None)
    if isinstance(state, str) and len(state) == _SQLSTATE_LENGTH:
        yield state
        yield state[:2]


SQLSTATES: dict[Code, Classification] = {
    # Conflicts between transactions.
    "40": TRANSACTION,
    "40002": PERMANENT,  # an integrity constraint
    "40003": LOST,  # "statement completion unknown"
    "55P03": _SLOW,  # lock_not_available
    "57014": TRANSACTION,  # query_canceled: a statement_timeout, unless we cancelled it
    "72000": TRANSACTION,  # snapshot_too_old
    # No connection, or no longer.
    "08": LOST,
    "08001": UNREACHABLE,
    "08004": UNREACHABLE,
    "08P01": PERMANENT,  # protocol_violation
    "25P03": _SENT_AWAY,  # idle_in_transaction_session_timeout
    "25P04": _SENT_AWAY,  # transaction_timeout
    "57P01": LOST,  # admin_shutdown
    "57P02": LOST,  # crash_shutdown
    "57P03": _NOT_NOW,  # cannot_connect_now
    "57P05": _SENT_AWAY,  # idle_session_timeout
    # Out of something.
    "53": _OVERLOADED,
    "53100": PERMANENT,  # disk_full
    "53300": _NOT_NOW,  # too_many_connections
    "53400": _SLOW,  # configuration_limit_exceeded
    "58": REOPEN_ONCE,  # system errors, such as io_error
    "58P01": PERMANENT,  # undefined_file
    "58P02": PERMANENT,  # duplicate_file
    # The same will come of the same: warnings, data, constraints, transaction state, rights,
    # syntax, limits, prerequisites, operator intervention, and what a program or the server
    # got wrong. One line for each class, so that a new one is noticed.
    **dict.fromkeys(
        (
            *("01", "02", "03", "09", "0A", "0B", "0F", "0L", "0P", "0Z", "10"),
            *("20", "21", "22", "23", "24", "25", "26", "27", "28", "2B", "2D", "2F"),
            *("34", "38", "39", "3B", "3D", "3F", "42", "44", "54", "55", "57"),
            *("72", "F0", "HV", "P0", "XX"),
        ),
        PERMANENT,
    ),
}
"""SQLSTATEs, and their classes of two characters for those that are not listed."""

_BY_SQLSTATE = Codes(_sqlstates, SQLSTATES)


def _closed_before(exc: BaseException) -> Iterator[Code]:
    if message(exc).endswith("connection is closed"):
        yield "closed before"


# Before a session there is no SQLSTATE in libpq. These are its English words; in another
# language, a wrong password is tried again until the deadline.
_REFUSED_FOR_GOOD = (
    "password authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "does not exist",
    "authentication failed for user",
    "is not permitted to log in",
    "permission denied for database",
    "invalid connection option",
)


def _operational(exc: BaseException) -> Iterator[Code]:
    yield from _sqlstates(exc)
    text = message(exc)
    if text.startswith(("connection failed", "connection is bad", "failed to resolve host")):
        if "FATAL" in text and any(words in text for words in _REFUSED_FOR_GOOD):
            yield "refused"
        yield "not connected"
    elif text == "the connection is closed":
        yield "closed before"


_WITHOUT_SQLSTATE: dict[Code, Classification] = {
    "closed before": UNREACHABLE,  # by an earlier call: nothing of this one was sent
    "not connected": UNREACHABLE,
    "refused": PERMANENT,
}

_ASYNCPG = "asyncpg.exceptions._base."

ASYNCPG_RULES = (
    Rule(f"{_ASYNCPG}PostgresError", PERMANENT, codes=_BY_SQLSTATE),
    Rule(f"{_ASYNCPG}FatalPostgresError", LOST, codes=_BY_SQLSTATE),
    Rule(f"{_ASYNCPG}UnknownPostgresError", PERMANENT, codes=_BY_SQLSTATE),
    # Statements that were prepared before the schema changed.
    Rule("asyncpg.exceptions.InvalidCachedStatementError", TRANSACTION),
    Rule(f"{_ASYNCPG}OutdatedSchemaCacheError", TRANSACTION),
    Rule(f"{_ASYNCPG}InterfaceError", PERMANENT, codes=Codes(_closed_before, _WITHOUT_SQLSTATE)),
    Rule(f"{_ASYNCPG}ProtocolError", LOST),
    Rule(f"{_ASYNCPG}InternalClientError", LOST),
    # No host of those given is the primary: it may be about to be named.
    Rule(f"{_ASYNCPG}TargetServerAttributeNotMatched", _NOT_NOW),
    *permanent(
        f"{_ASYNCPG}ClientConfigurationError",
        f"{_ASYNCPG}DataError",
        f"{_ASYNCPG}InterfaceWarning",
        f"{_ASYNCPG}UnsupportedClientFeatureError",
        f"{_ASYNCPG}UnsupportedServerFeatureError",
        "asyncpg.pgproto.pgproto.BufferError",
    ),
)

PSYCOPG_RULES = (
    Rule("psycopg.Error", PERMANENT, codes=_BY_SQLSTATE),
    *(
        Rule(f"psycopg.{name}", codes=_BY_SQLSTATE)
        for name in (
            "DatabaseError",
            "DataError",
            "IntegrityError",
            "InterfaceError",
            "InternalError",
            "NotSupportedError",
            "ProgrammingError",
        )
    ),
    Rule(
        "psycopg.OperationalError",
        LOST,
        codes=Codes(_operational, {**SQLSTATES, **_WITHOUT_SQLSTATE}),
    ),
    Rule("psycopg.errors.ConnectionTimeout", UNREACHABLE),
    Rule("psycopg.errors.CancellationTimeout", LOST),
    *permanent(
        "psycopg.Warning",
        "psycopg.errors.PipelineAborted",  # for what an earlier statement did
        "psycopg.transaction.OutOfOrderTransactionNesting",
    ),
    # psycopg_pool waits in this process.
    Rule("psycopg_pool.errors.PoolTimeout", SATURATED),
    Rule("psycopg_pool.errors.TooManyRequests", SATURATED),
    *permanent("psycopg_pool.errors.PoolClosed"),
)

RULES = ASYNCPG_RULES + PSYCOPG_RULES

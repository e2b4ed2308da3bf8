"""Redis and Valkey, through redis-py or valkey-py, which have the same classes.

That a login was refused is a ``ConnectionError`` for both, and so is a pool in use up to its
bound; their classes are more specific, and so come first. A connection that was lost leaves open
whether the command was executed; one that could not be made does not.
"""

import re
from collections.abc import Iterator

from meshaccel.resilience.classify.rules import (
    LOST,
    PERMANENT,
    SATURATED,
    SLOW_S,
    TRANSACTION,
    UNREACHABLE,
    Cause,
    Code,
    Codes,
    Rule,
    again,
    message,
    permanent,
)
from meshaccel.resilience.verdicts import Classification, Unit, Verdict

_NOT_NOW = again(base_delay_s=SLOW_S, feeds="breaker")
_FULL = again(base_delay_s=SLOW_S)
_ELSEWHERE = again(Unit.CONNECTION)
_LOAD_SCRIPT = again(Unit.TRANSACTION, max_attempts=2)
_GARBLED = Classification(Verdict.AMBIGUOUS, Unit.CONNECTION)

REPLIES: dict[Code, Classification] = {
    "BUSY": _NOT_NOW,  # a script is running
    "CLUSTERDOWN": UNREACHABLE,
    "LOADING": _NOT_NOW,
    "MASTERDOWN": UNREACHABLE,
    "MISCONF": PERMANENT,  # it cannot save to its disk, and so refuses writes
    "NOREPLICAS": _NOT_NOW,
    "NOSCRIPT": _LOAD_SCRIPT,
    "OOM": _FULL,
    "READONLY": UNREACHABLE,  # a replica now: the primary is elsewhere
    "TRYAGAIN": again(),
}
"""What an error reply of the server means, by its first word, where the client keeps it."""

_CONNECTING = re.compile(r"(Error|Timeout) (\S+ )?connecting to ")
_BEFORE_SENDING = (
    "No connection available",
    "max number of clients reached",
    "Connection not ready",
    "Connection has data",
)


_IN_PIPELINE = "of pipeline caused error: "


def _first_word(exc: BaseException) -> Iterator[Code]:
    yield message(exc).rpartition(_IN_PIPELINE)[2].partition(" ")[0]


def _phase(exc: BaseException) -> Iterator[Code]:
    text = message(exc)
    if text.startswith("Too many connections"):
        yield "saturated"
    if _CONNECTING.match(text) or text.startswith(_BEFORE_SENDING):
        yield "not sent"


_PHASES: dict[Code, Classification] = {"saturated": SATURATED, "not sent": UNREACHABLE}


def _client(package: str, base: str, cluster: str) -> tuple[Rule, ...]:
    errors = f"{package}.exceptions."
    return (
        Rule(f"{errors}ConnectionError", LOST, codes=Codes(_phase, _PHASES)),
        Rule(f"{errors}TimeoutError", LOST, codes=Codes(_phase, _PHASES)),
        Rule(f"{errors}MaxConnectionsError", SATURATED),
        Rule(f"{errors}BusyLoadingError", _NOT_NOW),
        Rule(f"{errors}ResponseError", PERMANENT, codes=Codes(_first_word, REPLIES)),
        Rule(f"{errors}OutOfMemoryError", _FULL),
        Rule(f"{errors}NoScriptError", _LOAD_SCRIPT),
        Rule(f"{errors}ReadOnlyError", UNREACHABLE),
        Rule(f"{errors}WatchError", TRANSACTION),
        Rule(f"{errors}InvalidResponse", _GARBLED),
        Rule(f"{errors}TryAgainError", again()),
        Rule(f"{errors}ClusterDownError", UNREACHABLE),
        Rule(f"{errors}MasterDownError", UNREACHABLE),
        # The client follows these by itself, so many times.
        Rule(f"{errors}AskError", _ELSEWHERE),
        Rule(f"{errors}MovedError", _ELSEWHERE),
        Rule(f"{errors}ClusterError", _ELSEWHERE),
        Rule(f"{errors}SlotNotCoveredError", UNREACHABLE),
        Rule(f"{errors}{cluster}", PERMANENT, cause=Cause.FIRST),
        *(
            Rule(f"{package}.{module}sentinel.{role}NotFoundError", UNREACHABLE)
            for module in ("", "asyncio.")
            for role in ("Master", "Slave")
        ),
        *permanent(
            f"{errors}{base}",
            f"{errors}AuthenticationError",
            f"{errors}AuthenticationWrongNumberOfArgsError",
            f"{errors}AuthorizationError",
            f"{errors}ChildDeadlockedError",
            f"{errors}ClusterCrossSlotError",
            f"{errors}CrossSlotTransactionError",
            f"{errors}DataError",
            f"{errors}ExecAbortError",
            f"{errors}InvalidPipelineStack",
            f"{errors}LockError",
            f"{errors}LockNotOwnedError",
            f"{errors}ModuleError",
            f"{errors}NoPermissionError",
            f"{errors}PubSubError",
            f"{package}.auth.err.InvalidTokenSchemaErr",
            f"{package}.auth.err.RequestTokenErr",
            f"{package}.auth.err.TokenRenewalErr",
            f"{package}.commands.graph.exceptions.VersionMismatchException",
            f"{package}.event.EventException",
        ),
    )


RULES = _client("redis", "RedisError", "RedisClusterException") + _client(
    "valkey", "ValkeyError", "ValkeyClusterException"
)

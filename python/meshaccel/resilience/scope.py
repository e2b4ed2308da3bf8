"""What nested operations inherit: the time left, and whether somebody above tries again."""

from contextvars import ContextVar
from typing import Any

Scope = list[Any]
"""``[deadline, claimed, *errors]`` of an operation that is under way; empty once it has ended.

The deadline is in seconds of the clock; ``claimed`` says that the operation repeats what fails
within it; the errors are those that operations within it have already tried again for. A list,
as one is made for each call, and a class of ours would take three times as long; it is emptied,
so that a task which was started within an operation and outlives it is not bound by it.
"""

DEADLINE, CLAIMED, ERRORS = 0, 1, 2

_REMEMBERED = 8

SCOPE: ContextVar[Scope | None] = ContextVar("meshaccel_resilience_scope", default=None)


def inherit(scope: Scope, outer: Scope) -> None:
    """Let a scope keep to that of the operation it is within."""
    scope[DEADLINE] = min(scope[DEADLINE], outer[DEADLINE])
    scope[CLAIMED] = scope[CLAIMED] or outer[CLAIMED]


def given_up(scope: Scope, error: Exception) -> None:
    """Let the operation of a scope know what was tried in vain within it.

    It remembers the last few: an operation may go on for as long as its program, and of a group
    of errors one is enough.
    """
    scope.append(error)
    del scope[ERRORS:-_REMEMBERED]


def current_deadline() -> float | None:
    """Return until when the operation under way has time, by its middleware's clock, if any."""
    scope = SCOPE.get()
    if not scope or scope[DEADLINE] == float("inf"):
        return None
    return float(scope[DEADLINE])

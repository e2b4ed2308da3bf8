"""What a registry was asked, and the statements that it took."""

from collections.abc import Mapping
from typing import Literal, get_args

from msgspec import Struct

from meshaccel.db.counting import BACKGROUND, operation

Operation = Literal[
    "heartbeat",
    "register",
    "unregister",
    "put",
    "get",
    "list",
    "resolve",
    "changes",
    "events",
    "schemas",
    "census",
]


class OperationCounts(Struct, frozen=True):
    """One kind of operation."""

    calls: int
    """How often it was asked for, whatever came of it. ``background`` is not asked for: 0."""
    queries: int
    """SQL statements that were run for it, in transactions that succeeded; without the brackets
    of transactions. A statement that is run over many rows of values counts once."""


class Served:
    """Counts calls, and says what the statements from here on are for."""

    def __init__(self) -> None:
        self._calls = dict.fromkeys(get_args(Operation), 0)

    def begin(self, kind: Operation) -> None:
        """Count a call, which this task goes on with."""
        self._calls[kind] += 1
        operation.set(kind)

    def at_once(self, kind: Operation) -> None:
        """Count a call that needed no statement."""
        self._calls[kind] += 1

    def counts(self, statements: Mapping[str, int]) -> dict[str, OperationCounts]:
        """Return all that may be asked, beside the statements by operation."""
        return {
            kind: OperationCounts(self._calls.get(kind, 0), statements.get(kind, 0))
            for kind in (*get_args(Operation), BACKGROUND)
        }

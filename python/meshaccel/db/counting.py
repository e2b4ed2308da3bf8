"""Which statements are run, and for what."""

import sqlite3
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVar, cast

T = TypeVar("T")

BACKGROUND = "background"
"""What nobody asked for: signs of life that are written, silence that is noticed."""

operation: ContextVar[str] = ContextVar("meshaccel.db.operation", default=BACKGROUND)
"""What statements are run for. A read that several wait for is for who came first."""


class CountedConnection(sqlite3.Connection):
    """A connection that counts; it takes some 100 ns a statement.

    ``set_trace_callback`` would count as well, but it writes out each statement with its values.
    """

    statements = 0
    """Statements run. One that is run over many rows of values counts once."""

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Run a statement."""
        self.statements += 1
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        """Run a statement for each of many rows of values."""
        self.statements += 1
        return super().executemany(sql, parameters)


def counted(
    work: Callable[[sqlite3.Connection], T],
) -> Callable[[sqlite3.Connection], tuple[T, int]]:
    """Return ``work`` with the number of statements that it ran beside its result."""

    def run(conn: sqlite3.Connection) -> tuple[T, int]:
        counting = cast("CountedConnection", conn)
        before = counting.statements
        result = work(conn)
        return result, counting.statements - before

    return run

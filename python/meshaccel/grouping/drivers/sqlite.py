"""SQLite through the ``sqlite3`` module."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from meshaccel.grouping.selection import Parameters
from meshaccel.shape import ParamStyle


class SqliteDriver:
    """The ``sqlite3`` module, whatever row factory and isolation level the connection has."""

    paramstyle: ParamStyle = "named"

    @contextmanager
    def snapshot(self, conn: sqlite3.Connection, statements: int) -> Iterator[None]:
        """Use the open transaction, or one of our own. A single statement needs none."""
        is_one = statements == 1 or conn.in_transaction
        if is_one:
            yield
            return
        changes = conn.total_changes
        conn.execute("BEGIN")
        try:
            yield
        finally:
            # Whoever shares the connection may have written meanwhile, and means to commit or
            # to roll back. And an error may have ended the transaction already.
            is_ours = conn.total_changes == changes or _commits_by_itself(conn)
            if is_ours and conn.in_transaction:
                conn.execute("COMMIT")

    @contextmanager
    def run(
        self,
        conn: sqlite3.Connection,
        text: str,
        parameters: Parameters,
        *,
        in_chunks: bool = False,  # noqa: ARG002 - a cursor of SQLite never holds more than a row
    ) -> Iterator[sqlite3.Cursor]:
        """Run a statement; its rows are tuples."""
        with closing(conn.cursor()) as cursor:
            cursor.row_factory = None
            yield cursor.execute(text, parameters)


def _commits_by_itself(conn: sqlite3.Connection) -> bool:
    """Whether who writes through the connection expects every statement to be committed."""
    return conn.isolation_level is None or getattr(conn, "autocommit", None) is True


SQLITE = SqliteDriver()

"""Postgres through psycopg 3. Imported only where a connection of psycopg is read from."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from typing import Any

from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from meshaccel.grouping.drivers.protocols import CHUNK_ROWS, Rows
from meshaccel.grouping.drivers.remote import RemoteDriver
from meshaccel.grouping.selection import Parameters
from meshaccel.shape import ParamStyle

_numbers = count()


def _name() -> str:
    """Name a cursor apart from all others; one without a name fetches all rows at once."""
    return f"meshaccel_{next(_numbers)}"


_READ_ONLY = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"


class PsycopgDriver:
    """``psycopg.Connection``, whatever its row factory."""

    paramstyle: ParamStyle = "pyformat"

    @contextmanager
    def snapshot(self, conn: Any, statements: int) -> Iterator[None]:  # noqa: ARG002
        """Use the open transaction, or one of our own: even one statement would begin one."""
        if conn.info.transaction_status != TransactionStatus.IDLE:
            yield
            return
        with conn.transaction():
            conn.execute(_READ_ONLY)
            yield

    @contextmanager
    def run(
        self, conn: Any, text: str, parameters: Parameters, *, in_chunks: bool = False
    ) -> Iterator[Rows]:
        """Run a statement; in chunks, by a cursor of the server."""
        with conn.cursor(*([_name()] if in_chunks else []), row_factory=tuple_row) as cursor:
            yield cursor.execute(text, parameters)


class AsyncPsycopgDriver(RemoteDriver):
    """``psycopg.AsyncConnection``, whatever its row factory."""

    paramstyle: ParamStyle = "pyformat"

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[None]:
        """Use the open transaction, or one of our own."""
        if self.conn.info.transaction_status != TransactionStatus.IDLE:
            yield
            return
        async with self.conn.transaction():
            await self.conn.execute(_READ_ONLY)
            yield

    async def rows(self, text: str, parameters: Parameters) -> list[Any]:
        """Fetch all rows."""
        async with self.conn.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(text, parameters)
            rows: list[Any] = await cursor.fetchall()
            return rows

    async def row_chunks(self, text: str, parameters: Parameters) -> AsyncGenerator[list[Any]]:
        """Fetch by a cursor of the server."""
        async with self.conn.cursor(_name(), row_factory=tuple_row) as cursor:
            await cursor.execute(text, parameters)
            while rows := await cursor.fetchmany(CHUNK_ROWS):
                yield rows

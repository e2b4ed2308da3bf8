"""Postgres through asyncpg."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from meshaccel.grouping.drivers.cancelling import completed
from meshaccel.grouping.drivers.protocols import CHUNK_ROWS
from meshaccel.grouping.drivers.remote import RemoteDriver
from meshaccel.grouping.selection import Parameters
from meshaccel.shape import ParamStyle


class AsyncpgDriver(RemoteDriver):
    """``asyncpg.Connection``, or one out of its pool."""

    paramstyle: ParamStyle = "numeric_dollar"

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[None]:
        """Use the open transaction, or one of our own."""
        if self.conn.is_in_transaction():
            yield
            return
        transaction = self.conn.transaction(isolation="repeatable_read", readonly=True)

        async def end(*raised: Any) -> None:
            await completed(transaction.__aexit__(*raised))

        async with AsyncExitStack() as ending:

            async def begin() -> None:
                await transaction.__aenter__()
                ending.push_async_exit(end)

            # asyncpg loses track of a transaction if its BEGIN or ROLLBACK is broken off: the
            # connection would stay in it, and begin no other.
            await completed(begin())
            yield

    async def rows(self, text: str, parameters: Parameters) -> list[Any]:
        """Fetch all rows."""
        rows: list[Any] = await self.conn.fetch(text, *parameters)
        return rows

    async def row_chunks(self, text: str, parameters: Parameters) -> AsyncGenerator[list[Any]]:
        """Fetch through a portal of the server."""
        cursor = await self.conn.cursor(text, *parameters)
        while rows := await cursor.fetch(CHUNK_ROWS):
            yield rows

"""Reading the records of a shape from a connection."""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypedDict, Unpack

from meshaccel.grouping.drivers.blocking import driver_of, read_chunks, read_into
from meshaccel.grouping.drivers.protocols import AsyncDriver, Sink
from meshaccel.grouping.selection import Parameters, Selection
from meshaccel.shape import Plan, Shape, Statement

if TYPE_CHECKING:
    import psycopg

Record = dict[str, Any]
"""A record, whose values are what the driver made of the columns."""
Default = Callable[[Any], object]
Into = Literal["dicts", "json"]


class Options(TypedDict, total=False):
    """What a reading may be told.

    Attributes:
        params: Parameters of the shape's ``where`` and ``query``, or of ``sql``: a mapping by
            name; for asyncpg, a sequence in order.
        plan: One joined statement, or one for each level. Defaults to ``Shape.plan``.
        after: A cursor (see ``Shape.cursor``): only records that come after it.
        limit: At most so many records, in place of the shape's own limit.
        sql: A joined statement, or one for each level, in place of those of ``Shape.sql``; its
            columns are taken in the order of the shape.
    """

    params: Parameters | None
    plan: Plan | None
    after: Sequence[object] | None
    limit: int | None
    sql: str | Sequence[Statement] | None


class Stream(Sink, Protocol):
    """A sink that can also write JSON."""

    def finish_json(self, default: Default | None = None) -> bytes:
        """Give back all records as a JSON array."""


class Reader(ABC):
    """Reads from connections of sqlite3, aiosqlite, asyncpg and psycopg.

    All statements of a reading see one snapshot: they run in the transaction that is open, or
    in a read transaction of their own (on Postgres, REPEATABLE READ READ ONLY), which ends with
    the reading. A single statement on SQLite needs none, so what is written through the connection
    between two records is committed or rolled back as ever. The number of statements depends on
    the shape alone, never on the number of records. Errors of the driver come through unchanged.

    The methods for asyncio keep the event loop free: with SQLite, all statements and the
    grouping of their rows cost one hop to the connection's thread; rows of a server are grouped
    in a thread. Besides connections of those packages they take any object with a method
    ``run(function)`` that calls a function with a ``sqlite3.Connection`` in its thread.
    """

    @property
    @abstractmethod
    def shape(self) -> Shape:
        """What is read."""

    @abstractmethod
    def stream(self, *, ordered: bool = False, into: Into | None = None) -> Stream:
        """Return what groups the rows of one reading."""

    def read(
        self, conn: "sqlite3.Connection | psycopg.Connection[Any]", **options: Unpack[Options]
    ) -> list[Record]:
        """Return the records, through a connection that blocks.

        Raises:
            GroupingError: A row does not fit the shape.
            ValueError: The options contradict each other, the shape or the driver.
            TypeError: The connection is none of the above.
        """
        return self._read(conn, options, "dicts").finish()

    def read_json(
        self,
        conn: "sqlite3.Connection | psycopg.Connection[Any]",
        *,
        default: Default | None = None,
        **options: Unpack[Options],
    ) -> bytes:
        """Return the records as a JSON array. See ``group_json`` and ``read``."""
        return self._read(conn, options, "json").finish_json(default)

    def read_each(
        self, conn: "sqlite3.Connection | psycopg.Connection[Any]", **options: Unpack[Options]
    ) -> Generator[Record]:
        """Yield one record after the other, by the joined statement, in little memory.

        Holds a chunk of rows, the records they complete, and the keys of all records so far.
        The statement, on Postgres the transaction too, ends with the generator: close it if it is
        not read to the end.
        """
        selection, stream = self._ordered(options)
        with closing(read_chunks(conn, driver_of(conn), selection, stream)) as chunks:
            for chunk in chunks:
                yield from chunk

    async def fetch(self, conn: object, **options: Unpack[Options]) -> list[Record]:
        """Return the records, through a connection of asyncio. See ``read``."""
        stream = self.stream(into="dicts")
        selection = Selection(self.shape, **options)
        return await _awaited(conn).read(selection, stream, stream.finish)

    async def fetch_json(
        self, conn: object, *, default: Default | None = None, **options: Unpack[Options]
    ) -> bytes:
        """Return the records as a JSON array. See ``group_json`` and ``read``."""
        stream = self.stream(into="json")

        def finish() -> bytes:
            return stream.finish_json(default)

        selection = Selection(self.shape, **options)
        return await _awaited(conn).read(selection, stream, finish)

    async def fetch_each(self, conn: object, **options: Unpack[Options]) -> AsyncGenerator[Record]:
        """Yield one record after the other. See ``read_each``.

        May be cancelled between two chunks. As with every asynchronous generator, who may not
        read to the end closes it: ``async with aclosing(grouper.fetch_each(conn)) as records``.
        """
        selection, stream = self._ordered(options)
        async with aclosing(_awaited(conn).chunks(selection, stream)) as chunks:
            async for chunk in chunks:
                for record in chunk:
                    yield record

    def _read(self, conn: object, options: Options, into: Into) -> Stream:
        stream = self.stream(into=into)
        read_into(conn, driver_of(conn), Selection(self.shape, **options), stream)
        return stream

    def _ordered(self, options: Options) -> tuple[Selection, Stream]:
        sql = options.get("sql")
        own = None if sql is None or isinstance(sql, str) else [each.path for each in sql]
        if options.get("plan") == "levels" or own not in (None, [None]):
            raise ValueError("records are read one by one from the joined statement only")
        if sql is None:
            options = {**options, "plan": "joined"}
        return Selection(self.shape, **options), self.stream(ordered=True, into="dicts")


def _awaited(conn: object) -> AsyncDriver:
    # Only who reads from asyncio loads it.
    from meshaccel.grouping.drivers.awaited import async_driver_of  # noqa: PLC0415

    return async_driver_of(conn)

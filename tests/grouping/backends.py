"""Real databases behind one face, so that a test of semantics runs on each driver."""

import asyncio
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar
from uuid import uuid4

import aiosqlite
import asyncpg
import psycopg

from meshaccel.grouping import RowGrouper
from meshaccel.shape import Shape

T = TypeVar("T")
Record = dict[str, Any]
Records = list[Record]
Engine = Literal["sqlite", "postgres"]


class Backend(ABC):
    """A database of its own, and one driver's way to read shapes from it."""

    engine: Engine

    @abstractmethod
    def script(self, sql: str) -> None:
        """Run statements, committed when this returns."""

    @abstractmethod
    def parameters(self, **values: object) -> Any:
        """Return parameters as this driver takes them."""

    @abstractmethod
    def mark(self, name: str, position: int) -> str:
        """Return the placeholder of a parameter."""

    @abstractmethod
    def read(self, shape: Shape, **how: Any) -> Records:
        """Read records."""

    @abstractmethod
    def read_json(self, shape: Shape, **how: Any) -> bytes:
        """Read records as a JSON array."""

    @abstractmethod
    def read_each(self, shape: Shape, **how: Any) -> Iterator[Record]:
        """Read records one by one."""

    @abstractmethod
    def rows(self, sql: str) -> list[Any]:
        """Run a query; the rows are as the driver makes them."""

    @abstractmethod
    def begin(self) -> None:
        """Open a transaction that stays open."""

    @abstractmethod
    def in_transaction(self) -> bool:
        """Whether one is open."""


class Blocking(Backend):
    """A driver whose calls block."""

    conn: Any

    def read(self, shape: Shape, **how: Any) -> Records:
        return RowGrouper(shape).read(self.conn, **how)

    def read_json(self, shape: Shape, **how: Any) -> bytes:
        return RowGrouper(shape).read_json(self.conn, **how)

    def read_each(self, shape: Shape, **how: Any) -> Iterator[Record]:
        return RowGrouper(shape).read_each(self.conn, **how)

    def rows(self, sql: str) -> list[Any]:
        found: list[Any] = self.conn.execute(sql).fetchall()
        return found

    def begin(self) -> None:
        self.conn.execute("BEGIN")


class Named(Backend):
    """Parameters by name, as SQLite takes them."""

    engine: Engine = "sqlite"

    def parameters(self, **values: object) -> Any:
        return values

    def mark(self, name: str, position: int) -> str:  # noqa: ARG002
        return f":{name}"


class Sqlite(Blocking, Named):
    """The ``sqlite3`` module."""

    def __init__(self, path: Path) -> None:
        self.conn: sqlite3.Connection = sqlite3.connect(path)

    def script(self, sql: str) -> None:
        self.conn.executescript(sql)

    def in_transaction(self) -> bool:
        return self.conn.in_transaction

    def close(self) -> None:
        self.conn.close()


class Psycopg(Blocking):
    """psycopg, blocking."""

    engine: Engine = "postgres"

    def __init__(self, url: str, schema: str) -> None:
        self.conn: Any = psycopg.connect(url, autocommit=True, options=f"-csearch_path={schema}")

    def script(self, sql: str) -> None:
        self.conn.execute(sql)

    def parameters(self, **values: object) -> Any:
        return values

    def mark(self, name: str, position: int) -> str:  # noqa: ARG002
        return f"%({name})s"

    def in_transaction(self) -> bool:
        return bool(self.conn.info.transaction_status != psycopg.pq.TransactionStatus.IDLE)

    def close(self) -> None:
        self.conn.close()


class Looping(Backend):
    """A driver of asyncio, with a loop of its own."""

    conn: Any

    def __init__(self) -> None:
        self.runner = asyncio.Runner()

    def run(self, work: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await work

        return self.runner.run(awaited())

    def read(self, shape: Shape, **how: Any) -> Records:
        return self.run(RowGrouper(shape).fetch(self.conn, **how))

    def read_json(self, shape: Shape, **how: Any) -> bytes:
        return self.run(RowGrouper(shape).fetch_json(self.conn, **how))

    def read_each(self, shape: Shape, **how: Any) -> Iterator[Record]:
        records = RowGrouper(shape).fetch_each(self.conn, **how)
        while (record := self.run(anext(records, None))) is not None:
            yield record

    def script(self, sql: str) -> None:
        self.run(self.conn.execute(sql))

    def rows(self, sql: str) -> list[Any]:
        return self.run(self.conn.fetch(sql))

    def begin(self) -> None:
        self.run(self.conn.execute("BEGIN"))

    def close(self) -> None:
        self.run(self.conn.close())
        self.runner.close()


class Aiosqlite(Looping, Named):
    """aiosqlite."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.conn: aiosqlite.Connection = self.run(_opened(path))

    def script(self, sql: str) -> None:
        self.run(self.conn.executescript(sql))

    def rows(self, sql: str) -> list[Any]:
        return list(self.run(self.conn.execute_fetchall(sql)))

    def in_transaction(self) -> bool:
        return self.conn.in_transaction


class Asyncpg(Looping):
    """asyncpg."""

    engine: Engine = "postgres"

    def __init__(self, url: str, schema: str) -> None:
        super().__init__()
        self.url = url
        connect = asyncpg.connect(url, server_settings={"search_path": schema})
        self.conn: Any = self.run(connect)

    def parameters(self, **values: object) -> Any:
        return list(values.values())

    def mark(self, name: str, position: int) -> str:  # noqa: ARG002
        return f"${position}"

    def in_transaction(self) -> bool:
        return bool(self.conn.is_in_transaction())


class AsyncPsycopg(Looping):
    """psycopg, for asyncio."""

    engine: Engine = "postgres"

    def __init__(self, url: str, schema: str) -> None:
        super().__init__()
        connect = psycopg.AsyncConnection.connect(
            url, autocommit=True, options=f"-csearch_path={schema}"
        )
        self.conn: Any = self.run(connect)

    def parameters(self, **values: object) -> Any:
        return values

    def mark(self, name: str, position: int) -> str:  # noqa: ARG002
        return f"%({name})s"

    def rows(self, sql: str) -> list[Any]:
        async def fetched() -> list[Any]:
            cursor = await self.conn.execute(sql)
            found: list[Any] = await cursor.fetchall()
            return found

        return self.run(fetched())

    def in_transaction(self) -> bool:
        return bool(self.conn.info.transaction_status != psycopg.pq.TransactionStatus.IDLE)


SQLITE: dict[str, Callable[[Path], Any]] = {"sqlite3": Sqlite, "aiosqlite": Aiosqlite}
POSTGRES: dict[str, Callable[[str, str], Any]] = {
    "psycopg": Psycopg,
    "asyncpg": Asyncpg,
    "psycopg-async": AsyncPsycopg,
}


@contextmanager
def sqlite_backend(name: str, path: Path) -> Iterator[Backend]:
    """Open a new SQLite file with a driver."""
    backend = SQLITE[name](path)
    try:
        yield backend
    finally:
        backend.close()


@contextmanager
def postgres_backend(name: str, url: str) -> Iterator[Backend]:
    """Open a new schema of a Postgres server with a driver."""
    schema = f"test_{uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f"CREATE SCHEMA {schema}")
        backend = POSTGRES[name](url, schema)
        try:
            yield backend
        finally:
            backend.close()
            admin.execute(f"DROP SCHEMA {schema} CASCADE")


async def _opened(path: Path) -> aiosqlite.Connection:
    return await aiosqlite.connect(path)

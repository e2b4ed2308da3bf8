"""Part 6 of the brief: connections to a database."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiosqlite
from benches.naive.pool import OptimizedConnectionPool
from benches.naive.pool import opened as opened_naive
from benches.suite.figure import Counted, Gain, Part, Timed

from meshaccel.pool import ConnectionPool
from meshaccel.pool.connector import PRAGMAS

SIZE = 5
AGENTS = 1_000
READS = 100
READ = "SELECT id, name, endpoint, status FROM agents WHERE id = ?"

ReadOne = Callable[[int], Awaitable[object]]


class Pools:
    """Both pools over one file."""

    def __init__(self, ours: ConnectionPool, naive: OptimizedConnectionPool) -> None:
        self._ours, self._naive = ours, naive

    async def ours(self, clients: int) -> None:
        """Read by so many clients at a time."""
        await read_all(self._read, clients)

    async def naive(self, clients: int) -> None:
        """The same."""
        await read_all(self._read_naive, clients)

    async def trips(self) -> float:
        """Return how often a read goes to a thread."""
        before = self._ours.stats().hops
        await self.ours(1)
        return (self._ours.stats().hops - before) / READS

    async def trips_of_naive(self) -> float:
        """Return the same."""
        trips = 0
        for conn in [self._naive.pool.get_nowait() for _ in range(SIZE)]:
            self._naive.pool.put_nowait(conn)
            execute = conn._execute  # noqa: SLF001 - there is no other place to count at

            def counted(*work: Any, execute: Any = execute) -> Awaitable[Any]:
                nonlocal trips
                trips += 1
                result: Awaitable[Any] = execute(*work)
                return result

            vars(conn)["_execute"] = counted
        await self.naive(1)
        for conn in [self._naive.pool.get_nowait() for _ in range(SIZE)]:
            self._naive.pool.put_nowait(conn)
            del vars(conn)["_execute"]
        return trips / READS

    async def _read(self, key: int) -> object:
        return await self._ours.fetch_one(READ, (key,))

    async def _read_naive(self, key: int) -> object:
        return await self._naive.fetch_one(READ, key)


async def read_all(read: ReadOne, clients: int) -> None:
    keys = iter(range(READS))

    async def client() -> None:
        for key in keys:
            row = await read(key)
            assert isinstance(row, tuple)
            assert row[0] == key

    await asyncio.gather(*(client() for _ in range(clients)))


def write_agents(path: Path) -> None:
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("PRAGMA journal_mode = WAL")
        conn.execute("CREATE TABLE agents (id INTEGER PRIMARY KEY, name, endpoint, status)")
        agents = [(n, f"agent-{n}", f"http://10.0.0.1:{n}", "healthy") for n in range(AGENTS)]
        conn.executemany("INSERT INTO agents VALUES (?, ?, ?, ?)", agents)


async def connect(path: Path) -> aiosqlite.Connection:
    conn = await aiosqlite.connect(path, isolation_level=None)
    for name, value in PRAGMAS.items():
        await conn.execute_fetchall(f"PRAGMA {name} = {value}")
    return conn


@contextmanager
def on_one_core() -> Iterator[None]:
    """Bind this thread and those it starts to one core, where the system can do that.

    Between two cores a change of threads costs several times as much, or not, as the kernel
    likes it: that would be the figure.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


@asynccontextmanager
async def opened() -> AsyncIterator[Pools]:
    with on_one_core(), TemporaryDirectory(prefix="pool-") as folder:
        path = Path(folder) / "agents.db"
        write_agents(path)
        async with AsyncExitStack() as stack:
            ours = await stack.enter_async_context(ConnectionPool(path, SIZE))
            naive = await stack.enter_async_context(opened_naive(partial(connect, path), SIZE))
            yield Pools(ours, naive)


BRIEF = "the brief's pool, aiosqlite"


def reads(name: str, what: str, clients: int) -> Timed[Pools]:
    """Return the CPU time of reads by so many clients."""
    return Timed(
        name=name,
        what=what,
        against=BRIEF,
        ours=lambda pools: pools.ours(clients),
        baseline=lambda pools: pools.naive(clients),
        each=READS,
    )


PART = Part(
    "pool",
    opened,
    (
        Counted(
            name="pool.trips",
            what="trips to a thread for a read",
            unit="trips",
            against=BRIEF,
            gain=Gain.LESS,
            ours=Pools.trips,
            baseline=Pools.trips_of_naive,
        ),
        Timed(
            name="pool.latency",
            what="a read by one of 10 clients, on the clock",
            unit="us",
            against=BRIEF,
            gain=Gain.LESS,
            ours=lambda pools: pools.ours(10),
            baseline=lambda pools: pools.naive(10),
            each=READS,
            clock=time.perf_counter,
        ),
        reads("pool.read", "a read by one client", 1),
        reads("pool.read_10", "a read by one of 10 clients", 10),
        reads("pool.read_100", "a read by one of 100 clients", 100),
    ),
)

"""A test's hand on the connections of a registry's database, those still to be opened included."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from meshaccel.db.database import Database
from meshaccel.pool.slot import Slot
from meshaccel.pool.sqlite import SqlitePool
from meshaccel.pool.worker import Worker

Do = Callable[[sqlite3.Connection], object]


@dataclass
class _Call:
    """Something to do in the thread of a connection."""

    do: Do
    loop: asyncio.AbstractEventLoop
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def execute(self, worker: Worker) -> None:
        if worker.raw is not None:
            self.do(worker.raw)
        self.abandon(worker)

    def abandon(self, _: Worker) -> None:
        self.loop.call_soon_threadsafe(self.done.set)


async def on_readers(database: Database, do: Do) -> None:
    """Call a function with every connection but the writer's."""
    database._pool._connector._on_connect = do
    pool = _pool(database)
    await _call([slot for slot in pool._connections.slots if slot is not pool._lane.slot], do)


async def on_writer(database: Database, do: Do) -> None:
    """Call a function with the connection that writes."""
    pool = _pool(database)
    if pool._lane.slot is None:
        await database.write(lambda _: None)
    assert pool._lane.slot is not None
    await _call([pool._lane.slot], do)


def be_impatient(database: Database) -> None:
    """Wait 20 ms for locks, not 5 s."""
    database._pool._connector.busy_timeout = 0.02


def _pool(database: Database) -> SqlitePool:
    backend = database._pool._backend
    assert isinstance(backend, SqlitePool)
    return backend


async def _call(slots: Iterable[Slot], do: Do) -> None:
    calls = []
    for slot in slots:
        calls.append(_Call(do, asyncio.get_running_loop()))
        slot.worker.submit(calls[-1])
    for call in calls:
        await call.done.wait()

"""The pool over a SQLite database."""

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from typing import Any, TypeVar

from meshaccel.errors import InvalidRequestError
from meshaccel.pool.connection import Acquiring, Use
from meshaccel.pool.connections import Connections
from meshaccel.pool.connector import Connector
from meshaccel.pool.jobs import (
    Executed,
    Job,
    Mode,
    Parameters,
    Row,
    Statement,
    Work,
    controls_transaction,
    executing,
    executing_each,
    executing_many,
    fetching_all,
    fetching_one,
    in_transaction,
    only_reads,
)
from meshaccel.pool.settings import Settings
from meshaccel.pool.stats import PoolStats
from meshaccel.pool.worker import Tally
from meshaccel.pool.writer import WriterLane

T = TypeVar("T")
log = logging.getLogger("meshaccel.pool")

_INTERRUPT_GRACE_S = 1.0


class SqlitePool:
    """What ``ConnectionPool`` does when the database is SQLite."""

    def __init__(self, connector: Connector, settings: Settings) -> None:
        self._settings = settings
        self._timeout = settings.acquire_timeout
        self._connections = Connections(asyncio.get_running_loop(), settings, connector)
        self._lane = WriterLane(self._connections)
        self._sweeper: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Open the first connections."""
        connections = self._connections
        try:
            # The first creates the file and sets its journal; the others find it so.
            connections.give_back(await connections.wait(None))
        except BaseException:
            await self.close(0)
            raise
        for _ in range(self._settings.min_connections - 1):
            connections.grow()
        self._sweep()

    def acquire(self, timeout: float | None) -> Acquiring:
        """Lend a connection for anything."""
        return Acquiring(self._connections, self._connections, timeout, Use.ANYTHING)

    def read(self, timeout: float | None) -> Acquiring:
        """Lend a connection for one snapshot."""
        return Acquiring(self._connections, self._connections, timeout, Use.READING)

    def write(self, timeout: float | None) -> Acquiring:
        """Lend the writer's connection for one transaction."""
        return Acquiring(self._connections, self._lane, timeout, Use.WRITING)

    def run_read(self, work: Work[T]) -> Coroutine[Any, Any, T]:
        """Run ``work`` on one snapshot."""
        return self._read(in_transaction("BEGIN", work))

    def run_write(self, work: Work[T], *, repeatable: bool) -> Coroutine[Any, Any, T]:
        """Run ``work`` in one write transaction."""
        return self._write(work, grouped=repeatable)

    def fetch_all(self, sql: str, parameters: Parameters) -> Coroutine[Any, Any, list[Row]]:
        """Return all rows of a query."""
        return self._read(fetching_all(sql, parameters))

    def fetch_one(self, sql: str, parameters: Parameters) -> Coroutine[Any, Any, Row | None]:
        """Return the first row of a query, or None."""
        return self._read(fetching_one(sql, parameters))

    def execute(self, sql: str, parameters: Parameters) -> Coroutine[Any, Any, Executed]:
        """Write with one statement."""
        _refuse_control(sql)
        return self._write(executing(sql, parameters))

    def execute_many(self, sql: str, rows: Iterable[Parameters]) -> Coroutine[Any, Any, int]:
        """Write with one statement, once for each row."""
        _refuse_control(sql)
        return self._write(executing_many(sql, rows))

    def batch(self, statements: Iterable[Statement]) -> Coroutine[Any, Any, list[Executed]]:
        """Execute statements in one transaction."""
        kept = list(statements)
        for one in kept:
            _refuse_control(one if isinstance(one, str) else one[0])
        if only_reads(kept):
            return self.run_read(executing_each(kept))
        return self._write(executing_each(kept))

    def stats(self) -> PoolStats:
        """Return a snapshot of what the pool has and did."""
        connections, lane = self._connections, self._lane
        counters = connections.counters
        resting = lane.slot is not None and lane.idle
        idle = len(connections.idle) + resting
        tally = Tally()
        for each in (connections.past, *(worker.tally for worker in connections.workers)):
            tally.add(each)
        wait = counters.wait.snapshot()
        return PoolStats(
            size=len(connections.slots),
            idle=idle,
            in_use=len(connections.slots) - idle,
            opening=len(connections.opening),
            max_connections=self._settings.max_connections,
            waiting=len(connections.waiting),
            write_waiting=len(lane.waiting),
            acquires=wait.count,
            hops=counters.hops,
            timeouts=counters.timeouts,
            rejected=counters.rejected,
            cancelled=connections.waiting.cancelled + lane.waiting.cancelled,
            interrupts=counters.interrupts,
            opened=counters.opened,
            closed=counters.closed,
            expired=counters.expired,
            replaced=tally.replaced,
            health_checks=tally.checks,
            rollbacks=tally.rollbacks,
            leaks=counters.leaks,
            busy_retries=tally.busy_retries,
            groups=tally.groups,
            grouped_writes=tally.grouped_writes,
            wait=wait,
            use=counters.use.snapshot(),
        )

    def refuse(self) -> None:
        """Let nobody new in."""
        self._connections.closing = True

    async def close(self, within: float) -> None:
        """Serve who waits already, until the deadline; then close, whoever is left."""
        connections, lane = self._connections, self._lane
        self.refuse()
        if self._sweeper is not None:
            self._sweeper.cancel()
        try:
            async with asyncio.timeout(within):
                await lane.close()
                connections.close_idle()
                await connections.emptied.wait()
        except TimeoutError:
            log.warning("closing a pool with %d connections in use", len(connections.slots))
        connections.dismiss()
        lane.dismiss()
        # Even without users left a thread may be busy, with what was cancelled.
        deadline = connections.loop.time() + _INTERRUPT_GRACE_S
        for worker in tuple(connections.workers):
            while not worker.ended.is_set() and connections.loop.time() < deadline:
                worker.interrupt()
                try:
                    async with asyncio.timeout(0.01):
                        await worker.ended.wait()
                except TimeoutError:
                    continue
                worker.join(deadline - connections.loop.time())
        connections.finish()

    def abandon(self) -> None:
        """End the threads of a pool that nobody can use any more; from any thread."""
        self._connections.closing = True
        for worker in tuple(self._connections.workers):
            worker.stop()
            worker.interrupt()
        with suppress(RuntimeError):  # the loop is closed: it watches nothing any more
            self._connections.loop.call_soon_threadsafe(self._forget)

    def _forget(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._connections.finish()

    def _sweep(self) -> None:
        self._lane.sweep()
        self._connections.sweep()
        self._sweeper = self._connections.loop.call_later(
            self._settings.sweep_interval, self._sweep
        )

    # A coroutine for each layer would cost more than all else that happens in the loop.

    def _read(self, work: Work[T]) -> Coroutine[Any, Any, T]:
        connections = self._connections
        job = Job(connections.loop.create_future(), work, Mode.READ, connections)
        return connections.perform(job, self._timeout)

    def _write(self, work: Work[T], *, grouped: bool = True) -> Coroutine[Any, Any, T]:
        connections = self._connections
        job = Job(connections.loop.create_future(), work, Mode.WRITE, connections)
        job.grouped = grouped
        return self._lane.perform(job, self._timeout)


def _refuse_control(sql: str) -> None:
    if controls_transaction(sql):
        raise InvalidRequestError(
            f"{sql.split(maxsplit=1)[0].upper()} would end a transaction that others share:"
            " use pool.write(), or acquire() a connection"
        )

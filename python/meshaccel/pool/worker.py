"""A thread that owns one SQLite connection."""

import asyncio
import itertools
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from meshaccel.errors import DatabaseError
from meshaccel.pool import process
from meshaccel.pool.connector import Connector, Identity
from meshaccel.pool.jobs import Job, Mode
from meshaccel.pool.mailbox import Mailbox

Around = Callable[[sqlite3.Connection, Job], Any]
"""A way to run the work of a job: in a transaction, in a savepoint."""

_numbers = itertools.count(1)


@dataclass(slots=True)
class Tally:
    """What a worker counts; written in its thread only."""

    rollbacks: int = 0
    checks: int = 0
    replaced: int = 0
    busy_retries: int = 0
    groups: int = 0
    grouped_writes: int = 0

    def add(self, other: "Tally") -> None:
        """Add the counts of another."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Task(Protocol):
    """What a worker is given to do."""

    def execute(self, worker: "Worker") -> None:
        """Do it, in the worker's thread. Raises nothing."""

    def abandon(self, worker: "Worker") -> None:
        """Tell whoever waits that it will not be done."""


class Worker:
    """Runs tasks on a SQLite connection that no other thread touches, one after the other.

    The thread is a daemon: whoever forgets to close a pool still gets out of the interpreter.
    ``process.end_at_exit`` sees to it that it does not happen in the middle of a statement.
    SQLite itself survives even that: it is what a crash does.
    """

    def __init__(
        self,
        connector: Connector,
        mailbox: Mailbox,
        clock: Callable[[], float],
        on_end: Callable[["Worker"], None],
    ) -> None:
        self.mailbox = mailbox
        self.clock = clock
        self.connector = connector
        self._on_end = on_end
        self.heal = False
        """Whether the next job may get a new connection if this one turns out to be dead: not in
        the middle of a use, where a transaction would vanish unseen."""
        self.check = False
        """Whether the next job starts with a health check."""
        self.broken = False
        self.stopping = False
        self.ended = asyncio.Event()
        self.tally = Tally()
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._raw: sqlite3.Connection | None = None
        self._identity: Identity = None
        self._mode = Mode.ANY
        self._current: Job | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(
            target=self._main, name=f"meshaccel-pool-{next(_numbers)}", daemon=True
        )

    def start(self) -> None:
        """Start the thread; the connection is opened by ``open``, as a task."""
        self._thread.start()
        process.end_at_exit(self)

    def submit(self, task: Task) -> None:
        """Queue a task."""
        self._tasks.put(task)

    def stop(self) -> None:
        """End the thread after the running task, and before those behind it. Never blocks."""
        self.stopping = True
        self._tasks.put(None)

    def join(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds for the thread to end; return whether it has."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def interrupt(self, job: Job | None = None) -> bool:
        """Interrupt the statement of ``job`` (or of any), if it is the one that is running.

        Returns whether it is. SQLite forgets an interrupt that comes between two statements, so
        the caller asks again until the answer is no.
        """
        # The lock keeps the job from ending, and another from starting, in between.
        with self._lock:
            if self._current is None or (job is not None and self._current is not job):
                return False
            if self._raw is not None:
                with suppress(sqlite3.ProgrammingError):  # the work closed the connection
                    self._raw.interrupt()
            return True

    @property
    def raw(self) -> sqlite3.Connection | None:
        """The connection, None if it is lost. It may be used in the worker's thread only."""
        return self._raw

    @property
    def in_transaction(self) -> bool | None:
        """Whether a transaction is open; None if the connection is unusable."""
        if self._raw is None or self.broken:
            return None
        try:
            return self._raw.in_transaction
        except sqlite3.ProgrammingError:
            return None

    # What follows is called in the worker's thread.

    def open(self) -> None:
        """Open the connection.

        Raises:
            DatabaseError: it cannot be opened.
        """
        self._raw = self.connector.connect()
        self._identity = self.connector.identify()
        self._mode = Mode.ANY
        self.broken = False

    def run(self, job: Job, around: Around | None = None) -> None:
        """Run a job, by ``around`` if given, and keep its outcome in it."""
        # In this order: whoever cancels the job after the question below finds the worker in it.
        job.worker = self
        self._current = job
        job.started = self.clock()
        try:
            if not job.future.cancelled():
                raw = self.ready(job.mode)
                job.result = job.work(raw) if around is None else around(raw, job)
        except BaseException as error:  # noqa: BLE001 - it is the caller's, and goes there
            job.error = error
        with self._lock:
            self._current = None
        job.ended = self.clock()

    def ready(self, mode: Mode) -> sqlite3.Connection:
        """Return the connection, alive as far as one can know, and set up for ``mode``."""
        if self.heal:
            self.heal = False
            if not self._alive():
                self._reopen()
        if self._raw is None:
            raise DatabaseError("the connection was lost")
        if mode is not self._mode:
            self.connector.switch(self._raw, mode)
            self._mode = mode
        return self._raw

    def reset(self, *, expected: bool = False) -> None:
        """Roll back a transaction that was left open; count it unless that was ``expected``."""
        if self.in_transaction and self._raw is not None:
            self.tally.rollbacks += not expected
            try:
                self._raw.execute("ROLLBACK")
            except sqlite3.Error:
                self.broken = True

    def _alive(self) -> bool:
        if self.in_transaction is None or self._raw is None:
            return False
        if self.check:
            self.check = False
            self.tally.checks += 1
            return self.connector.healthy(self._raw, self._identity)
        return True

    def _reopen(self) -> None:
        self._close()
        self.broken = True
        self.open()
        self.tally.replaced += 1

    def _close(self) -> None:
        raw, self._raw = self._raw, None
        if raw is not None:
            # Nothing that was committed is at stake: closing only tidies up.
            with suppress(sqlite3.Error):
                raw.close()

    def _main(self) -> None:
        while (task := self._tasks.get()) is not None:
            task.execute(self)
            del task
            if self.stopping:
                break
        self._close()
        with suppress(Empty):
            while True:
                if (left := self._tasks.get_nowait()) is not None:
                    left.abandon(self)
        self.mailbox.post(self)

    def deliver(self) -> None:
        """Note, in the event loop, that the thread is ending."""
        self.ended.set()
        self._on_end(self)

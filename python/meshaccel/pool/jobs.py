"""A unit of work: a function of the raw connection, and where its outcome goes."""

import asyncio
import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from meshaccel.errors import PoolClosedError

if TYPE_CHECKING:
    from meshaccel.pool.worker import Worker

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]
Row = Any
"""A tuple, or what the connection's ``row_factory`` makes of one."""
Parameters = Sequence[Any] | Mapping[str, Any]
Statement = str | tuple[str, Parameters]


class Mode(Enum):
    """What a connection is used for, which decides some of its settings."""

    ANY = "any"
    READ = "read"
    """Refuses to write: a read that writes would bypass the writer's queue."""
    WRITE = "write"
    """The writer's: waits for other processes in slices, so that waiting can be cancelled."""


class Executed(NamedTuple):
    """The outcome of a statement.

    ``rowcount`` is the number of rows changed, -1 for a statement that changes none;
    ``rows`` are those of a SELECT or a RETURNING clause.
    """

    rowcount: int
    lastrowid: int | None
    rows: list[Row]


class Home(Protocol):
    """Whoever wants to know in the event loop that a job ended."""

    def job_done(self, job: "Job") -> None:
        """Take note of a job whose future is settled."""


class Job:
    """Work for one connection; made and settled in the event loop, run in a worker's thread."""

    __slots__ = (
        "deadline",
        "ended",
        "error",
        "future",
        "grouped",
        "home",
        "interrupted",
        "mode",
        "queued",
        "result",
        "started",
        "timeout",
        "work",
        "worker",
    )

    def __init__(
        self, future: "asyncio.Future[Any]", work: Work[Any], mode: Mode, home: Home
    ) -> None:
        self.future = future
        self.work = work
        self.mode = mode
        self.home = home
        self.grouped = False
        self.interrupted = False
        self.worker: Worker | None = None
        self.result: Any = None
        self.error: BaseException | None = None
        self.queued = self.started = self.ended = 0.0
        self.deadline = float("inf")
        self.timeout = 0.0

    def execute(self, worker: "Worker") -> None:
        """Run as a task of its own, for whoever has the connection."""
        worker.run(self)
        worker.mailbox.post(self)

    def abandon(self, worker: "Worker") -> None:
        """Fail: the worker stopped before it came to this."""
        self.error = PoolClosedError("the pool was closed before this could run")
        worker.mailbox.post(self)

    def deliver(self) -> None:
        """Settle the future, in the event loop, unless its task was cancelled."""
        future = self.future
        if not future.done():
            if self.error is None:
                future.set_result(self.result)
            elif isinstance(self.error, StopIteration):
                # A future refuses it: it would end whichever generator awaits it.
                stopped = RuntimeError("the work raised StopIteration")
                stopped.__cause__ = self.error
                future.set_exception(stopped)
            else:
                future.set_exception(self.error)
        # The traceback holds the frames that hold this job.
        self.result = self.error = None
        self.home.job_done(self)


def fetching_all(sql: str, parameters: Parameters) -> Work[list[Row]]:
    """Return work that fetches all rows of a query."""
    return lambda conn: conn.execute(sql, parameters).fetchall()


def fetching_one(sql: str, parameters: Parameters) -> Work[Row | None]:
    """Return work that fetches the first row of a query, or None."""

    def work(conn: sqlite3.Connection) -> Row | None:
        cursor = conn.execute(sql, parameters)
        row = cursor.fetchone()
        # An unfinished statement would keep its snapshot, and the log from being checkpointed.
        cursor.close()
        return row

    return work


def executing(sql: str, parameters: Parameters) -> Work[Executed]:
    """Return work that executes one statement."""
    return lambda conn: _execute(conn, sql, parameters)


def executing_many(sql: str, rows: Iterable[Parameters]) -> Work[int]:
    """Return work that executes one statement for each row, and counts the rows changed."""
    kept = list(rows)  # once it is in the worker's thread, it may run a second time
    return lambda conn: conn.executemany(sql, kept).rowcount


def executing_each(statements: Iterable[Statement]) -> Work[list[Executed]]:
    """Return work that executes several statements."""
    kept = [(one, ()) if isinstance(one, str) else one for one in statements]
    return lambda conn: [_execute(conn, sql, parameters) for sql, parameters in kept]


def _execute(conn: sqlite3.Connection, sql: str, parameters: Parameters) -> Executed:
    cursor = conn.execute(sql, parameters)
    # The count of a statement with RETURNING is complete when its rows were fetched.
    rows = cursor.fetchall() if cursor.description else []
    return Executed(cursor.rowcount, cursor.lastrowid, rows)


def chase(loop: asyncio.AbstractEventLoop, job: Job, delay: float = 0.001) -> None:
    """Interrupt a job until it has ended; one that has not begun yet will see it is cancelled.

    SQLite forgets an interrupt that comes between two statements, hence the repetition.
    """
    if job.worker is not None and job.worker.interrupt(job):
        job.interrupted = True
        loop.call_later(delay, chase, loop, job, min(delay * 2, 0.1))


def in_transaction(begin: str, work: Work[T]) -> Work[T]:
    """Return ``work`` in a transaction of its own, or in a savepoint if one is open already."""

    def run(conn: sqlite3.Connection) -> T:
        if conn.in_transaction:
            return in_savepoint(conn, work)
        conn.execute(begin)
        try:
            result = work(conn)
            end_transaction(conn, "COMMIT")
        except BaseException:
            end_transaction(conn, "ROLLBACK")
            raise
        return result

    return run


def end_transaction(conn: sqlite3.Connection, statement: str) -> None:
    """Execute COMMIT or ROLLBACK, if a transaction is still open.

    Some errors (a full disk, an interrupt) end the transaction by themselves.
    """
    if conn.in_transaction:
        conn.execute(statement)


def in_savepoint(conn: sqlite3.Connection, work: Work[T]) -> T:
    """Run ``work`` so that what it changed is undone if it fails, and nothing else is."""
    conn.execute("SAVEPOINT item")
    try:
        result = work(conn)
    except BaseException:
        if conn.in_transaction:
            conn.execute("ROLLBACK TO item")
            conn.execute("RELEASE item")
        raise
    if conn.in_transaction:
        conn.execute("RELEASE item")
    return result


# SQLite skips a byte order mark wherever it skips a blank.
_LEADING = r"(?:[\s;\ufeff]|--[^\n]*(?:\n|$)|/\*.*?\*/)*"
_READS = re.compile(_LEADING + r"(SELECT|VALUES|EXPLAIN)\b", re.IGNORECASE | re.DOTALL)
_CONTROL = re.compile(
    _LEADING + r"(BEGIN|COMMIT|END|ROLLBACK|SAVEPOINT|RELEASE)\b",
    re.IGNORECASE | re.DOTALL,
)


@lru_cache(maxsize=1024)
def controls_transaction(sql: str) -> bool:
    """Whether a statement begins or ends a transaction or savepoint."""
    return _CONTROL.match(sql) is not None


@lru_cache(maxsize=1024)
def _reads(sql: str) -> bool:
    return _READS.match(sql) is not None


def only_reads(statements: Iterable[Statement]) -> bool:
    """Whether statements surely write nothing; of a few that do not, it cannot be told."""
    return all(_reads(one if isinstance(one, str) else one[0]) for one in statements)

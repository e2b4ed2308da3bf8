"""Group commit: queued writes share a transaction, and none of them another's fate."""

import sqlite3
from collections.abc import Callable, Sequence

from meshaccel.pool.jobs import Job, Mode, in_savepoint
from meshaccel.pool.worker import Worker


def patiently(
    worker: Worker,
    conn: sqlite3.Connection,
    statement: str,
    given_up: Callable[[], bool] = lambda: False,
) -> None:
    """Execute a statement that another process's lock may hold up.

    SQLite waits for the length of the writer's ``busy_timeout``, a slice; here the slices are
    counted and, once nobody waits for the outcome, ended.

    Raises:
        sqlite3.OperationalError: the lock was held for longer than the connector's timeout.
    """
    deadline = worker.clock() + worker.connector.busy_timeout
    while True:
        try:
            conn.execute(statement)
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or given_up() or worker.stopping or worker.clock() >= deadline:
                raise
            worker.tally.busy_retries += 1
        else:
            return


def run_alone(worker: Worker, job: Job) -> None:
    """Run a job in a write transaction of its own."""

    def around(conn: sqlite3.Connection, job: Job) -> object:
        patiently(worker, conn, "BEGIN IMMEDIATE", job.future.cancelled)
        try:
            result = job.work(conn)
            if conn.in_transaction:
                patiently(worker, conn, "COMMIT", job.future.cancelled)
        except BaseException:
            # Some errors (a full disk, an interrupt) end the transaction by themselves.
            if conn.in_transaction:
                conn.execute("ROLLBACK")
            raise
        return result

    worker.run(job, around)


def run_group(worker: Worker, jobs: Sequence[Job]) -> None:
    """Run jobs in one write transaction, each in a savepoint.

    A job that fails is undone alone. If one takes the whole transaction with it (a full disk, an
    interrupt, ``RAISE(ROLLBACK)``), or the commit fails (a deferred constraint), all are run
    again, each in a transaction of its own; also those that failed, for it may have been because
    of what another one wrote and lost. They are statements, or functions said to be repeatable,
    so running them again does what the first time would have done.
    """
    if len(jobs) == 1:
        run_alone(worker, jobs[0])
        return

    worker.tally.groups += 1
    worker.tally.grouped_writes += len(jobs)

    def nobody_waits() -> bool:
        return all(job.future.cancelled() for job in jobs)

    try:
        conn = worker.ready(Mode.WRITE)
        patiently(worker, conn, "BEGIN IMMEDIATE", nobody_waits)
    except BaseException as error:  # noqa: BLE001 - on_connect is the user's; it goes to all
        for job in jobs:
            job.error = error
            job.started = job.ended = worker.clock()
        return
    if not _together(worker, conn, jobs, nobody_waits):
        for job in jobs:
            job.error = None
            # Nothing is open that a new connection would lose.
            worker.heal = True
            run_alone(worker, job)


def _together(
    worker: Worker, conn: sqlite3.Connection, jobs: Sequence[Job], given_up: Callable[[], bool]
) -> bool:
    """Return whether those without an error are committed."""
    for job in jobs:
        worker.run(job, _in_savepoint)
        if not worker.in_transaction:
            return False
    try:
        patiently(worker, conn, "COMMIT", given_up)
    except sqlite3.Error:
        worker.reset(expected=True)
        return False
    return True


def _in_savepoint(conn: sqlite3.Connection, job: Job) -> object:
    return in_savepoint(conn, job.work)

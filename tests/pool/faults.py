"""The faults that a pool has to survive, as checks that run against any pool.

    python -m tests.pool.faults tests.pool.subjects:OurPool cancelled_waiters /tmp/new.db

Each check runs in a process of its own, since some failures are threads that stay or an
interpreter that does not exit. It prints nothing and exits with 0 if the pool holds.
"""

import asyncio
import gc
import importlib
import os
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, Protocol

SIZE = 3
PATIENCE_S = 20.0
"""For what has to happen: a busy machine takes its time."""
FOR_EVER = (
    "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 100000000000)"
    " SELECT count(*) FROM n"
)


class Subject(Protocol):
    """A pool under test."""

    async def open(self, path: str, size: int, acquire_timeout: float) -> None:
        """Open the pool over a file."""

    def acquire(self) -> AbstractAsyncContextManager[Any]:
        """Lend a connection."""

    async def execute(self, connection: Any, sql: str) -> list[Any]:
        """Execute SQL without an implied transaction, and return its rows."""

    async def killer(self, connection: Any) -> Callable[[], Awaitable[None]]:
        """Return what closes the SQLite connection behind the pool's back, at any time."""

    async def close(self) -> None:
        """Close the pool."""


Check = Callable[[Subject, str], Awaitable[None]]


async def never_more_than_max(subject: Subject, path: str) -> None:
    """Fifty users at once, each holding on: no more than ``SIZE`` get a connection."""
    await subject.open(path, SIZE, PATIENCE_S)
    holding = most = 0
    enough = asyncio.Event()

    async def user() -> None:
        nonlocal holding, most
        async with subject.acquire() as connection:
            holding += 1
            most = max(most, holding)
            await subject.execute(connection, "SELECT 1")
            with suppress(TimeoutError):
                await asyncio.wait_for(enough.wait(), 0.5)
            holding -= 1

    users = [asyncio.create_task(user()) for _ in range(50)]
    await asyncio.wait(users, timeout=0.5)
    enough.set()
    await asyncio.gather(*users)
    assert most <= SIZE, f"{most} of {SIZE}"


async def cancelled_waiters(subject: Subject, path: str) -> None:
    """Users are cancelled at every stage of acquiring; afterwards all connections are there."""
    await subject.open(path, SIZE, PATIENCE_S)

    async def user() -> None:
        async with subject.acquire() as connection:
            await subject.execute(connection, "SELECT 1")

    for steps in range(30):
        users = [asyncio.create_task(user()) for _ in range(12)]
        for _ in range(steps):
            await asyncio.sleep(0)
        for each in users[::2]:
            each.cancel()
        await asyncio.wait(users)
    held = [subject.acquire() for _ in range(SIZE)]
    for one in held:
        await asyncio.wait_for(one.__aenter__(), PATIENCE_S)
    for one in held:
        await one.__aexit__(None, None, None)


async def cancelled_query(subject: Subject, path: str) -> None:
    """A long query is cancelled: who comes next does not wait it out."""
    await subject.open(path, 1, PATIENCE_S)

    async def slow() -> None:
        async with subject.acquire() as connection:
            await subject.execute(connection, FOR_EVER)

    user = asyncio.create_task(slow())
    await asyncio.wait([user], timeout=0.3)
    assert not user.done()
    user.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await asyncio.wait_for(user, PATIENCE_S)
    async with asyncio.timeout(PATIENCE_S), subject.acquire() as connection:
        assert len(await subject.execute(connection, "SELECT 1")) == 1


async def open_transaction(subject: Subject, path: str) -> None:
    """A user leaves in the middle of a transaction: nobody sees it, and its lock is gone."""
    await subject.open(path, SIZE, PATIENCE_S)
    async with subject.acquire() as connection:
        await subject.execute(connection, "CREATE TABLE t (x)")
    async with subject.acquire() as connection:
        await subject.execute(connection, "BEGIN IMMEDIATE")
        await subject.execute(connection, "INSERT INTO t VALUES (1)")
    held = [subject.acquire() for _ in range(SIZE)]
    for one in held:
        connection = await one.__aenter__()
        assert len(await subject.execute(connection, "SELECT * FROM t")) == 0, "dirty read"
        await asyncio.wait_for(subject.execute(connection, "INSERT INTO t VALUES (2)"), PATIENCE_S)
        await subject.execute(connection, "DELETE FROM t")
    for one in held:
        await one.__aexit__(None, None, None)


async def dead_idle_connections(subject: Subject, path: str) -> None:
    """All idle connections are dead: nobody notices."""
    await subject.open(path, SIZE, PATIENCE_S)
    held = [subject.acquire() for _ in range(SIZE)]
    killers = [await subject.killer(await one.__aenter__()) for one in held]
    for one in held:
        await one.__aexit__(None, None, None)
    for kill in killers:
        await kill()
    for _ in range(3 * SIZE):
        async with asyncio.timeout(PATIENCE_S), subject.acquire() as connection:
            assert len(await subject.execute(connection, "SELECT 1")) == 1


async def broken_one_returns(subject: Subject, path: str) -> None:
    """Users wait while all connections break: they are served all the same."""
    await subject.open(path, SIZE, PATIENCE_S)
    served = 0

    async def user() -> None:
        nonlocal served
        async with subject.acquire() as connection:
            assert len(await subject.execute(connection, "SELECT 1")) == 1
            served += 1

    held = [subject.acquire() for _ in range(SIZE)]
    connections = [await one.__aenter__() for one in held]
    waiting = [asyncio.create_task(user()) for _ in range(SIZE)]
    await asyncio.sleep(0)
    for one, connection in zip(held, connections, strict=True):
        await (await subject.killer(connection))()
        with suppress(Exception):
            await one.__aexit__(None, None, None)
    done = await asyncio.gather(*waiting, return_exceptions=True)
    assert served == SIZE, done


async def acquire_timeout(subject: Subject, path: str) -> None:
    """A timeout of less than a second is kept."""
    await subject.open(path, SIZE, 0.3)
    held = [subject.acquire() for _ in range(SIZE)]
    for one in held:
        await one.__aenter__()
    took_s = []
    for _ in range(4):  # measured again if the machine stood still meanwhile
        start = time.monotonic()
        got = False
        with suppress(Exception):  # each pool has one of its own
            async with asyncio.timeout(5), subject.acquire():
                got = True
        took_s.append(time.monotonic() - start)
        assert not got, f"more than {SIZE}"
        if took_s[-1] < 1.5:
            break
    assert 0.25 < min(took_s) < 1.5, took_s
    for one in held:
        await one.__aexit__(None, None, None)


async def close_with_users(subject: Subject, path: str) -> None:
    """The pool is closed under its users: no thread is left."""
    before = threading.active_count()
    await subject.open(path, SIZE, 1)
    held = [subject.acquire() for _ in range(SIZE)]
    for one in held:
        await subject.execute(await one.__aenter__(), "SELECT 1")
    with suppress(Exception):
        await asyncio.wait_for(subject.close(), PATIENCE_S)
    deadline = time.monotonic() + PATIENCE_S
    while threading.active_count() > before:
        assert time.monotonic() < deadline, threading.enumerate()
        await asyncio.sleep(0.01)


async def fifo(subject: Subject, path: str) -> None:
    """Users are served in the order in which they came."""
    await subject.open(path, 1, PATIENCE_S)
    order: list[int] = []

    async def user(number: int) -> None:
        async with subject.acquire() as connection:
            await subject.execute(connection, "SELECT 1")
            order.append(number)

    async with subject.acquire():
        users = []
        for number in range(20):
            users.append(asyncio.create_task(user(number)))
            for _ in range(5):
                await asyncio.sleep(0)
    await asyncio.gather(*users)
    assert order == list(range(20)), order


async def cancelled_connect(subject: Subject, path: str) -> None:
    """Users are cancelled while their connection is being opened: after closing, no thread."""
    before = threading.active_count()
    await subject.open(path, SIZE, PATIENCE_S)

    async def user() -> None:
        async with subject.acquire() as connection:
            await subject.execute(connection, "SELECT 1")

    for steps in range(20):
        one = asyncio.create_task(user())
        other = asyncio.create_task(user())
        for _ in range(steps):
            await asyncio.sleep(0)
        one.cancel()
        other.cancel()
        await asyncio.wait([one, other])
    await asyncio.wait_for(subject.close(), PATIENCE_S)
    deadline = time.monotonic() + PATIENCE_S
    while threading.active_count() > before:
        assert time.monotonic() < deadline, threading.enumerate()
        await asyncio.sleep(0.01)


async def exit_without_close(subject: Subject, path: str) -> None:
    """The pool is dropped without being closed: the interpreter exits."""
    await subject.open(path, SIZE, PATIENCE_S)
    async with subject.acquire() as connection:
        await subject.execute(connection, "SELECT 1")


kept: list[Subject] = []


async def exit_with_global(subject: Subject, path: str) -> None:
    """The pool is a global that lives as long as its module: the interpreter exits."""
    await exit_without_close(subject, path)
    kept.append(subject)


CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        never_more_than_max,
        cancelled_waiters,
        cancelled_query,
        open_transaction,
        dead_idle_connections,
        broken_one_returns,
        acquire_timeout,
        close_with_users,
        exit_without_close,
        exit_with_global,
        fifo,
        cancelled_connect,
    )
}
LEAVE_OPEN = {"exit_without_close", "exit_with_global"}


async def run(make: Callable[[], Subject], name: str, path: str) -> None:
    """Run a check on a new pool."""
    subject = make()
    try:
        await CHECKS[name](subject, path)
    finally:
        if name not in LEAVE_OPEN:
            with suppress(Exception):
                await asyncio.wait_for(subject.close(), PATIENCE_S)


def main() -> None:
    """Run the check named on the command line."""
    where, name, path = sys.argv[1:]
    module, _, class_name = where.partition(":")
    try:
        asyncio.run(run(getattr(importlib.import_module(module), class_name), name, path))
    except BaseException:  # noqa: BLE001 - the parent reads it
        traceback.print_exc()
        os._exit(1)
    if name not in LEAVE_OPEN:
        # Whether the interpreter exits is a check of its own.
        os._exit(0)
    gc.collect()


if __name__ == "__main__":
    main()

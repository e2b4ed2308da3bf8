"""Transactions as functions: all or nothing, one snapshot each, errors of one kind."""

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.connections import be_impatient, on_writer

from meshaccel.db.database import MEMORY, Database
from meshaccel.errors import DatabaseError


def run(path: Path | str, test: Callable[[Database], Awaitable[None]]) -> None:
    async def main() -> None:
        async with await Database.open(str(path)) as database:
            await test(database)

    asyncio.run(main())


def bump(conn: sqlite3.Connection) -> int:
    (revision,) = conn.execute(
        "UPDATE meta SET revision = revision + 1 RETURNING revision"
    ).fetchone()
    return int(revision)


def revision(conn: sqlite3.Connection) -> int:
    (found,) = conn.execute("SELECT revision FROM meta").fetchone()
    return int(found)


@pytest.mark.parametrize("place", ["file", MEMORY])
def test_writes_are_read(tmp_path: Path, place: str) -> None:
    async def test(database: Database) -> None:
        assert [await database.write(bump) for _ in range(3)] == [1, 2, 3]
        assert await database.read(revision) == 3

    run(MEMORY if place == MEMORY else tmp_path / "r.db", test)


@pytest.mark.parametrize("place", ["file", MEMORY])
def test_failing_write_leaves_nothing(tmp_path: Path, place: str) -> None:
    def fail(conn: sqlite3.Connection) -> None:
        bump(conn)
        raise LookupError("mine")

    def break_off(conn: sqlite3.Connection) -> None:
        bump(conn)
        conn.execute("INSERT INTO meta (one, epoch, revision) VALUES (1, '', 0)")

    async def test(database: Database) -> None:
        with pytest.raises(LookupError, match="mine"):
            await database.write(fail)
        with pytest.raises(DatabaseError, match="UNIQUE"):
            await database.write(break_off)
        assert await database.read(revision) == 0
        assert await database.write(bump) == 1

    run(MEMORY if place == MEMORY else tmp_path / "r.db", test)


@pytest.mark.parametrize(
    "statement", ["SELECT x FROM nothing", "no SQL", "UPDATE meta SET one = 2"]
)
def test_errors_of_the_driver_are_database_errors(tmp_path: Path, statement: str) -> None:
    async def test(database: Database) -> None:
        with pytest.raises(DatabaseError) as caught:
            await database.write(lambda conn: conn.execute(statement))
        assert isinstance(caught.value.__cause__, sqlite3.Error)
        with pytest.raises(DatabaseError):
            await database.read(lambda conn: conn.execute(statement))
        assert await database.write(bump) == 1

    run(tmp_path / "r.db", test)


def test_reader_cannot_write(tmp_path: Path) -> None:
    async def test(database: Database) -> None:
        with pytest.raises(DatabaseError, match="readonly"):
            await database.read(bump)

    run(tmp_path / "r.db", test)


def test_read_sees_one_snapshot(tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def read_twice(conn: sqlite3.Connection) -> tuple[int, int]:
        first = revision(conn)
        begun.set()
        go_on.wait(300)
        return first, revision(conn)

    async def test(database: Database) -> None:
        reading = asyncio.create_task(database.read(read_twice))
        await asyncio.to_thread(begun.wait, 60)
        assert await database.write(bump) == 1
        go_on.set()
        assert await reading == (0, 0)
        assert await database.read(revision) == 1

    run(tmp_path / "r.db", test)


def test_writes_at_once_are_serial(tmp_path: Path) -> None:
    async def test(database: Database) -> None:
        found = await asyncio.gather(*(database.write(bump) for _ in range(200)))
        assert list(found) == list(range(1, 201))

    run(tmp_path / "r.db", test)


def test_cancelled_write_leaves_no_transaction_open(tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(conn: sqlite3.Connection) -> int:
        begun.set()
        go_on.wait(300)
        return bump(conn)

    async def test(database: Database) -> None:
        running = asyncio.create_task(database.write(slow))
        queued = asyncio.create_task(database.write(bump))
        await asyncio.to_thread(begun.wait, 60)
        running.cancel()
        queued.cancel()
        go_on.set()
        for task in (running, queued):
            with pytest.raises(asyncio.CancelledError):
                await task
        left_open = []
        await on_writer(database, lambda conn: left_open.append(conn.in_transaction))
        assert left_open == [False]
        before = await database.read(revision)
        assert before in (0, 1, 2)
        assert await database.write(bump) == before + 1

    run(tmp_path / "r.db", test)


def test_locked_file_is_a_database_error(tmp_path: Path) -> None:
    path = tmp_path / "r.db"

    async def test(database: Database) -> None:
        be_impatient(database)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(DatabaseError, match="locked"):
                await database.write(bump)
            assert await database.read(revision) == 0
            other.execute("ROLLBACK")
        assert await database.write(bump) == 1

    run(path, test)


def test_closing_finishes_what_is_queued(tmp_path: Path) -> None:
    path = tmp_path / "r.db"

    async def main() -> None:
        database = await Database.open(str(path))
        writes = [asyncio.create_task(database.write(bump)) for _ in range(20)]
        await asyncio.sleep(0)
        await database.close()
        assert await asyncio.gather(*writes) == list(range(1, 21))

    asyncio.run(main())
    with closing(sqlite3.connect(path)) as conn:
        assert revision(conn) == 20


def test_a_file_may_be_open_several_times(tmp_path: Path) -> None:
    """One revision after the other, whoever writes."""
    path, link = tmp_path / "r.db", tmp_path / "link.db"
    link.symlink_to(path)

    async def test(database: Database) -> None:
        async with await Database.open(str(link)) as other:
            for revisions in ([1, 2], [3, 4]):
                assert [await database.write(bump), await other.write(bump)] == revisions
            assert await database.read(revision) == await other.read(revision) == 4
            both = [each.write(bump) for each in (database, other) for _ in range(20)]
            assert sorted(await asyncio.gather(*both)) == list(range(5, 45))

    run(path, test)


def test_an_empty_path_is_refused() -> None:
    """SQLite would make a temporary database of it, another one for each connection."""
    with pytest.raises(DatabaseError, match="path is empty"):
        asyncio.run(Database.open(""))


def test_writes_that_wait_share_a_transaction_and_one_that_fails_is_undone_alone(
    tmp_path: Path,
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def hold(_: sqlite3.Connection) -> None:
        begun.set()
        go_on.wait(300)

    def fail(conn: sqlite3.Connection) -> int:
        bump(conn)
        raise LookupError("mine")

    async def test(database: Database) -> None:
        holding = asyncio.create_task(database.write(hold))
        await asyncio.to_thread(begun.wait, 60)
        works = [bump, fail, bump, bump]
        queued = [asyncio.create_task(database.write(work)) for work in works]
        await asyncio.sleep(0)
        go_on.set()
        await holding
        first, failed, *rest = await asyncio.gather(*queued, return_exceptions=True)
        assert (first, rest) == (1, [2, 3])
        assert isinstance(failed, LookupError)
        assert await database.read(revision) == 3
        assert (database.stats().groups, database.stats().grouped_writes) == (1, 4)

    run(tmp_path / "r.db", test)


def test_a_look_up_does_not_stand_behind_listings(tmp_path: Path) -> None:
    """More readers are opened while all are busy with something long."""
    release = threading.Event()

    async def test(database: Database) -> None:
        long = [asyncio.create_task(database.read(lambda _: release.wait(300))) for _ in range(4)]
        await asyncio.sleep(0)
        assert await database.read(revision) == 0
        release.set()
        assert await asyncio.gather(*long) == [True] * 4

    run(tmp_path / "r.db", test)

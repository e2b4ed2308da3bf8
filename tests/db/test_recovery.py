"""Trouble of the database: what is waited for, and what is not tried twice."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.connections import be_impatient

from meshaccel.db.database import Database
from meshaccel.db.recovery import READ, WRITE
from meshaccel.errors import DatabaseError
from meshaccel.resilience import Failure


def run(path: Path, test: Callable[[Database], Awaitable[None]]) -> None:
    async def main() -> None:
        async with await Database.open(str(path)) as database:
            await test(database)

    asyncio.run(main())


def trouble(code: int) -> sqlite3.OperationalError:
    """Make an error as SQLite would."""
    error = sqlite3.OperationalError(f"code {code}")
    error.sqlite_errorcode = code
    return error


class Work:
    """Bumps the revision, and fails the first times after that."""

    def __init__(self, *codes: int) -> None:
        self._codes = list(codes)
        self.runs = 0

    def __call__(self, conn: sqlite3.Connection) -> int:
        self.runs += 1
        if conn.in_transaction:
            conn.execute("UPDATE meta SET revision = revision + 1")
        if self._codes:
            raise trouble(self._codes.pop(0))
        (revision,) = conn.execute("SELECT revision FROM meta").fetchone()
        return int(revision)


def test_a_lock_that_is_given_up_is_waited_for(tmp_path: Path) -> None:
    """Beyond the pool's patience, which the test makes short; the write happens once."""

    async def test(database: Database) -> None:
        be_impatient(database)
        with closing(sqlite3.connect(tmp_path / "r.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")

            def give_up(failure: Failure[sqlite3.OperationalError]) -> None:
                if failure.attempt == 1:
                    other.execute("ROLLBACK")

            database._errors.add_handler(sqlite3.OperationalError, give_up)
            assert await database.write(Work()) == 1
        assert await database.read(
            lambda conn: conn.execute("SELECT revision FROM meta").fetchone()
        ) == (1,)
        stats = database.recovery()[WRITE]
        assert (stats.retries, stats.recovered, stats.recovery_rate) == (1, 1, 1.0)

    run(tmp_path / "r.db", test)


def test_a_transaction_is_made_again_as_a_whole(tmp_path: Path) -> None:
    """What it had written before it found its snapshot out of date is not there twice."""

    async def test(database: Database) -> None:
        work = Work(sqlite3.SQLITE_BUSY_SNAPSHOT, sqlite3.SQLITE_BUSY_RECOVERY)
        assert await database.write(work) == 1
        assert work.runs == 3

    run(tmp_path / "r.db", test)


@pytest.mark.parametrize(
    "code",
    [
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CONSTRAINT,
    ],
)
def test_a_write_in_doubt_or_in_vain_is_not_made_again(tmp_path: Path, code: int) -> None:
    """It is a DatabaseError, which is answered with 503."""

    async def test(database: Database) -> None:
        work = Work(code)
        with pytest.raises(DatabaseError, match=f"code {code}") as caught:
            await database.write(work)
        assert work.runs == 1
        assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
        assert await database.write(Work()) == 1

    run(tmp_path / "r.db", test)


def test_a_read_in_doubt_does_no_harm(tmp_path: Path) -> None:
    """It is made again, once: an error of the disk that stays is no hiccup."""

    async def test(database: Database) -> None:
        def reading(*codes: int) -> Callable[[sqlite3.Connection], None]:
            left = list(codes)

            def work(conn: sqlite3.Connection) -> None:
                conn.execute("SELECT 1").fetchone()
                if left:
                    raise trouble(left.pop(0))

            return work

        await database.read(reading(sqlite3.SQLITE_IOERR_READ))
        with pytest.raises(DatabaseError):
            await database.read(reading(*[sqlite3.SQLITE_IOERR_READ] * 2))
        stats = database.recovery()[READ]
        assert (stats.recovered, stats.unrecovered, stats.out_of_attempts) == (1, 1, 1)

    run(tmp_path / "r.db", test)


def test_the_pools_own_refusals_are_not_repeated(tmp_path: Path) -> None:
    async def main() -> None:
        database = await Database.open(str(tmp_path / "r.db"))
        await database.close()
        with pytest.raises(DatabaseError, match="PoolClosedError"):
            await database.read(lambda _: None)
        assert database.recovery()[READ].retries == 0

    asyncio.run(main())

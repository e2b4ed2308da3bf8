"""What is particular to the store in a file."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.cache.level2.stores import SqliteStore
from tests.cache.level2.support import entry, look, payload, present

from meshaccel.cache import sqlite_file
from meshaccel.cache.level2 import UNKNOWN, Version, Wanted
from meshaccel.cache.sqlite_l2 import SqliteL2
from meshaccel.errors import CacheOptionError, SecondLevelError, StoreFullError, UnusableStoreError


async def held(l2: SqliteL2) -> tuple[int, int]:
    """Entries and bytes, as counted and as they are."""
    counted = await l2._pool.fetch_one("SELECT entries, bytes FROM namespace")
    found = await l2._pool.fetch_one("SELECT count(*), ifnull(sum(length(record)), 0) FROM entries")
    assert counted == found
    assert counted is not None
    return counted[0], counted[1]


def test_bounded_by_entries_oldest_use_first(sqlite_store: SqliteStore) -> None:
    async def run() -> None:
        clock = sqlite_store.clock
        async with await SqliteL2.open(sqlite_store.path, max_entries=100, clock=clock) as l2:
            for number in range(100):
                clock.now += 1
                await l2.put(f"k{number}", entry(b"1", UNKNOWN))
            clock.now += 100
            assert await payload(l2, "k0") == b"1"
            for number in range(100, 103):
                await l2.put(f"k{number}", entry(b"1", UNKNOWN))
                assert (await held(l2))[0] <= 100
            reading = await l2.read([Wanted(f"k{number}") for number in range(103)])
            there = [n for n, found in enumerate(reading.entries) if found]
            assert there == [0, *range(7, 103)]

    asyncio.run(run())


def test_bounded_by_bytes_expired_first(sqlite_store: SqliteStore) -> None:
    async def run() -> None:
        clock = sqlite_store.clock
        async with await SqliteL2.open(sqlite_store.path, max_bytes=20_000, clock=clock) as l2:
            await l2.put("old", entry(b"1", UNKNOWN))
            for number in range(10):
                clock.now += 1
                until = clock.now + 100 if number % 2 else float("inf")
                await l2.put(f"k{number}", entry(bytes(1800), UNKNOWN, kept_until=until))
            clock.now += 200
            for number in range(10, 14):
                await l2.put(f"k{number}", entry(bytes(1800), UNKNOWN))
            assert await payload(l2, "old") == b"1"
            for number in range(14, 30):
                await l2.put(f"k{number}", entry(bytes(1800), UNKNOWN))
                assert (await held(l2))[1] <= 20_000
            assert await payload(l2, "old") is None

    asyncio.run(run())


def test_what_is_larger_than_the_store_is_not_stored(sqlite_store: SqliteStore) -> None:
    async def run() -> None:
        async with await SqliteL2.open(sqlite_store.path, max_bytes=1000) as l2:
            before = await present(l2)
            await l2.write("k", entry(b"1", before))
            assert await l2.write("k", entry(bytes(1000), before)), "dropped, not refused"
            assert await payload(l2, "k") == b"1"
            await l2.put("k", entry(bytes(1000), UNKNOWN))
            assert await payload(l2, "k") is None
            assert not await l2.write("k", entry(b"1", before))
            assert await held(l2) == (0, 0)

    asyncio.run(run())


def test_what_no_longer_counts_is_freed(sqlite_store: SqliteStore) -> None:
    """Reads find it, the next writes remove it; what time took goes as others come."""

    async def run() -> None:
        clock = sqlite_store.clock
        async with await SqliteL2.open(sqlite_store.path, clock=clock) as l2:
            now = await present(l2)
            for number in range(10):
                await l2.write(f"k{number}", entry(b"1", now, "a"))
                await l2.write(f"t{number}", entry(b"1", now, kept_until=clock.now + 10))
            await l2.invalidate(["a"])
            await l2.read([Wanted(f"k{number}") for number in range(10)])
            await l2.write("k0", entry(b"2", await present(l2), "a"))
            assert (await held(l2))[0] == 11
            assert await payload(l2, "k0") == b"2"
            clock.now += 20
            for number in range(5):
                await l2.write(f"new{number}", entry(b"1", now))
            assert (await held(l2))[0] == 6

    asyncio.run(run())


def test_a_full_disk_loses_nothing_and_ends(sqlite_store: SqliteStore) -> None:
    async def run() -> None:
        async with await SqliteL2.open(sqlite_store.path) as l2:
            await l2.put("k", entry(b"1", UNKNOWN))
            await l2._pool.run_write(lambda raw: raw.execute("PRAGMA max_page_count = 20"))
            large = entry(bytes(1_000_000), await present(l2))
            assert await l2.write("k", large), "dropped, not refused"
            with pytest.raises(StoreFullError, match="full"):
                await l2.put("k", entry(bytes(1_000_000), UNKNOWN))
            assert await payload(l2, "k") == b"1"
            await l2.invalidate(["a"])
            await l2._pool.run_write(lambda raw: raw.execute("PRAGMA max_page_count = 100000"))
            await l2.put("k", entry(bytes(1_000_000), UNKNOWN))
            assert await payload(l2, "k") == bytes(1_000_000)

    asyncio.run(run())


def test_bounds_are_checked(tmp_path: Path) -> None:
    for option in ("max_entries", "max_bytes", "max_notes"):
        wrong: dict[str, Any] = {option: 0}
        with pytest.raises(CacheOptionError, match=f"{option} is to be at least 1, not 0"):
            asyncio.run(SqliteL2.open(tmp_path / "l2.db", **wrong))
    assert not list(tmp_path.iterdir())


def make_damaged(path: Path) -> None:
    """No header of SQLite's."""
    path.write_bytes(b"this is no database" * 1000)


def make_newer(path: Path) -> None:
    """A store of a format to come."""

    async def run() -> None:
        async with await SqliteL2.open(path) as l2:
            await l2.put("k", entry(b"1", UNKNOWN))

    asyncio.run(run())
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA user_version = 99")


def make_torn(path: Path) -> None:
    """Pages overwritten, the header sound."""
    make_newer(path)
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA user_version = 1")
    content = bytearray(path.read_bytes())
    content[4096:8192] = b"\xff" * 4096
    path.write_bytes(content)


@pytest.mark.parametrize("spoil", [make_damaged, make_newer, make_torn])
def test_an_unusable_file_is_put_aside_only_if_told_so(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    path = tmp_path / "l2.db"
    aside = tmp_path / "l2.db.unusable"
    spoil(path)
    before = path.read_bytes()

    async def run() -> None:
        with pytest.raises(SecondLevelError):
            async with await SqliteL2.open(path) as l2:
                await l2.put("k", entry(b"1", UNKNOWN))
        assert not aside.exists()
        async with await SqliteL2.open(path, replace=True) as l2:
            await l2.put("k", entry(b"2", UNKNOWN))
            assert await payload(l2, "k") == b"2"
        async with await SqliteL2.open(path, replace=True) as l2:
            assert await payload(l2, "k") == b"2"

    asyncio.run(run())
    assert aside.read_bytes() == before


@pytest.mark.parametrize("replace", [False, True])
def test_another_programs_database_is_left_alone(tmp_path: Path, *, replace: bool) -> None:
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("CREATE TABLE theirs (x)")
    before = path.read_bytes()
    with pytest.raises(UnusableStoreError, match="another program"):
        asyncio.run(SqliteL2.open(path, replace=replace))
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["theirs.db"]


def test_a_path_that_cannot_be_opened(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no" / "such.db", ""):
        with pytest.raises(SecondLevelError):
            asyncio.run(SqliteL2.open(path))


def test_after_a_reboot_only_what_is_durable_counts(
    sqlite_store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine may have died with the last invalidations still in its memory."""

    async def versions(*, durable: bool) -> tuple[Version, bool]:
        async with await SqliteL2.open(sqlite_store.path, durable=durable) as l2:
            found = await look(l2, "k")
            await l2.put("k", entry(b"1", UNKNOWN))
            return await present(l2), found is not None

    def boot(name: str) -> None:
        file = sqlite_store.path.with_name(name)
        file.write_text(name)
        monkeypatch.setattr(sqlite_file, "_BOOT_ID", file)

    boot("first")
    first, _ = asyncio.run(versions(durable=True))
    boot("second")
    second, found = asyncio.run(versions(durable=True))
    assert found
    third, found = asyncio.run(versions(durable=False))
    assert found
    assert first.incarnation == second.incarnation == third.incarnation
    boot("third")
    fourth, found = asyncio.run(versions(durable=True))
    assert not found
    assert fourth.incarnation != third.incarnation


def test_without_an_identity_of_boots_every_change_waits_for_the_disk(
    sqlite_store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "_BOOT_ID", sqlite_store.path / "nowhere")

    async def run() -> None:
        async with await SqliteL2.open(sqlite_store.path) as l2:
            level = await l2._pool.run_write(
                lambda raw: raw.execute("PRAGMA synchronous").fetchone()
            )
            assert level == (2,)

    asyncio.run(run())


WRITER = """
import asyncio, sys
from meshaccel.cache.level2 import UNKNOWN, StoredEntry
from meshaccel.cache.sqlite_l2 import SqliteL2

async def run(path, name):
    inf = float("inf")
    async with await SqliteL2.open(path) as l2:
        for number in range(50):
            await l2.put(name, StoredEntry(b"%d" % number, ("a",), UNKNOWN, inf, inf))
            await l2.invalidate(["b"])

asyncio.run(run(*sys.argv[1:]))
"""


def test_processes_share_one_file(sqlite_store: SqliteStore) -> None:
    """Numbers are taken once, whoever takes them."""
    processes = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(sqlite_store.path), name])
        for name in ("x", "y", "z")
    ]
    assert [process.wait(120) for process in processes] == [0, 0, 0]

    async def run() -> None:
        async with await SqliteL2.open(sqlite_store.path) as l2:
            assert (await present(l2)).number == 300
            assert [await payload(l2, name) for name in "xyz"] == [b"49"] * 3

    asyncio.run(run())

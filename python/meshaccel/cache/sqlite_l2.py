"""A second level in a SQLite file: embedded, bounded, and there after a restart."""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self, TypeVar

import msgspec

from meshaccel.cache import sqlite_entries, sqlite_notes
from meshaccel.cache.level2 import Reading, StoredEntry, Version, Wanted
from meshaccel.cache.record import encode, to_name
from meshaccel.cache.sqlite_entries import Bounds, Seen
from meshaccel.cache.sqlite_errors import translated
from meshaccel.cache.sqlite_file import begin, boot_id, examine
from meshaccel.cache.sqlite_notes import Changed
from meshaccel.cache.sqlite_reading import look_up
from meshaccel.clock import Clock, SystemClock
from meshaccel.errors import CacheOptionError, StoreFullError
from meshaccel.pool import ConnectionPool

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

MAX_CONNECTIONS: Final = 4
"""One writes, the others read."""


class SqliteL2:
    """A second level in a SQLite file; several processes may share it.

    ::

        async with await SqliteL2.open("cache.db", max_entries=100_000) as l2:
            cache = HierarchicalCache(TagCache(max_entries=10_000), l2)

    Every call is one transaction in a thread of the pool, and notes and entries are in the same
    file: what is read is consistent. Reads do not wait for writes. Notes are bounded too:
    forgetting the oldest takes the entries with it that are older still (``max_notes``).

    Cost: reads and writes O(keys + tags) index look-ups; invalidating a tag is one row, however
    many entries have it. What they held is freed as reads come upon it, as it expires, or as the
    oldest.
    """

    def __init__(self, pool: ConnectionPool, bounds: Bounds, clock: Clock) -> None:
        self._pool = pool
        self._bounds = bounds
        self._clock = clock
        self._seen = Seen({}, {})

    @classmethod
    async def open(  # noqa: PLR0913 - options, all with a default
        cls,
        path: str | os.PathLike[str],
        *,
        max_entries: int = 100_000,
        max_bytes: int = 256 * 1024 * 1024,
        max_notes: int = 100_000,
        durable: bool = False,
        replace: bool = False,
        clock: Clock | None = None,
    ) -> Self:
        """Open the file, creating it if need be.

        Args:
            path: of the file; ``:memory:`` keeps it in memory.
            max_entries: how many entries there may be. If there are more, those go whose time is
                up, then those whose last known use is longest ago, a twentieth at a time.
            max_bytes: sum of the sizes of their records, in bytes; an entry that is larger is
                not stored. The file is larger by the pages' overhead, and does not shrink.
            max_notes: how many invalidated tags, and how many deleted keys, are remembered.
            durable: wait for the disk at every change. Otherwise the file begins another
                incarnation (it is empty) after the machine was restarted, as its last changes,
                invalidations among them, may have been lost with it. Where the system has no
                identity for that, changes always wait.
            replace: put a file that is damaged or of another format aside and begin afresh,
                rather than raise. Not the default: a path may be wrong, and a process that has
                the old file open would no longer be told of invalidations.
            clock: tells when entries expire. Whether they are stale is told without.

        Raises:
            UnusableStoreError: the file is damaged, another program's, or newer.
            SecondLevelError: it cannot be opened.
            CacheOptionError: a bound is below 1.
        """
        bounds = Bounds(max_entries, max_bytes, max_notes)
        for option, value in bounds._asdict().items():
            if value < 1:
                raise CacheOptionError(option, "at least 1", value)
        name = os.fspath(path)
        boot = "" if durable else boot_id() or ""
        pool = ConnectionPool(
            name,
            MAX_CONNECTIONS,
            pragmas={"synchronous": "NORMAL" if boot else "FULL"},
        )
        if name not in {"", ":memory:"}:
            await translated(asyncio.to_thread(examine, name, replace=replace))
        await translated(pool.open())
        try:
            await translated(pool.run_write(lambda conn: begin(conn, boot)))
        except BaseException:
            await pool.close()
            raise
        return cls(pool, bounds, clock or SystemClock())

    async def read(self, wanted: Sequence[Wanted]) -> Reading:
        """Look up entries and the present version, all in one snapshot."""
        names = [to_name(one.key) for one in wanted]
        tags = [tuple(map(to_name, one.tags)) for one in wanted]
        now = self._now()
        reading, seen = await translated(
            self._pool.run_read(lambda conn: look_up(conn, names, tags, now))
        )
        self._seen.add(seen)
        return reading

    async def write(self, key: str, entry: StoredEntry) -> bool:
        """Store an entry unless it would be stale at once, or something newer is there.

        If there is no room it is not stored, and this is no refusal.
        """
        name, record = to_name(key), encode(entry)
        tags = {to_name(tag) for tag in entry.tags}
        number = entry.version.number
        if len(record) > self._bounds.max_bytes or entry.kept_until <= self._now():
            return True

        def store(conn: sqlite3.Connection) -> bool:
            now = sqlite_notes.present(conn)
            if entry.version.incarnation != now.incarnation:
                return False
            if not max(now.floor, sqlite_notes.gone_since(conn, name, now)) <= number <= now.number:
                return False
            if any(
                note.invalidated > number for note in sqlite_notes.tag_notes(conn, tags).values()
            ):
                return False
            if sqlite_entries.number_at(conn, name) > number:
                return False
            self._store(conn, name, number, entry, record)
            return True

        try:
            return await self._write(store)
        except StoreFullError:
            return True

    async def put(self, key: str, entry: StoredEntry) -> Version:
        """Store an entry as the newest of its key; one that is too large is forgotten instead."""
        name = to_name(key)

        def store(conn: sqlite3.Connection) -> Version:
            now = sqlite_notes.next_number(conn, self._bounds.max_notes)
            version = Version(now.incarnation, now.number)
            sqlite_notes.note_gone(conn, [name], now.number)
            record = encode(msgspec.structs.replace(entry, version=version))
            if len(record) <= self._bounds.max_bytes:
                self._store(conn, name, now.number, entry, record)
            else:
                sqlite_entries.remove(conn, [name])
            return version

        return await self._write(store)

    async def delete(self, keys: Sequence[str]) -> Version:
        """Forget keys, and refuse what was computed before."""
        names = {to_name(key) for key in keys}

        def forget(conn: sqlite3.Connection, number: int) -> None:
            sqlite_notes.note_gone(conn, names, number)
            sqlite_entries.remove(conn, names)

        return await self._change(forget)

    async def invalidate(self, tags: Sequence[str]) -> Version:
        """Let no entry with one of these tags ever be served again."""
        names = {to_name(tag) for tag in tags}
        return await self._change(
            lambda conn, number: sqlite_notes.note_invalidated(conn, names, number)
        )

    async def expire(self, tags: Sequence[str]) -> Version:
        """Let entries with one of these tags be served by fail-safe only."""
        names = {to_name(tag) for tag in tags}
        return await self._change(
            lambda conn, number: sqlite_notes.note_expired(conn, names, number)
        )

    async def clear(self) -> Version:
        """Forget everything."""
        return await self._change(sqlite_notes.forget_all)

    async def changes(self, since: Version) -> Changed:
        """Return which keys and tags were noted since a version; for a backplane."""
        return await translated(self._pool.run_read(lambda conn: sqlite_notes.changes(conn, since)))

    async def close(self) -> None:
        """Finish what is queued, then close the file."""
        await self._pool.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def _store(
        self, conn: sqlite3.Connection, key: bytes, number: int, entry: StoredEntry, record: bytes
    ) -> None:
        now = self._now()
        sqlite_entries.store(conn, key, number, entry.kept_until, now, record)
        sqlite_entries.keep_within(conn, self._bounds, now)

    async def _change(self, note: Callable[[sqlite3.Connection, int], None]) -> Version:
        def change(conn: sqlite3.Connection) -> Version:
            now = sqlite_notes.next_number(conn, self._bounds.max_notes)
            note(conn, now.number)
            return Version(now.incarnation, now.number)

        return await self._write(change)

    async def _write(self, work: Work[T]) -> T:
        seen = self._take_seen()

        def with_seen(conn: sqlite3.Connection) -> T:
            sqlite_entries.take_note(conn, seen)
            return work(conn)

        return await translated(self._pool.run_write(with_seen, repeatable=True))

    def _take_seen(self) -> Seen:
        seen, self._seen = self._seen, Seen({}, {})
        return seen

    def _now(self) -> float:
        return self._clock.now_us() / 1e6

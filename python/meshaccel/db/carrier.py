"""Which history a database tells: a restored backup tells another one than readers have heard.

An id in the database alone would be restored with it. So the epoch also comes from a small file
beside the database, which remembers the highest revision that any reader was told. A database that
is behind it, or finds no such file, or one that was itself restored (its inode is another one),
begins a new epoch.

Several processes share the file. Each reads it before it writes, under a lock, so what one was told
is never taken back by another; and whoever finds another epoch there than its own tells nobody
anything more.
"""

import hashlib
import os
import sqlite3
import uuid
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from msgspec import Struct

from meshaccel.content import DIGEST_BYTES, digest_bytes
from meshaccel.db.file_lock import locked
from meshaccel.errors import DatabaseError, DatabaseReplacedError

SIZE = 256
"""Bytes of the file, written at once and in place: a new file would be a new carrier."""


class History(Struct, frozen=True):
    """What the database itself knows of its history."""

    epoch: str
    revision: int


class Mark(Struct, frozen=True):
    """What the file beside it remembers."""

    carrier: str
    history: History
    """``revision`` is the highest one that was told."""
    inode: int


def read_history(conn: sqlite3.Connection) -> History:
    """Return what the database knows of its history."""
    epoch, revision = conn.execute("SELECT epoch, revision FROM meta").fetchone()
    return History(epoch, revision)


class Carrier:
    """The epoch of an open database, and the revision up to which it was told."""

    def __init__(self, mark: Mark, file: FileIO | None) -> None:
        self._mark = mark
        self._file = file
        both = f"{mark.history.epoch}/{mark.carrier}".encode()
        self.epoch = hashlib.blake2b(both, digest_size=DIGEST_BYTES).hexdigest()
        """Names the history that revisions belong to."""

    @classmethod
    def open(cls, path: str | None, history: Callable[[], History]) -> Self:
        """Open the file beside the database at ``path``; without a path there is none.

        ``history`` reads what the database knows, after the file was read: what others commit and
        tell in between must not look like a database that is behind.

        Raises:
            DatabaseError: it cannot be read or written.
        """
        if path is None:
            return cls(Mark(uuid.uuid4().hex, history(), 0), None)
        beside = Path(f"{os.path.realpath(path)}-feed")
        try:
            beside.touch(0o600)
            # Written in place, with nothing between us and the system: a crash loses nothing.
            file = beside.open("r+b", buffering=0)
        except OSError as error:
            raise DatabaseError(f"cannot open {str(beside)!r}: {error}") from error
        try:
            with locked(file):
                return cls._opened(file, history)
        except OSError as error:
            file.close()
            raise DatabaseError(f"cannot use {str(beside)!r}: {error}") from error
        except BaseException:
            file.close()
            raise

    @classmethod
    def _opened(cls, file: FileIO, read_history: Callable[[], History]) -> Self:
        inode = os.fstat(file.fileno()).st_ino
        mark = _read(file)
        history = read_history()
        if (
            mark is None
            or mark.inode != inode
            or mark.history.epoch != history.epoch
            or mark.history.revision > history.revision
        ):
            # Readers of the former epoch must not take the revisions of this one for theirs.
            mark = Mark(uuid.uuid4().hex, History(history.epoch, 0), inode)
            _write(file, mark)
        return cls(mark, file)

    def told(self, revision: int) -> None:
        """Remember that a reader was told a revision, even if this process dies right after.

        Raises:
            DatabaseError: it cannot be written; the reader should not be told.
        """
        if revision <= self._mark.history.revision or self._file is None:
            return
        try:
            with locked(self._file):
                self._mark = self._raised(self._file, revision)
        except OSError as error:
            raise DatabaseError(f"cannot remember the revision that was told: {error}") from error

    def _raised(self, file: FileIO, revision: int) -> Mark:
        """Raise the mark in the file, unless others have; return what is there."""
        ours = self._mark
        mark = _read(file) or ours
        if (mark.carrier, mark.history.epoch) != (ours.carrier, ours.history.epoch):
            raise DatabaseReplacedError(
                "the database tells another history by now: restart the registry"
            )
        if revision > mark.history.revision:
            mark = msgspec.structs.replace(mark, history=History(mark.history.epoch, revision))
            _write(file, mark)
        return mark

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _write(file: FileIO, mark: Mark) -> None:
    content = msgspec.json.encode(mark).ljust(SIZE - DIGEST_BYTES)
    file.seek(0)
    file.write(content + digest_bytes(content))


def _read(file: FileIO) -> Mark | None:
    file.seek(0)
    return _unpacked(file.read(SIZE))


def _unpacked(packed: bytes) -> Mark | None:
    """Return what was written, or None if that was not all of it, or by another version."""
    content, digest = packed[:-DIGEST_BYTES], packed[-DIGEST_BYTES:]
    if len(packed) != SIZE or digest_bytes(content) != digest:
        return None
    try:
        return msgspec.json.decode(content, type=Mark)
    except msgspec.MsgspecError:
        return None

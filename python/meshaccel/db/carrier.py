"""Which history a database tells: a restored backup tells another one than readers have heard.

An id in the database alone would be restored with it. So the epoch also comes from a small file
beside the database, which remembers the highest revision that any reader was told. A database that
is behind it, or finds no such file, or one that was itself restored (its inode is another one),
begins a new epoch.
"""

import hashlib
import os
import sqlite3
import uuid
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from msgspec import Struct

from meshaccel.content import DIGEST_BYTES, digest_bytes
from meshaccel.errors import DatabaseError

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
    def open(cls, path: str | None, history: History) -> Self:
        """Open the file beside the database at ``path``; without a path there is none.

        Raises:
            DatabaseError: it cannot be read or written.
        """
        if path is None:
            return cls(Mark(uuid.uuid4().hex, history, 0), None)
        beside = Path(f"{os.path.realpath(path)}-feed")
        try:
            beside.touch(0o600)
            # Written in place, with nothing between us and the system: a crash loses nothing.
            file = beside.open("r+b", buffering=0)
        except OSError as error:
            raise DatabaseError(f"cannot open {str(beside)!r}: {error}") from error
        try:
            return cls._opened(file, history)
        except OSError as error:
            file.close()
            raise DatabaseError(f"cannot use {str(beside)!r}: {error}") from error

    @classmethod
    def _opened(cls, file: FileIO, history: History) -> Self:
        inode = os.fstat(file.fileno()).st_ino
        mark = _unpacked(file.read(SIZE))
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
        mark = msgspec.structs.replace(
            self._mark, history=History(self._mark.history.epoch, revision)
        )
        try:
            _write(self._file, mark)
        except OSError as error:
            raise DatabaseError(f"cannot remember the revision that was told: {error}") from error
        self._mark = mark

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


def _unpacked(packed: bytes) -> Mark | None:
    """Return what was written, or None if that was not all of it, or by another version."""
    content, digest = packed[:-DIGEST_BYTES], packed[-DIGEST_BYTES:]
    if len(packed) != SIZE or digest_bytes(content) != digest:
        return None
    try:
        return msgspec.json.decode(content, type=Mark)
    except msgspec.MsgspecError:
        return None

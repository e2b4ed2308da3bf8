"""A lock on an open file, between processes and within one."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO

if sys.platform == "win32":
    import msvcrt

    _BEYOND = 1 << 20
    """A byte that nobody reads: locked ones cannot be read there."""

    @contextmanager
    def locked(file: FileIO) -> Iterator[None]:
        """Hold the lock for the length of the block; it ends with its process."""
        file.seek(_BEYOND)
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        try:
            yield
        finally:
            file.seek(_BEYOND)
            msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    @contextmanager
    def locked(file: FileIO) -> Iterator[None]:
        """Hold the lock for the length of the block; it ends with its process."""
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)

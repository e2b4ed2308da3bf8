"""Files that only their owner reads, whatever the umask allows."""

import os
from contextlib import suppress


def make_private(path: str) -> None:
    """Make an empty file with mode 0600, unless there is one: its owner may have opened it.

    The files that SQLite puts beside a database have the mode of the database.
    """
    # Who opens the file says what is wrong, if anything is.
    with suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))

"""The lines of a file, plain or gzip, without ever holding the file."""

import gzip
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from typing import BinaryIO, NamedTuple

STDIN = "-"
MAX_LINE = 64 * 1024 * 1024
"""Bytes of a line. Registries take less; this only bounds what a file without line breaks costs."""

_CHUNK = 1024 * 1024
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


class InputError(Exception):
    """A file cannot be read, or not further."""


class Line(NamedTuple):
    """A line that is not blank; what is longer than ``MAX_LINE`` is cut one byte after."""

    source: str
    number: int
    data: bytes

    @property
    def place(self) -> str:
        """Where it stands, as compilers write it."""
        return f"{self.source}:{self.number}"


class Input:
    """A file or standard input that is being read."""

    def __init__(self, source: str, file: BufferedReader) -> None:
        self._source = source
        self._file = file
        zipped = file.peek(len(_GZIP)).startswith(_GZIP)
        self._content: BinaryIO = gzip.open(file) if zipped else file  # type: ignore[assignment]

    def position(self) -> int:
        """Return how many bytes of the file, packed as it is, have been read."""
        return self._file.tell()

    def lines(self) -> Iterator[Line]:
        """Yield the lines that are not blank.

        Raises:
            InputError: it cannot be read to its end.
        """
        number = 0
        try:
            while data := self._content.readline(MAX_LINE + 1):
                number += 1
                if len(data) > MAX_LINE:
                    self._skip_line()
                if number == 1:
                    data = data.removeprefix(_BOM)
                if data.strip():
                    yield Line(self._source, number, data)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"{self._source}:{number + 1}: cannot be read: {error}") from error

    def _skip_line(self) -> None:
        while rest := self._content.readline(_CHUNK):
            if rest.endswith(b"\n"):
                return


@contextmanager
def open_input(source: str) -> Iterator[Input]:
    """Open a file, or standard input as ``-``.

    Raises:
        InputError: it cannot be opened.
    """
    if source == STDIN:
        yield Input("<stdin>", sys.stdin.buffer)
        return
    try:
        file = open(source, "rb")
    except OSError as error:
        raise InputError(f"{source}: {error.strerror}") from error
    with file:
        yield Input(source, file)

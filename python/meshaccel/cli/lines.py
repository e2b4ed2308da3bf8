"""The lines of a file, plain or gzip, without ever holding the file."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from gzip import GzipFile
from io import BufferedReader, FileIO
from typing import NamedTuple

STDIN = "-"
MAX_LINE = 64 * 1024 * 1024
"""Bytes of a line. Registries take less; this only bounds what a file without line breaks costs."""

_CHUNK = 1024 * 1024
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


class InputError(Exception):
    """A file cannot be read, or not further."""


class Line(NamedTuple):
    """A line that is not blank; one longer than ``MAX_LINE`` is cut a byte after that."""

    source: str
    number: int
    data: bytes

    @property
    def place(self) -> str:
        """Where it stands, as compilers write it."""
        return f"{self.source}:{self.number}"


class Input:
    """A file or standard input that is being read."""

    def __init__(self, source: str, file: "BufferedReader[FileIO]") -> None:
        self._source = source
        self._file = file

    def position(self) -> int:
        """Return how many bytes of the file, packed as it may be, have been read."""
        return self._file.tell() if self._file.seekable() else 0

    def lines(self) -> Iterator[Line]:
        """Yield the lines that are not blank.

        Raises:
            InputError: it cannot be read to its end.
        """
        number = 0
        try:
            packed = self._file.peek(len(_GZIP)).startswith(_GZIP)
            content = GzipFile(fileobj=self._file) if packed else self._file
            while data := content.readline(MAX_LINE + 1):
                number += 1
                if len(data) > MAX_LINE:
                    _skip_line(content)
                if number == 1:
                    data = data.removeprefix(_BOM)
                if data.strip():
                    yield Line(self._source, number, data)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"{self._source}:{number + 1}: cannot be read: {error}") from error


def _skip_line(content: "BufferedReader[FileIO] | GzipFile") -> None:
    while rest := content.readline(_CHUNK):
        if rest.endswith(b"\n"):
            return


@contextmanager
def open_input(source: str) -> Iterator[Input]:
    """Open a file, or standard input as ``-``.

    Raises:
        InputError: it cannot be opened.
    """
    try:
        file = FileIO(0, closefd=False) if source == STDIN else FileIO(source)
    except OSError as error:
        raise InputError(f"{source}: cannot be opened: {error.strerror}") from error
    with BufferedReader(file) as buffered:
        yield Input("<stdin>" if source == STDIN else source, buffered)

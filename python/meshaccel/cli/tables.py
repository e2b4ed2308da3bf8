"""Tables for people: fitted to a terminal, complete anywhere else."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Literal, NamedTuple

import click
import rich.table
from rich.cells import cell_len
from rich.text import Text

from meshaccel.cli.output import console, safe

_GAP = 2
"""Spaces between columns."""

_MIN_CUT = 12
"""Cells below which a text that is cut says nothing."""


class Column(NamedTuple):
    """A column, and what becomes of it where the terminal is too narrow.

    What is cut or dropped gives way before anything wraps; what is dropped is cut first.
    """

    header: str
    fit: Literal["keep", "wrap", "cut", "drop"] = "keep"
    right: bool = False


class Cell(NamedTuple):
    """Text from anywhere and its style on a terminal. A line break shows only in ``lines``."""

    text: str
    style: str = ""
    lines: bool = False


class Table:
    """Rows under headers, without lines between them: for the eye, ``grep`` and ``awk``."""

    def __init__(self, *columns: Column) -> None:
        self._columns = columns
        self._rows: list[list[Cell]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, *cells: Cell | str) -> None:
        """Append a row; what is hostile in it is escaped."""
        self._rows.append([_made_safe(cell) for cell in cells])

    def print(self) -> None:
        """Print the table on stdout."""
        out = console()
        if out.is_terminal:
            out.print(self._fitted(out.width))
        else:
            # Rich takes half a millisecond a row, too much for tens of thousands.
            for line in self._plain():
                click.echo(line)

    def _fitted(self, width: int) -> rich.table.Table:
        table = rich.table.Table(
            box=None,
            pad_edge=False,
            padding=(0, _GAP, 0, 0),
            header_style="bold",
            show_header=self._has_header(),
        )
        room = self._room(width)
        shown = [at for at in range(len(self._columns)) if room.get(at) != 0]
        for at in shown:
            column = self._columns[at]
            table.add_column(
                column.header,
                no_wrap=column.fit == "keep",
                overflow="fold",
                justify="right" if column.right else "left",
                max_width=room.get(at),
            )
        for row in self._rows:
            table.add_row(*(_fitted_text(self._columns[at], row[at]) for at in shown))
        return table

    def _room(self, width: int) -> dict[int, int]:
        """Return how wide the columns that give way may be, by their index; 0 is left out.

        Rich would make all columns narrower alike, and so break ids that have room.
        """
        widths = [
            max(cell_len(text) for text in (column.header, *(row[at].text for row in self._rows)))
            for at, column in enumerate(self._columns)
        ]
        missing = sum(widths) + _GAP * len(widths) - width
        room: dict[int, int] = {}
        for give in ("cut", "drop"):
            for at in reversed(range(len(widths))):
                fit = self._columns[at].fit
                if missing <= 0 or fit not in ("cut", "drop"):
                    continue
                if give == "cut":
                    room[at] = min(widths[at], max(_MIN_CUT, widths[at] - missing))
                    missing -= widths[at] - room[at]
                elif fit == "drop":
                    missing -= room[at] + _GAP
                    room[at] = 0
        return room

    def _plain(self) -> Iterator[str]:
        header = [[column.header for column in self._columns]] if self._has_header() else []
        rows = header + [[cell.text for cell in row] for row in self._rows]
        split = [[text.split("\n") for text in row] for row in rows]
        widths = [max(map(_width, texts)) for texts in zip(*split, strict=True)]
        for row in split:
            for texts in zip_longest(*row, fillvalue=""):
                cells = map(_padded, texts, widths, self._columns)
                yield (" " * _GAP).join(cells).rstrip()

    def _has_header(self) -> bool:
        return any(column.header for column in self._columns)


def status(text: str) -> Cell:
    """Return the cell of a status, coloured by how well it is."""
    return Cell(text, "green" if text in ("healthy", "available") else "red")


def time(when: datetime | None) -> str:
    """Return a time in UTC, to the second."""
    return "-" if when is None else f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def ago(seconds: float) -> str:
    """Return how long ago, in its largest unit."""
    whole = max(0, int(seconds))
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if whole >= size:
            return f"{whole // size}{unit} ago"
    return f"{whole}s ago"


def _made_safe(cell: Cell | str) -> Cell:
    if isinstance(cell, str):
        return Cell(safe(cell))
    if cell.lines:
        return cell._replace(text="\n".join(map(safe, cell.text.splitlines())))
    return cell._replace(text=safe(cell.text))


def _fitted_text(column: Column, cell: Cell) -> Text:
    if column.fit in ("cut", "drop"):
        return Text(cell.text, cell.style, no_wrap=True, overflow="ellipsis")
    return Text(cell.text, cell.style)


def _width(texts: Sequence[str]) -> int:
    return max(map(cell_len, texts))


def _padded(text: str, width: int, column: Column) -> str:
    padding = " " * (width - cell_len(text))
    return padding + text if column.right else text + padding

"""What the commands print: tables for people, JSON for programs.

Names, descriptions and errors come from agents and are not trusted: nothing in them may reach
the terminal as an escape sequence or as markup.
"""

import re
import sys
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime

import click
import msgspec
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

_UNLIMITED = 1_000_000
"""Columns of output that is not read on a terminal: nothing is cut or wrapped."""

_BEYOND_ASCII = re.compile(r"[^\x00-\x7e]")


class Failure(click.ClickException):
    """Ends the command with one line on stderr and exit code 1."""

    def format_message(self) -> str:
        """Return the message, which may quote an agent or a registry, fit for a terminal."""
        return safe(self.message)


def safe(text: str) -> str:
    """Return the text with all that could act on a terminal written as an escape."""
    if text.isprintable():
        return text
    return "".join(map(_visible, text))


def _visible(char: str) -> str:
    # Spaces of other scripts are not "printable" but do no harm.
    if char.isprintable() or unicodedata.category(char) == "Zs":
        return char
    return char.encode("unicode_escape").decode()


def cell(text: str, style: str = "") -> Text:
    """Return one line of text for a table."""
    return Text(safe(text), style)


def status_cell(status: str) -> Text:
    """Return a status, coloured by how well it is."""
    good = status in ("healthy", "available")
    return cell(status, "green" if good else "red")


def lines(texts: Iterable[str]) -> Text:
    """Return text of several lines for a table."""
    return Text("\n".join(map(safe, texts)))


def table(*columns: str | Column, header: bool = True) -> Table:
    """Return an empty table without lines, to read and to ``awk``."""
    return Table(
        *columns,
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
        header_style="bold",
        show_header=header,
    )


def column(header: str, *, keep: bool = False, right: bool = False) -> Column:
    """Return a column; ``keep``: it is never cut, only wrapped."""
    return Column(
        header,
        overflow="fold" if keep else "ellipsis",
        no_wrap=not keep,
        justify="right" if right else "left",
    )


def console(*, stderr: bool = False) -> Console:
    """Return a console on stdout or stderr that takes every text literally."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(
        file=stream,
        width=None if stream.isatty() else _UNLIMITED,
        markup=False,
        emoji=False,
        highlight=False,
    )


def json_text(raw: bytes, *, indent: int) -> str:
    """Return JSON laid out anew, but its values as they came, in ASCII: safe on any terminal.

    ``indent`` 0 puts it on one line, with a space after commas; negative, without.
    """
    return _BEYOND_ASCII.sub(_escaped, msgspec.json.format(raw, indent=indent).decode())


def _escaped(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def print_json_array(items: Iterable[bytes]) -> None:
    """Print JSON values as one array, a value a line, as they arrive."""
    separator = "["
    for item in items:
        click.echo(f"{separator}\n{json_text(item, indent=-1)}", nl=False)
        separator = ","
    click.echo("[]" if separator == "[" else "\n]")


def ago(seconds: float) -> str:
    """Return how long ago, in its largest unit."""
    whole = max(0, int(seconds))
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if whole >= size:
            return f"{whole // size}{unit} ago"
    return f"{whole}s ago"


def time_text(when: datetime | None) -> str:
    """Return a time in UTC, to the second."""
    return "-" if when is None else f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"

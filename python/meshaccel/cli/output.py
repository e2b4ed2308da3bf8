"""What may go to a terminal, and JSON for programs.

Names, descriptions and errors come from agents and are not trusted: nothing in them may reach
a terminal as an escape sequence or as markup.
"""

import re
import sys
import unicodedata
from collections.abc import Iterable

import click
import msgspec
from rich.console import Console

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


def console(*, stderr: bool = False) -> Console:
    """Return a console on stdout or stderr that takes every text literally."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, markup=False, emoji=False, highlight=False)


def json_text(raw: bytes, *, indent: int) -> str:
    """Return JSON laid out anew, but its values as they came, in ASCII: safe on any terminal.

    ``indent`` is spaces a level; negative is all on one line.
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

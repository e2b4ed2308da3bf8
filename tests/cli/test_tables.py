"""Tables where a terminal is: fitted to it, and as harmless as elsewhere."""

import json
import re
from pathlib import Path

import pytest
from rich.cells import cell_len
from tests.cli.conftest import Run, write_lines

from meshaccel.cli import tables
from meshaccel.cli.tables import Cell, Column, Table

STYLES = re.compile(r"\x1b\[[0-9;]*m")
NARROW = {"FORCE_COLOR": "1", "COLUMNS": "80"}
"""What makes Rich believe in a terminal, of eighty columns."""


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Rich believe in a terminal of forty columns."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")


def sample() -> Table:
    """Return a table wider than forty columns."""
    table = Table(Column("ID", fit="wrap"), Column("N", right=True), Column("TEXT", fit="cut"))
    table.add("i" * 50, "7", "t" * 50)
    table.add("日本", "10", Cell("[red]\x1b[2J", "green"))
    return table


@pytest.mark.usefixtures("terminal")
def test_a_terminal_s_width_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    """What identifies a row is wrapped, what describes it is cut."""
    sample().print()
    text = STYLES.sub("", capsys.readouterr().out)
    assert all(cell_len(line) <= 40 for line in text.splitlines())
    assert text.count("i") == 50
    assert text.count("t") < 50
    assert "…" in text


@pytest.mark.usefixtures("terminal")
def test_only_our_styles_reach_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    sample().print()
    text = capsys.readouterr().out
    assert r"[red]\x1b[2J" in text
    assert "\x1b" not in STYLES.sub("", text)


def test_elsewhere_all_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    """Aligned by what characters are wide, without anything at the end of a line."""
    sample().print()
    header, first, second = capsys.readouterr().out.splitlines()
    assert header == "ID" + " " * 51 + "N  TEXT"
    assert first == "i" * 50 + "   7  " + "t" * 50
    assert second == "日本" + " " * 46 + r"  10  [red]\x1b[2J"


def test_line_breaks_show_only_where_meant(capsys: pytest.CaptureFixture[str]) -> None:
    """A name must not look like two rows."""
    table = Table(Column(""), Column(""))
    table.add("a\nb", Cell("c\r\nd\u2028e", lines=True))
    table.print()
    assert capsys.readouterr().out == "a\\nb  c\n      d\n      e\n"


@pytest.mark.usefixtures("registry")
def test_commands_on_a_terminal(run: Run, tmp_path: Path) -> None:
    """A bar while agents are imported, on stderr; reports of bad lines beside it."""
    file = write_lines(tmp_path / "a.jsonl", [{"agent_id": "a" * 100}, {"name": "nobody"}])
    result = run("import", str(file), "--json", **NARROW)
    assert json.loads(result.stdout)["created"] == 1
    assert "100%" in result.stderr
    assert "Object missing required field `agent_id`" in result.stderr
    for arguments in (["list"], ["show", "a" * 100], ["events"]):
        text = STYLES.sub("", run(*arguments, **NARROW).stdout)
        assert text.count("a") >= 100
        assert all(len(line) <= 80 for line in text.splitlines())


@pytest.mark.parametrize(("text", "style"), [("healthy", "green"), ("unresolved", "red")])
def test_statuses_are_coloured(text: str, style: str) -> None:
    assert tables.status(text) == Cell(text, style)

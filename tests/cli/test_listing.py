"""`meshaccel list` against a real registry."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from tests.cli.conftest import Run, tool, write_lines
from tests.service import Service

from meshaccel.cli import listing

MANY = 2 * listing.PAGE_SIZE + 100
HOSTILE = "\x1b[31mred\x1b]0;title\x07 [bold]x[/bold] :smile: \u202eevil\r\nzz  forged  row"


@pytest.fixture
def many(registry: Service, run: Run, tmp_path: Path) -> Service:
    """A registry of more agents than fit on two pages."""
    records = ({"agent_id": f"agent-{number:05}", "name": "n" * 60} for number in range(MANY))
    assert run("import", str(write_lines(tmp_path / "many.jsonl", records))).exit_code == 0
    return registry


def test_the_table(run: Run, heartbeat: Callable[..., None]) -> None:
    heartbeat("provider", tool("greet"), tool("__mesh_job_status"), name="hello")
    heartbeat(
        "consumer",
        tool("ask", dependencies=[{"capability": "greet"}, {"capability": "absent"}]),
        http_host="10.0.0.7",
        http_port=8080,
        agent_type="api",
    )
    result = run("list")
    assert result.exit_code == 0
    header, *rows = [line.split("  ") for line in result.stdout.splitlines()]
    assert [cell.strip() for cell in header if cell] == [
        "ID",
        "NAME",
        "TYPE",
        "STATUS",
        "DEPS",
        "TOOLS",
        "LAST SEEN",
        "ENDPOINT",
    ]
    assert [[cell.strip() for cell in row if cell] for row in rows] == [
        ["consumer", "consumer", "api", "healthy", "1/2", "1", "0s ago", "http://10.0.0.7:8080"],
        ["provider", "hello", "mcp_agent", "healthy", "0/0", "1", "0s ago", "stdio://provider"],
    ]


@pytest.mark.usefixtures("registry")
def test_no_agents(run: Run) -> None:
    """Standard output stays empty for programs, or is an empty array."""
    assert (run("list").stdout, run("list").stderr) == ("", "no agents\n")
    assert json.loads(run("list", "--json").stdout) == []


def test_filters(run: Run, heartbeat: Callable[..., None]) -> None:
    heartbeat("a", tool("weather"), namespace="north")
    heartbeat("b", tool("maps"), agent_type="api")
    heartbeat("c", tool("Weather_Now"))

    def ids(*options: str) -> list[str]:
        return [agent["id"] for agent in json.loads(run("list", "--json", *options).stdout)]

    assert ids() == ["a", "b", "c"]
    assert ids("--namespace", "north") == ["a"]
    assert ids("--type", "api") == ["b"]
    assert ids("--status", "healthy") == ["a", "b", "c"]
    assert ids("--status", "unhealthy") == []
    assert ids("--capability", "weather") == ["a"]
    assert ids("--capability", "weather", "--capability", "maps") == ["a", "b"]
    assert ids("--capability", "weather", "--fuzzy") == ["a", "c"]


def test_every_page_is_read(many: Service, run: Run) -> None:
    """The array is what the registry gives to who asks for all at once."""
    result = run("list", "--json")
    at_once = httpx.get(f"{many.url}/agents", timeout=60).json()["agents"]
    assert len(at_once) == MANY
    assert json.loads(result.stdout) == at_once
    assert not result.stderr
    rows = run("list").stdout.splitlines()
    assert [row.split()[0] for row in rows[1:]] == [agent["id"] for agent in at_once]


def test_nothing_is_cut_where_no_terminal_is(run: Run, heartbeat: Callable[..., None]) -> None:
    heartbeat("a" * 250, name="a", http_host="h" * 300, http_port=1)
    (_, row) = run("list", COLUMNS="40").stdout.splitlines()
    assert row.startswith("a" * 250)
    assert row.endswith("h" * 300 + ":1")


@pytest.mark.usefixtures("registry")
def test_hostile_text_is_shown_and_does_nothing(run: Run, tmp_path: Path) -> None:
    records = [{"agent_id": "evil", "name": HOSTILE, "endpoint": HOSTILE}]
    assert run("import", str(write_lines(tmp_path / "evil.jsonl", records))).exit_code == 0
    shown = r"\x1b[31mred\x1b]0;title\x07 [bold]x[/bold] :smile: \u202eevil\r\nzz  forged  row"
    table = run("list").stdout
    assert table.count(shown) == 2
    assert len(table.splitlines()) == 2
    text = run("list", "--json").stdout
    assert text.replace("\n", "").isprintable()
    assert json.loads(text)[0]["name"] == HOSTILE


@pytest.mark.parametrize("option", ["", "--json"])
def test_a_reader_may_leave_early(many: Service, option: str) -> None:
    """`list | head -1` ends in silence."""
    command = f"'{sys.executable}' -m meshaccel list --registry {many.url} {option} | head -1"
    done = subprocess.run(
        ["sh", "-c", command],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("[" if option else "ID")
    assert not done.stderr


def test_a_poor_encoding_is_no_reason_to_fail(registry: Service, run: Run, tmp_path: Path) -> None:
    records = [{"agent_id": "a", "name": "日本"}]
    assert run("import", str(write_lines(tmp_path / "a.jsonl", records))).exit_code == 0
    done = subprocess.run(
        [sys.executable, "-m", "meshaccel", "list", "--registry", registry.url],
        env={"PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=True,
    )
    assert rb"\u65e5\u672c" in done.stdout


@pytest.mark.parametrize(
    "option", [["--status", "well"], ["--type", "robot"], ["extra"], ["--registry", "ftp://x"]]
)
def test_usage_errors(run: Run, option: list[str]) -> None:
    result = run("list", *option)
    assert result.exit_code == 2
    assert "Usage: " in result.stderr
    assert not result.stdout

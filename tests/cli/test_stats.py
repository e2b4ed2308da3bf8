"""``meshaccel stats`` shows what the registry counts."""

import json
import time
from collections.abc import Callable

import httpx
import pytest
from tests.cli.conftest import Run, tool
from tests.service import Service

from meshaccel.cli import figures, records


def rows(text: str) -> dict[str, str]:
    """Return the values of the first table by what they are."""
    lines = text.split("\n\n", maxsplit=1)[0].splitlines()[1:]
    return {line[:28].rstrip(): line[28:].strip() for line in lines}


def test_of_nothing(registry: Service, run: Run) -> None:
    assert registry.url
    result = run("stats")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "0 of 0 agents healthy" in result.stdout.splitlines()[0]
    shown = rows(result.stdout)
    assert shown["queries per operation"] == shown["cache reads that hit"] == "-"
    assert (shown["capabilities"], shown["revision"]) == ("0", "0")


def test_of_agents(registry: Service, run: Run, heartbeat: Callable[..., None]) -> None:
    heartbeat("a", tool("weather"), tool("maps"))
    for _ in range(3):
        httpx.head(f"{registry.url}/heartbeat/a")
    result = run("stats")
    assert "1 of 1 agents healthy" in result.stdout.splitlines()[0]
    shown = rows(result.stdout)
    assert shown["capabilities"] == "2"
    assert shown["cache reads that hit"].endswith(" %")
    assert shown["wait for a connection, p99"].endswith(" ms")
    (beats,) = [line for line in result.stdout.splitlines() if line.startswith("HEAD")]
    assert beats.split()[:3] == ["HEAD", "/heartbeat/{agent_id}", "3"]
    assert beats.split()[4] == "0"


def test_json_is_all_there_is(registry: Service, run: Run) -> None:
    shown = json.loads(run("stats", "--json").stdout)
    asked = httpx.get(f"{registry.url}/stats").json()
    assert shown.keys() == asked.keys()
    assert shown["epoch"] == asked["epoch"]


def test_watch_shows_rates_since_the_last_time(registry: Service, run: Run) -> None:
    assert registry.url
    result = run("stats", "--watch", "--interval", "10ms", "--limit", "3")
    assert result.exit_code == 0
    assert result.stdout.count("agents healthy") == 3
    # The request for these very figures is counted when they are answered.
    assert result.stdout.count("GET     /stats") == 2


def test_watch_json_is_a_line_each(registry: Service, run: Run) -> None:
    assert registry.url
    result = run("stats", "--watch", "--interval", "10ms", "--limit", "2", "--json")
    uptimes = [json.loads(line)["uptime_s"] for line in result.stdout.splitlines()]
    assert len(uptimes) == 2
    assert uptimes[0] < uptimes[1]


def test_ctrl_c_ends(registry: Service, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert registry.url

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupt)
    result = run("stats", "--watch")
    assert result.exit_code == 0
    assert result.stdout.count("agents healthy") == 1


def test_another_start_has_rates_of_its_own() -> None:
    """What was counted by the process before does not make rates negative."""

    def seen(started_at: str, uptime_s: float, count: int) -> records.Figures:
        route = records.RequestFigures(route="/r", method="GET", count=count)
        return records.Figures(
            version="1", uptime_s=uptime_s, started_at=started_at, requests=[route]
        )

    def rate(now: records.Figures, before: records.Figures | None) -> str:
        (line,) = list(figures._requests(now, before)._plain())[1:]
        return line.split()[3]

    first, second = seen("1", 10.0, 50), seen("1", 20.0, 70)
    assert rate(first, None) == "5.0"
    assert rate(second, first) == "2.0"
    assert rate(seen("2", 4.0, 8), second) == "2.0"


def test_no_figures_there(registry: Service, run: Run) -> None:
    """An older registry says so itself; what is no registry is told apart."""
    assert registry.url
    result = run("stats", MCP_MESH_REGISTRY_URL=f"{registry.url}/nowhere")
    assert result.exit_code == 1
    assert "not found" in result.stderr

"""``meshaccel watch`` shows what changes, and only that."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
from tests.cli.conftest import Run, tool
from tests.service import Service

DEADLINE_S = 90.0


@contextmanager
def watching(url: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command; it says that it is ready before the block begins."""
    command = [sys.executable, "-m", "meshaccel", "watch", "--registry", url, *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = threading.Timer(DEADLINE_S, process.kill)
        deadline.start()
        try:
            assert process.stderr is not None
            assert "waiting for changes" in process.stderr.readline()
            yield process
        finally:
            deadline.cancel()
            process.kill()


def lines(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().rstrip("\n") for _ in range(count)]


def test_agents_come_change_and_go(registry: Service, heartbeat: Callable[..., None]) -> None:
    heartbeat("old", tool("weather"))
    with watching(registry.url) as process:
        heartbeat("new", tool("maps"), http_host="h", http_port=1)
        (added,) = lines(process, 1)
        httpx.delete(f"{registry.url}/agents/old")
        (changed,) = lines(process, 1)
    assert re.fullmatch(r"\S+ \S+Z  added    healthy    new  http://h:1  maps", added)
    assert re.fullmatch(r"\S+ \S+Z  changed  unhealthy  old  stdio://old  weather", changed)


def test_json_with_a_selector(registry: Service, heartbeat: Callable[..., None]) -> None:
    """Of others nothing is said; who does not fit any more is removed."""
    selector = "capability=weather,status=healthy"
    with watching(registry.url, "--selector", selector, "--json", "--limit", "2") as process:
        heartbeat("other", tool("maps"))
        heartbeat("it", tool("weather"))
        (added,) = lines(process, 1)
        httpx.delete(f"{registry.url}/agents/it")
        (removed,) = lines(process, 1)
        assert process.wait(DEADLINE_S) == 0
    assert json.loads(added)["agent"]["tools"][0]["capability"] == "weather"
    assert [json.loads(line)["change"] for line in (added, removed)] == ["added", "removed"]
    assert json.loads(removed)["id"] == "it"


def test_a_malformed_selector(registry: Service, run: Run) -> None:
    assert registry.url
    result = run("watch", "--selector", "colour=red")
    assert result.exit_code == 2
    assert "Invalid value for '--selector': selector: 'colour'" in result.stderr

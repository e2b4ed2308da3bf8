"""Each program in examples/ does what its first lines say: run as its reader would run it."""

import json
import os
import queue
import re
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import httpx
import pytest
from tests.integration.processes import Process, Registry, free_port, request, wait_for

if TYPE_CHECKING:
    from tests.valkey import Valkey

EXAMPLES = Path(__file__).parent.parent / "examples"
DEADLINE_S = 60.0


def run(program: str, *arguments: str) -> str:
    """Run an example to its end; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / program), *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "program", ["discovery_in_an_agent.py", "resilient_worker.py", "shared_cache.py"]
)
def test_without_arguments_it_says_how_it_is_run(program: str) -> None:
    command = [sys.executable, str(EXAMPLES / program)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 1
    assert f"python examples/{program} " in done.stderr
    assert "Traceback" not in done.stderr


class Conversation:
    """A program that goes on, with its lines as they come."""

    def __init__(self, *command: str, cwd: Path | None = None) -> None:
        self._child = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=cwd,
            env=os.environ | {"NO_PROXY": "127.0.0.1"},
        )
        self._lines = queue.Queue[str]()
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._child.kill()
        self._child.wait()
        self._reader.join()
        for pipe in (self._child.stdin, self._child.stdout):
            assert pipe is not None
            with closing(pipe):
                pass

    def _read(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            self._lines.put(line.strip())

    def hear(self, pattern: str) -> str:
        """Skip lines until one fits; return that."""
        heard = []
        while True:
            try:
                heard.append(self._lines.get(timeout=DEADLINE_S))
            except queue.Empty:
                raise AssertionError(f"no line fits {pattern!r}: {heard}") from None
            if re.fullmatch(pattern, heard[-1]):
                return heard[-1]

    def say(self, line: str) -> None:
        """Type a line."""
        assert self._child.stdin is not None
        self._child.stdin.write(f"{line}\n")
        self._child.stdin.flush()

    def end(self) -> int:
        """Close its input; return its exit code."""
        assert self._child.stdin is not None
        self._child.stdin.close()
        return self._child.wait(DEADLINE_S)


@contextmanager
def answering(answer: Callable[[str], tuple[int, dict[str, str], bytes] | None]) -> Iterator[str]:
    """Serve GET requests by path; None drops the connection. Yield the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reply = answer(self.path)
            if reply is None:
                self.close_connection = True
                return
            status, headers, body = reply
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            serving.join()


def test_fastapi_registry_says_what_it_saves() -> None:
    assert run("fastapi_registry.py").splitlines() == [
        "as it was: 101 statements for 100 services",
        "first: 1 statements for 100 services",
        "again: 0 statements for 100 services",
        "after a change: 1 statements for 100 services",
    ]


def test_fastapi_registry_serves(tmp_path: Path) -> None:
    """A real server: what is put is listed at once, alone and by capability."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = f"{sys.executable} -m uvicorn --app-dir {EXAMPLES} fastapi_registry:app --port {port}"
    server = Process("uvicorn", command.split(), {"SERVICES_DB": "services.db"}, tmp_path)
    with ExitStack() as stack:
        stack.callback(server.kill)
        server.start()
        wait_for("it lists", lambda: request("GET", f"{url}/services").status, bool, [server])
        http = stack.enter_context(httpx.Client(base_url=url, trust_env=False))

        def put(name: str, *capabilities: str) -> None:
            offers = {each: {"needs": each} for each in capabilities}
            body = {"url": f"http://{name}", "capabilities": offers}
            assert http.put(f"/services/{name}", json=body).status_code == 204

        def names(**query: str) -> list[str]:
            return [each["name"] for each in http.get("/services", params=query).json()]

        put("a", "search", "rank")
        put("b", "search")
        for _ in range(2):  # read, and kept
            assert names() == ["a", "b"]
            assert names(offering="search") == ["a", "b"]
            assert names(offering="rank") == ["a"]
        put("a", "rank")
        assert names(offering="search") == ["b"]
        put("b", "search", "rank")
        assert names(offering="rank") == ["a", "b"]
        (first, _) = http.get("/services").json()
        assert first == {
            "name": "a",
            "url": "http://a",
            "capabilities": [{"name": "rank", "spec": {"needs": "rank"}}],
        }


def provider(http: httpx.Client, agent_id: str, endpoint: str) -> None:
    """Register somebody who offers forecasts."""
    offers = [{"name": "forecast"}]
    record = {"agent_id": agent_id, "endpoint": endpoint, "capabilities": offers}
    http.put(f"/agents/{agent_id}", json=record).raise_for_status()


def test_agent_follows_a_registry_over_its_restarts(tmp_path: Path) -> None:
    """It calls who is there, asks the next one if one is gone, and needs no registry for that."""
    registry = Registry(tmp_path)
    program = (str(EXAMPLES / "discovery_in_an_agent.py"), registry.url, "agents.state")
    gone = f"http://127.0.0.1:{free_port()}"
    try:
        registry.start()
        with (
            answering(lambda path: (200, {}, f"sun over {path[10:]}".encode())) as here,
            httpx.Client(base_url=registry.url, trust_env=False) as http,
        ):
            provider(http, "gone", gone)
            with Conversation(*program, cwd=tmp_path) as agent:
                agent.hear("known from before: nobody")
                agent.say("Oslo")
                agent.hear("nobody to ask")
                provider(http, "here", here)
                agent.hear("added: here")
                agent.say("Oslo")
                agent.hear("here: sun over Oslo")
                registry.kill()
                agent.say("Rome")
                agent.hear("here: sun over Rome")
                registry.start()
                http.delete("/agents/gone").raise_for_status()
                agent.hear("changed: gone")  # unhealthy, and no longer asked
                assert agent.end() == 0
            registry.kill()
            with Conversation(*program, cwd=tmp_path) as agent:
                agent.hear("known from before: gone, here")
                agent.hear("going on without the registry: .*")
                agent.say("Bern")
                agent.hear("here: sun over Bern")
    finally:
        registry.kill()


def test_interned_agents_share_their_descriptions() -> None:
    lines = run("interned_agent.py").splitlines()
    assert lines[0] == "Oslo: 12 degrees (metric)"
    assert lines[1].startswith('{"agent_id":"weather-7","tools":[{"name":"now"')
    saved = re.fullmatch(r"([\d.]+) % less than \d+ bytes of copies", lines[3])
    assert lines[2].startswith("2000 tools are 2 values")
    assert saved is not None
    assert float(saved[1]) > 99
    assert lines[4] == "afterwards: 0 nodes"


def test_worker_copies_everything_once_over_failures_and_restarts(tmp_path: Path) -> None:
    """Refusals, cut connections and errors are tried again; it goes on where it was."""
    asked: list[int] = []
    pages = 3

    def source(path: str) -> tuple[int, dict[str, str], bytes] | None:
        page = int(path.rpartition("/")[2])
        asked.append(page)
        if page >= pages:
            return 404, {}, b""
        match asked.count(page), page % 3:
            case 1, 0:
                return 503, {"Retry-After": "0"}, b""
            case 1, 1:
                return None
            case 1, 2:
                return 500, {}, b""
        rows = [{"id": 10 * page + number, "value": number / 2} for number in range(10)]
        return 200, {}, json.dumps(rows).encode()

    database = tmp_path / "readings.db"
    with answering(source) as url:
        assert run("resilient_worker.py", url, str(database)).splitlines() == [
            "3 pages; 4 attempts failed, 0 calls did",
            "30 readings",
        ]
        assert asked == [0, 0, 1, 1, 2, 2, 3]
        asked.clear()
        pages = 5
        assert "2 pages; 3 attempts failed" in run("resilient_worker.py", url, str(database))
    assert asked == [3, 3, 4, 4, 5]
    with closing(sqlite3.connect(database)) as db:
        (sums,) = db.execute("SELECT count(*), sum(id), sum(value) FROM readings")
    assert sums == (50, sum(range(50)), 5 * 22.5)


def share_summaries(folder: Path, store: str) -> None:
    """Let processes compute, find, change and follow."""
    (folder / "a.txt").write_text("Sun. And more.")
    (folder / "b.txt").write_text("Today @a is expected. And more.")
    said = ["a: Sun", "b: Today Sun is expected"]
    assert run("shared_cache.py", store, "summary", "a", "b").splitlines()[:2] == said
    found = "0 computed, 2 found in the second level"
    assert run("shared_cache.py", store, "summary", "a", "b").splitlines() == [*said, found]
    with Conversation(str(EXAMPLES / "shared_cache.py"), store, "follow", "b") as follower:
        follower.hear(said[1].removeprefix("b: "))
        run("shared_cache.py", store, "edit", "a", "Rain. And more.")
        follower.hear("Today Rain is expected")
        run("shared_cache.py", store, "edit", "b", "the end. Of all.")
        follower.hear("the end")
        assert follower.end() == 0


def test_summaries_are_shared_in_a_file(tmp_path: Path) -> None:
    share_summaries(tmp_path, str(tmp_path))


def test_summaries_are_shared_by_a_server(tmp_path: Path, valkey_server: "Valkey") -> None:
    valkey_server.command("FLUSHALL")
    share_summaries(tmp_path, f"{tmp_path},{valkey_server.url}")

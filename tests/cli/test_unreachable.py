"""No registry, another server in its place, and one that goes away."""

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import Run, summary
from tests.integration.processes import Registry, free_port, wait_for


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["list", "--json"],
        ["show", "a"],
        ["events"],
        ["watch"],
        ["import", "a.jsonl"],
    ],
)
def test_nobody_is_there(run: Run, tmp_path: Path, arguments: list[str]) -> None:
    """One line that names the address and says what to do; no traceback."""
    (tmp_path / "a.jsonl").write_text('{"agent_id": "a"}\n')
    url = f"http://127.0.0.1:{free_port()}"
    result = run(*arguments, MCP_MESH_REGISTRY_URL=url)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"Error: cannot reach a registry at {url} (")
    assert "meshaccel serve" in line
    assert "--registry" in line


def test_a_password_in_the_url_is_not_shown(run: Run) -> None:
    url = f"http://me:hunter2@127.0.0.1:{free_port()}"
    result = run("list", "--registry", url)
    assert result.exit_code == 1
    assert "hunter2" not in result.output


def test_the_option_comes_before_the_environment(run: Run) -> None:
    option = f"http://127.0.0.1:{free_port()}"
    assert option in run("list", "--registry", option).stderr


class Impostor(http.server.BaseHTTPRequestHandler):
    """Answers by the first segment of the path: a status, and some text."""

    def do_PUT(self) -> None:
        """Break off the connection."""

    def do_GET(self) -> None:
        """Answer."""
        status = int(self.path.split("/")[1])
        body = b"\x1b[2J<html>hello</html>"
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base's name
        """Keep silent."""


@pytest.fixture
def impostor() -> Iterator[str]:
    """A web server that is no registry."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Impostor)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("command", [["list"], ["list", "--json"], ["show", "a"], ["events"]])
def test_another_server(run: Run, impostor: str, command: list[str]) -> None:
    """The base of the URL is kept, so a registry may be behind a path; this one is none."""
    result = run(*command, MCP_MESH_REGISTRY_URL=f"{impostor}/200")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {impostor}/200 does not answer like a registry: ")
    result = run(*command, MCP_MESH_REGISTRY_URL=f"{impostor}/502")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {impostor}/502 answered 502 Bad Gateway to GET /")
    assert "\x1b" not in result.output


def test_a_record_that_breaks_the_connection(run: Run, impostor: str, tmp_path: Path) -> None:
    """It is one record's failure as long as the registry answers at all."""
    file = tmp_path / "a.jsonl"
    file.write_text('{"agent_id": "a"}\n{"agent_id": "b"}\n')
    result = run("import", str(file), MCP_MESH_REGISTRY_URL=f"{impostor}/200")
    assert result.exit_code == 1
    reason = "the registry breaks off the connection: is it too large?"
    assert result.stderr == f"{file}:1: {reason}\n{file}:2: {reason}\n"
    assert result.stdout == "2 agents: 0 created, 0 updated, 0 unchanged, 2 failed\n"


def test_the_registry_goes_away(tmp_path: Path) -> None:
    """An import stops at once and says how far it came.

    Who kills the registry cannot see whether the last answers have arrived: if not, it is tried
    again.
    """
    assert any(created_until_killed(tmp_path / str(number)) == 100 for number in range(5))


def created_until_killed(folder: Path) -> int:
    """Kill a registry that has 100 agents of an import; return how many the import tells of."""
    folder.mkdir()
    registry = Registry(folder)
    registry.start()
    importing = subprocess.Popen(
        [sys.executable, "-m", "meshaccel", "import", "--registry", registry.url, "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert importing.stdin is not None
    try:
        for number in range(100):
            importing.stdin.write(json.dumps({"agent_id": f"a{number}"}) + "\n")
        importing.stdin.flush()
        wait_for("agents are listed", lambda: len(registry.agents()), bool, [registry])
        wait_for("all are", lambda: len(registry.agents()), (100).__eq__, [registry])
        registry.kill()
        rest = "".join(json.dumps({"agent_id": f"b{number}"}) + "\n" for number in range(1000))
        output, errors = importing.communicate(rest, timeout=100)
    finally:
        registry.kill()
        importing.kill()
        importing.wait()
    assert importing.returncode == 1
    count = int(output.split()[0])
    assert output == summary(count, created=count)
    assert errors.startswith(f"Error: cannot reach a registry at {registry.url} (")
    assert f"stopped after <stdin>:{count}" in errors
    assert errors.count("\n") == 1
    return count

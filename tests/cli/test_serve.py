"""`meshaccel serve` as a process."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.integration.processes import HOST, Registry, free_port, request, wait_for

from meshaccel.http.server import SHUTDOWN_S

SERVE = [sys.executable, "-m", "meshaccel", "serve"]


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Registry]:
    """A registry process, not yet started; its settings may still be changed."""
    registry = Registry(tmp_path, command=SERVE)
    yield registry
    registry.kill()


def records(registry: Registry) -> list[dict[str, Any]]:
    """Return the registry's logs."""
    return [json.loads(line) for line in registry.log.read_text().splitlines()]


def register(registry: Registry, agent_id: str) -> None:
    """Register an agent."""
    body = json.dumps({"agent_id": agent_id}).encode()
    assert request("POST", f"{registry.url}/heartbeat", body).status == 200


def run_serve(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a server that is expected to end by itself, and soon."""
    return subprocess.run(
        [*SERVE, *options],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_and_ends_in_good_order(process: Registry, number: signal.Signals) -> None:
    process.start()
    register(process, "a")
    os.kill(process.pid, number)
    wait_for("it ends", lambda: process.running, lambda running: not running, [])
    assert process.terminate() == 0
    logged = records(process)
    assert logged[0]["message"] == "serving"
    assert logged[0]["url"] == process.url
    assert logged[0]["page"] == f"{process.url}/ui/"
    assert logged[-1]["message"] == "stopped"
    assert {"uvicorn.error", "meshaccel.registry.service"} <= {log["logger"] for log in logged}
    process.start()
    assert list(process.agents()) == ["a"]


def test_readers_of_changes_do_not_hold_up_the_end(process: Registry) -> None:
    """A stream and a request that waits are ended, not waited for, nor cut off."""
    # Measured again if the machine was too busy to end anything in time.
    assert any(seconds_to_end_with_readers(process) < SHUTDOWN_S for _ in range(5))


def seconds_to_end_with_readers(process: Registry) -> float:
    process.start()
    head = "GET /changes HTTP/1.1\r\nhost: h\r\nconnection: close\r\n"
    epoch = json.loads(request("GET", f"{process.url}/changes").body)["epoch"]
    asking = (
        f"{head}accept: text/event-stream\r\n\r\n",
        f"{head}\r\n".replace("/changes", f"/changes?wait=60&since=0&epoch={epoch}"),
    )
    with ExitStack() as opened:
        readers = []
        for text in asking:
            reader = opened.enter_context(socket.create_connection((HOST, process.port), 60))
            reader.sendall(text.encode())
            readers.append(opened.enter_context(reader.makefile("rb")))
        assert readers[0].readline() == b"HTTP/1.1 200 OK\r\n"
        begun = time.monotonic()
        os.kill(process.pid, signal.SIGTERM)
        assert readers[0].read().endswith(b"\r\n0\r\n\r\n")
        assert readers[1].read().startswith(b"HTTP/1.1 200 OK\r\n")
        assert process.terminate() == 0
        return time.monotonic() - begun


def test_settings_reach_the_registry(process: Registry) -> None:
    """Silence is noticed when the environment says, and the limit of a body is the flag's."""
    process.env |= {
        "DEFAULT_TIMEOUT_THRESHOLD": "200ms",
        "HEALTH_CHECK_INTERVAL": "50ms",
        "MCP_MESH_LOG_LEVEL": "debug",
    }
    process.command += ["--max-body", "100"]
    process.start()
    register(process, "a")
    wait_for(
        "it is unhealthy",
        lambda: process.agents()["a"]["status"],
        "unhealthy".__eq__,
        [process],
    )
    assert request("POST", f"{process.url}/heartbeat", b"x" * 101).status == 413
    # The answer is on its way before the request is logged.
    wait_for(
        "it is logged",
        lambda: [log["level"] for log in records(process) if log.get("status") == 413],
        ["debug"].__eq__,
        [process],
    )


def test_a_quiet_level(process: Registry) -> None:
    process.env["MCP_MESH_LOG_LEVEL"] = "WARN"
    process.start()
    register(process, "a")
    assert process.terminate() == 0
    assert not records(process)


def test_any_free_port(tmp_path: Path) -> None:
    """Port 0: the log says which it is."""
    child = subprocess.Popen(
        [*SERVE, "--port", "0", "--database", str(tmp_path / "a.db")],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stderr is not None
        url = json.loads(child.stderr.readline())["url"]
        answers = wait_for(
            "it answers", lambda: request("GET", f"{url}/health").status, (200).__eq__, []
        )
        assert answers == 200
    finally:
        child.terminate()
        child.communicate(timeout=100)
    assert child.returncode == 0


def test_an_address_in_use(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run_serve("--port", port, "--database", str(tmp_path / "a.db"))
    assert done.returncode == 1
    assert done.stderr == f"Error: cannot listen on {HOST}:{port}: Address already in use\n"


def test_an_address_that_is_not_ours(tmp_path: Path) -> None:
    done = run_serve("--host", "no.such.host.invalid", "--database", str(tmp_path / "a.db"))
    assert done.returncode == 1
    assert done.stderr.startswith("Error: cannot listen on no.such.host.invalid:8000: ")
    assert done.stderr.count("\n") == 1


def database(path: Path, *statements: str) -> Path:
    """Make a SQLite file."""
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return path


def test_databases_that_cannot_be_used(tmp_path: Path) -> None:
    """Each with one line that names the file."""
    foreign = database(tmp_path / "foreign.db", "CREATE TABLE agents (id)")
    newer = database(
        tmp_path / "newer.db",
        "PRAGMA application_id = 0x6D657368",
        "PRAGMA user_version = 9999",
        "CREATE TABLE meta (x)",
    )
    text = tmp_path / "text.db"
    text.write_text("this is no database" * 100)
    for path, reason in (
        (foreign, "another program"),
        (newer, "upgrade meshaccel"),
        (text, "file is not a database"),
        (tmp_path / "absent" / "a.db", "unable to open database file; its directory does not"),
        (tmp_path, "unable to open database file"),
    ):
        done = run_serve("--port", str(free_port()), DATABASE_URL=str(path))
        assert done.returncode == 1, path
        assert done.stderr.startswith("Error: ")
        assert done.stderr.count("\n") == 1
        assert str(path) in done.stderr
        assert reason in done.stderr
    assert sqlite3.connect(foreign).execute("SELECT count(*) FROM agents").fetchone() == (0,)

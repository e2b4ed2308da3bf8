"""The registry's process dies or is told to end in the middle of its work."""

import http.client
import itertools
import json
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest
from tests.integration.processes import Process, Registry, Response, is_upstream, request, wait_for

pytestmark = pytest.mark.skipif(is_upstream(), reason="about our own process")

THREADS = 32
DEADLINE_S = 60.0


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """A running registry whose agents do not time out during a test."""
    found = Registry(tmp_path, env={"DEFAULT_TIMEOUT_THRESHOLD": "600"})
    found.start()
    try:
        yield found
    finally:
        found.kill()


def register(registry: Registry, number: int) -> Response:
    tool = {
        "function_name": "f",
        "capability": f"cap-{number}",
        "inputSchema": {"type": "object", "properties": {f"p{number}": {"type": "string"}}},
        "dependencies": [{"capability": f"cap-{number - 1}"}],
    }
    body = {"agent_id": f"a{number}", "http_host": "h", "http_port": 80, "tools": [tool]}
    return request("POST", f"{registry.url}/heartbeat", json.dumps(body).encode())


def check_file(path: Path) -> None:
    with closing(sqlite3.connect(path)) as conn:
        assert conn.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert conn.execute("PRAGMA foreign_key_check").fetchall() == []


def register_all(registry: Registry, after: int, act: Callable[[], None]) -> set[str]:
    """Register agents until nobody answers, act after so many; return who was answered."""
    answered: list[str] = []
    reached = threading.Event()
    numbers = itertools.count()

    def go_on() -> None:
        with suppress(OSError):
            while True:
                number = next(numbers)
                response = register(registry, number)
                if response.status == 200:
                    assert json.loads(response.body)["status"] == "success"
                    answered.append(f"a{number}")
                    if len(answered) >= after:
                        reached.set()

    with ThreadPoolExecutor(THREADS) as pool:
        running: list[Future[None]] = [pool.submit(go_on) for _ in range(THREADS)]
        try:
            assert reached.wait(60), registry.tail()
            act()
        finally:
            registry.kill()  # or the threads never end
        for future in running:
            future.result()
    return set(answered)


@pytest.mark.parametrize("after", [1, 200])
def test_every_answered_registration_survives_a_crash(registry: Registry, after: int) -> None:
    answered = register_all(registry, after, registry.kill)
    assert after <= len(answered)
    check_file(registry.directory / "registry.db")
    registry.start()
    listed = registry.agents()
    assert answered <= set(listed)
    for agent in answered:
        number = agent.removeprefix("a")
        assert [c["name"] for c in listed[agent]["capabilities"]] == [f"cap-{number}"]
        assert listed[agent]["status"] == "healthy"
        assert registry.head(agent) in (200, 202)
    assert register(registry, 0).status == 200


def test_termination_under_load_is_orderly(registry: Registry) -> None:
    codes: list[int] = []

    def terminate() -> None:
        codes.append(registry.terminate(DEADLINE_S))

    answered = register_all(registry, 100, terminate)
    assert codes == [0]
    assert "Traceback" not in registry.tail(1000)
    check_file(registry.directory / "registry.db")
    assert not list(registry.directory.glob("registry.db-wal"))
    registry.start()
    assert answered <= set(registry.agents())


def test_request_in_flight_is_answered_before_the_end(registry: Registry) -> None:
    statuses = set[int]()
    while 200 not in statuses:
        statuses.add(status_of_a_request_in_flight(registry))
        # Who waited too long for the lock, on a busy machine, is refused in good order.
        assert statuses <= {200, 503}
        registry.start()
    assert "a1" in registry.agents()


def status_of_a_request_in_flight(registry: Registry) -> int:
    with (
        closing(sqlite3.connect(registry.directory / "registry.db", isolation_level=None)) as lock,
        ThreadPoolExecutor(2) as pool,
    ):
        lock.execute("BEGIN IMMEDIATE")
        in_flight = pool.submit(register, registry, 1)
        wait_for("the request is on its way", in_flight.running, bool, [registry])
        # Answered after the request above was read: they are served in order of arrival.
        assert request("GET", f"{registry.url}/health").status == 200
        ended = pool.submit(registry.terminate, DEADLINE_S)
        wait_for("the port is closed", lambda: _refuses(registry), bool, [])
        lock.execute("ROLLBACK")
        assert ended.result(DEADLINE_S) == 0
        return in_flight.result(DEADLINE_S).status


def _refuses(registry: Registry) -> bool:
    try:
        request("GET", f"{registry.url}/health")
    except ConnectionRefusedError:
        return True
    return False


def test_idle_connections_do_not_delay_the_end(registry: Registry) -> None:
    # Measured again if the machine was too busy to end anything in time.
    assert any(seconds_to_end_with_idle_connections(registry) < 4 for _ in range(5))


def seconds_to_end_with_idle_connections(registry: Registry) -> float:
    if not registry.running:
        registry.start()
    connections = [http.client.HTTPConnection("127.0.0.1", registry.port) for _ in range(20)]
    for connection in connections:
        connection.request("GET", "/health")
        connection.getresponse().read()
    started = time.monotonic()
    assert registry.terminate(DEADLINE_S) == 0
    took_s = time.monotonic() - started
    for connection in connections:
        connection.close()
    return took_s


def test_second_instance_on_the_same_port_is_refused(registry: Registry, tmp_path: Path) -> None:
    assert register(registry, 1).status == 200
    other = tmp_path / "other"
    other.mkdir()
    second = Registry(other, port=registry.port)
    Process.start(second)
    assert second._child is not None
    try:
        assert second._child.wait(DEADLINE_S) != 0
    except subprocess.TimeoutExpired:
        second.kill()
        raise
    output = second.tail(100)
    assert "Traceback" not in output
    assert str(registry.port) in output
    assert "in use" in output
    assert registry.head("a1") == 200

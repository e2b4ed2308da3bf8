"""While the database fails, agents are told to wait; nothing that was answered is lost."""

import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from tests.connections import be_impatient, on_readers, on_writer
from tests.http.client import QUIET, Client, registry_on, tool, wired_to
from tests.http.statements import queries, statements
from tests.integration.processes import Registry, request, wait_for
from tests.service import Service

from meshaccel.models import Dependency, Tool
from meshaccel.registry.registration import Declaration
from meshaccel.registry.service import AgentRegistry

LOCK = """
import sqlite3, sys
conn = sqlite3.connect(sys.argv[1], isolation_level=None)
conn.execute("BEGIN IMMEDIATE")
print(flush=True)
sys.stdin.readline()
conn.execute("ROLLBACK")
"""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let another process hold the write lock for the length of the block."""
    command = [sys.executable, "-c", LOCK, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.stdin.write(b"\n")


@contextmanager
def read_only(server: Service) -> Iterator[None]:
    """Let every write of the registry fail as on a file system made read-only."""

    async def switch(registry: AgentRegistry, state: str) -> None:
        await on_writer(registry._database, lambda conn: conn.execute(f"PRAGMA query_only={state}"))

    server.call(lambda registry: switch(registry, "ON"))
    try:
        yield
    finally:
        server.call(lambda registry: switch(registry, "OFF"))


async def impatient(registry: AgentRegistry) -> None:
    """Wait 20 ms for locks, not 5 s."""
    be_impatient(registry._database)


def check_unavailable(response: httpx.Response) -> None:
    assert response.status_code == 503
    assert set(response.json()) == {"error", "timestamp"}


@pytest.mark.parametrize("trouble", ["locked", "read-only"])
def test_nothing_answered_is_lost(server: Service, tmp_path: Path, trouble: str) -> None:
    """While nothing can be written, changes get a 503 and leave no trace, and reads go on."""
    path = tmp_path / "r.db"
    with registry_on(server, path) as client:
        server.call(impatient)
        client.post("p", tool("cap"))
        client.post("c", tool("use", "cap"))
        with locked(path) if trouble == "locked" else read_only(server):
            for body in (
                {"agent_id": "new", "tools": [tool("cap")]},
                {"agent_id": "p", "http_host": "p", "http_port": 81, "tools": []},
                {"agent_id": "c", "http_host": "c", "http_port": 80, "tools": [tool("use")]},
            ):
                check_unavailable(client.http.post("/heartbeat", json=body))
            check_unavailable(client.http.delete("/agents/p"))
            check_unavailable(client.http.put("/agents/new", json={"agent_id": "new"}))
            assert [client.head(agent) for agent in ("p", "c")] == [200, 200]
            assert wired_to(client.post("c", tool("use", "cap"))) == ["p"]
            assert client.get("/agents")["count"] == 2
            assert client.http.get("/health").status_code == 200
        assert [client.head(agent) for agent in ("p", "c", "new")] == [200, 200, 410]
        assert {agent["status"] for agent in client.get("/agents")["agents"]} == {"healthy"}
        client.post("new", tool("cap", version="9.0.0"))
        assert client.head("c") == 202
        client.delete("p")
        assert client.head("p") == 410
    with registry_on(server, path) as client:
        assert [client.head(agent) for agent in ("p", "c", "new")] == [410, 202, 200]


def test_expiry_that_fails_is_tried_again(server: Service, tmp_path: Path) -> None:
    """A flush that fails loses nothing of what was seen, and the next one succeeds."""
    with registry_on(server, tmp_path / "r.db") as client:
        client.post("p", tool("cap"))
        with read_only(server), pytest.raises(Exception, match="readonly"):
            server.call(lambda registry: registry._liveness.flush())
        seen = client.get("/agents/p")["last_seen"]
        server.call(lambda registry: registry._liveness.flush())
        assert client.get("/agents/p")["last_seen"] == seen
        assert [e["event_type"] for e in client.get("/events")["events"]] == ["register"]


def test_unreadable_database_is_not_an_unknown_agent(server: Service, tmp_path: Path) -> None:
    """HEAD that cannot work out the wiring says 503."""

    async def break_reader(registry: AgentRegistry) -> None:
        def deny(*_: object) -> int:
            return sqlite3.SQLITE_DENY

        await on_readers(registry._database, lambda conn: conn.set_authorizer(deny))

    async def mend_reader(registry: AgentRegistry) -> None:
        await on_readers(registry._database, lambda conn: conn.set_authorizer(None))

    with registry_on(server, tmp_path / "r.db") as client:
        client.post("p", tool("cap"))
        client.post("c", tool("use", "cap"))
        client.post("p", tool("cap"), http_port=81)
        server.call(break_reader)
        assert client.head("c") == 503
        check_unavailable(client.http.get("/agents"))
        check_unavailable(client.http.get("/events"))
        body = {"agent_id": "new", "tools": [tool("own", "cap")]}
        # What it is told is read where it is written.
        assert client.http.post("/heartbeat", json=body).status_code == 200
        server.call(mend_reader)
        assert client.head("c") == 202
        assert client.head("new") == 200
        assert wired_to(client.post("c", tool("use", "cap"))) == ["p"]


# -- a full disk -------------------------------------------------------------------------

RUN_LIMITED = """
import os, resource, sys
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), hard))
os.execv(sys.executable, [sys.executable, "-m", "meshaccel", "serve"])
"""


def register(registry: Registry, number: int) -> int:
    body = (
        b'{"agent_id":"a%d","tools":[{"function_name":"f","capability":"c%d","description":"%b"}]}'
    )
    filled = body % (number, number, os.urandom(5000).hex().encode())
    return request("POST", f"{registry.url}/heartbeat", filled).status


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux' prlimit")
def test_full_disk(tmp_path: Path) -> None:
    """All that was answered around a full disk is kept, and writes succeed once there is room."""
    command = [sys.executable, "-c", RUN_LIMITED, "300000"]
    slow = {"DEFAULT_TIMEOUT_THRESHOLD": "60"}
    registry = Registry(tmp_path, command=command, env=slow)
    try:
        registry.start()
        codes = [register(registry, number) for number in range(60)]
        assert set(codes) == {200, 503}
        answered = {f"a{number}" for number, code in enumerate(codes) if code == 200}
        assert {registry.head(agent) for agent in answered} <= {200, 202}
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.prlimit(registry.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, hard))
        wait_for("a registration", lambda: register(registry, 99), lambda c: c == 200, [registry])
        assert answered | {"a99"} <= set(registry.agents())
        registry.kill()
        with closing(sqlite3.connect(tmp_path / "registry.db")) as conn:
            assert conn.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            stored = {row[0] for row in conn.execute("SELECT id FROM agents")}
        assert answered | {"a99"} <= stored
    finally:
        registry.kill()


# -- how many statements -----------------------------------------------------------------


def fleet_of(size: int) -> list[Declaration]:
    return [
        Declaration(
            agent_id=f"a{i}",
            http_host="h",
            http_port=80,
            tools=tuple(
                Tool(
                    function_name=f"f{j}",
                    capability=f"cap-{i // 5}" if j == 0 else f"cap-{i}-{j}",
                    dependencies=(Dependency(capability=f"cap-{i // 5}", required=i % 50 == 0),)
                    if j
                    else None,
                    llm_filter={"filter": [f"cap-{i // 5}"]} if j == 2 else None,
                )
                for j in range(4)
            ),
        )
        for i in range(size)
    ]


def listing_statements(server: Service, client: Client, size: int) -> list[int]:
    """Count the statements of a cold listing, of a warm one, and of one page."""

    async def fill(registry: AgentRegistry) -> None:
        for declared in fleet_of(size):
            await registry.register(declared)
        registry._derived.clear()

    server.call(fill)
    counts = []
    for query in ({}, {}, {"limit": 5}):
        with statements(server) as read, statements(server, writer=True) as written:
            assert client.get("/agents", **query)["count"] == query.get("limit", size)
        counts.append(len(queries(read)) + len(queries(written)))
    return counts


def test_listing_takes_as_many_statements_for_10_as_for_1000(
    server: Service, tmp_path: Path
) -> None:
    """A listing's statements do not grow with the fleet, and a warm listing takes none."""
    counts = []
    for size in (10, 1000):
        with registry_on(server, tmp_path / f"{size}.db", settings=QUIET) as client:
            counts.append(listing_statements(server, client, size))
    assert counts[0] == counts[1]
    assert counts[0][0] <= 4
    assert counts[0][1] == 0


def test_unchanged_post_and_head_take_no_statement(server: Service, tmp_path: Path) -> None:
    """Signs of life that change nothing do not touch the database."""
    with registry_on(server, tmp_path / "r.db") as client:
        client.post("p", tool("cap"))
        client.post("c", tool("use", "cap"))
        with statements(server) as read, statements(server, writer=True) as written:
            for _ in range(3):
                client.post("c", tool("use", "cap"))
                client.post("p", tool("cap"))
                assert [client.head(agent) for agent in ("p", "c", "nil")] == [200, 200, 410]
        assert (read, written) == ([], [])

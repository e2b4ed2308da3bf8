"""Bounds on what clients together can make the service hold."""

import asyncio
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from msgspec import structs
from tests.http.client import QUIET, Client, Json, VirtualClock, registry_on, tool
from tests.http.lifecycle import sweep
from tests.http.refusals import check_error
from tests.integration.processes import wait_for
from tests.service import Service, serving

from meshaccel import AgentRecord, AgentRegistry, FeedSettings
from meshaccel.discovery.protocol import MAX_LIMIT
from meshaccel.http import listing, query
from meshaccel.http.app import LARGE_BODIES
from meshaccel.http.asgi import FREE_BODY
from meshaccel.http.guard import GuardedProtocol
from meshaccel.registry import liveness

# -- agents ------------------------------------------------------------------------------


def test_agents_beyond_their_number(server: Service, tmp_path: Path) -> None:
    """No more can join; who is known goes on, and who is removed makes room."""
    clock = VirtualClock()
    settings = structs.replace(QUIET, max_agents=2)
    with registry_on(server, tmp_path / "r.db", clock=clock, settings=settings) as client:
        client.post("a")
        client.post("b")
        refused = client.http.post("/heartbeat", json={"agent_id": "c"}).json()
        assert refused["status"] == "error"
        assert refused["message"] == "the registry is full: it has 2 agents already"
        put = client.http.put("/agents/c", json={"agent_id": "c"})
        check_error(put, 409)
        client.post("a", tool("weather"))
        assert (client.head("a"), client.head("c")) == (200, 410)
        client.delete("b")
        clock.seconds += QUIET.retention_s + 1
        assert sweep(server) == 1
        client.post("c")


# -- schemas -----------------------------------------------------------------------------


def publishing(number: int) -> Json:
    return tool(
        "cap", inputSchemaHash=f"sha256:{number}", inputSchemaCanonical={"title": f"{number}"}
    )


def test_schemas_that_nobody_publishes_are_forgotten(
    client: Client, server: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of agents that are there, and of those that left, are not."""
    monkeypatch.setattr(liveness, "SPARE_SCHEMAS", 3)
    client.post("gone", publishing(0))
    client.delete("gone")
    for number in range(1, 10):
        client.post("restless", publishing(number))
        if number == 2:
            sweep(server)
            # Not worth looking: there may be three that nobody publishes.
            assert client.get("/schemas")["count"] == 3
    sweep(server)
    hashes = {schema["hash"] for schema in client.get("/schemas")["schemas"]}
    assert hashes == {"sha256:0", "sha256:9"}
    client.post("restless", publishing(4))
    assert client.get("/schemas/sha256:4")["canonical"] == {"title": "4"}


def test_schemas_in_use_are_not_looked_through_again_and_again(
    client: Client, server: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as there are at most twice as many as the last time."""
    monkeypatch.setattr(liveness, "SPARE_SCHEMAS", 0)
    for number in range(4):
        client.post(f"a{number}", publishing(number))
    sweep(server)
    for number in range(4, 8):
        client.post("restless", publishing(number))
    sweep(server)
    assert client.get("/schemas")["count"] == 8
    client.post("restless", publishing(8))
    sweep(server)
    assert client.get("/schemas")["count"] == 5


# -- connections -------------------------------------------------------------------------


def address(service: Service) -> tuple[str, int]:
    host, port = service.url.removeprefix("http://").split(":")
    return host, int(port)


def test_connections_beyond_their_number(tmp_path: Path) -> None:
    """A new one is refused, those that there are go on, and one that ends makes room."""
    with serving(max_connections=2) as service, service.open(tmp_path / "r.db", settings=QUIET):
        with ExitStack() as opened:
            first = opened.enter_context(httpx.Client(base_url=service.url, trust_env=False))
            assert first.get("/health").status_code == 200
            idle = opened.enter_context(socket.create_connection(address(service), 10))
            # Accepted, and not only in the queue of the system.
            idle.sendall(b"GET /health HTTP/1.1\r\n\r\n")
            assert idle.recv(65536).startswith(b"HTTP/1.1 200")
            refused = httpx.get(f"{service.url}/health", trust_env=False)
            check_error(refused, 503)
            assert refused.headers["connection"] == "close"
            assert first.get("/health").status_code == 200

        def status() -> int:
            return httpx.get(f"{service.url}/health", trust_env=False).status_code

        wait_for("room for a connection", status, lambda found: found == 200, [])


# -- bodies ------------------------------------------------------------------------------


def test_large_bodies_beyond_their_number(server: Service, tmp_path: Path) -> None:
    """They are refused, to be sent again later; small ones are always taken."""
    max_body = 4 * FREE_BODY
    head = b"POST /heartbeat HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % max_body
    # All of this but what is always free takes room.
    part = b'{"agent_id":"new","x":"' + b"x" * (max_body - FREE_BODY)
    fit = LARGE_BODIES * max_body // (len(part) - FREE_BODY)
    large = b'{"agent_id":"new","x":"%b"}' % (b"x" * (max_body - 100))
    with (
        server.open(tmp_path / "r.db", settings=QUIET, max_body=max_body),
        Client(server) as client,
        ExitStack() as opened,
    ):
        for _ in range(fit):
            sending = opened.enter_context(closing(socket.create_connection(address(server), 10)))
            sending.sendall(head + part)

        def status() -> int:
            return client.http.post("/heartbeat", content=large).status_code

        wait_for("no room", status, lambda found: found == 503, [])
        check_error(client.http.post("/heartbeat", content=large), 503)
        client.post("small")
        opened.close()
        wait_for("room", status, lambda found: found == 200, [])


# -- answers that nobody reads -----------------------------------------------------------


@pytest.fixture
def listed(server: Service, tmp_path: Path) -> Iterator[Service]:
    """A registry whose listing is some 20 MB."""

    async def fill(registry: AgentRegistry) -> None:
        records = (
            AgentRecord(id=f"a{number}", name="a", description="d" * 8000) for number in range(2500)
        )
        await asyncio.gather(*map(registry.put_agent, records))
        await registry.list_agents()

    with server.open(tmp_path / "r.db", settings=QUIET):
        server.call(fill)
        yield server


def test_unread_answers_beyond_their_size(listed: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes last and does not read is cut off at once; who reads is served."""
    monkeypatch.setattr(GuardedProtocol, "max_unread", 12_000_000)
    with ExitStack() as opened:
        # Each has a part of its answer waiting, of which the system takes a few megabytes itself.
        for _ in range(6):
            connection = opened.enter_context(closing(socket.socket()))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            connection.settimeout(60)
            connection.connect(address(listed))
            connection.sendall(b"GET /agents HTTP/1.1\r\n\r\n")
            assert connection.recv(15) == b"HTTP/1.1 200 OK"
            last = connection
        received = 0
        with suppress(ConnectionResetError):
            while chunk := last.recv(65536):
                received += len(chunk)
        assert received < 2500 * 8000
    wait_for("nothing unread", lambda: GuardedProtocol._all_unread, lambda size: size == 0, [])
    assert httpx.get(f"{listed.url}/agents", trust_env=False).json()["count"] == 2500


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_pages_being_sent_beyond_their_size(
    server: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, coding: str
) -> None:
    """Who comes when others have been slow to read is asked to come again; they get the whole."""
    monkeypatch.setattr(listing, "MAX_UNSENT", 25_000_000)

    async def fill(registry: AgentRegistry) -> None:
        records = (
            # Text that gzip makes little of: an answer that fits the system's buffers waits for
            # nobody.
            AgentRecord(id=f"a{number}", name="a", description=secrets.token_hex(4000))
            for number in range(2500)
        )
        await asyncio.gather(*map(registry.put_agent, records))

    with server.open(tmp_path / "r.db", settings=QUIET), ExitStack() as opened:
        server.call(fill)
        slow = opened.enter_context(closing(socket.socket()))
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        slow.settimeout(60)
        slow.connect(address(server))
        asked = f"GET /agents HTTP/1.1\r\nAccept-Encoding: {coding}\r\nConnection: close\r\n\r\n"
        slow.sendall(asked.encode())
        assert slow.recv(15) == b"HTTP/1.1 200 OK"
        with httpx.Client(base_url=server.url, trust_env=False) as others:
            for _ in range(3):
                refused = others.get("/agents")
                check_error(refused, 503)
            assert others.get("/agents", params={"limit": 10}).json()["count"] == 10
            while slow.recv(1 << 20):
                pass
            for _ in range(3):
                assert others.get("/agents").json()["count"] == 2500


# -- changes and their readers -----------------------------------------------------------


def test_removals_beyond_their_number(
    client: Client, server: Service, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest are forgotten; who may not have heard of one is told to begin anew."""
    monkeypatch.setattr(liveness, "MAX_REMOVALS", 2)
    for name in ("a", "b", "c", "d"):
        client.post(name)
    known = client.get("/changes")
    for name in ("a", "b", "c"):
        client.delete(name)
    clock.seconds += QUIET.retention_s + 1
    assert sweep(server) == 3
    sweep(server)
    asked = {"epoch": known["epoch"], "since": known["to"]}
    gone = client.http.get("/changes", params=asked)
    assert (gone.status_code, gone.json()["reason"]) == (410, "compacted")
    assert [item["id"] for item in client.get("/changes")["items"]] == ["d"]


def test_readers_beyond_their_number(server: Service, tmp_path: Path) -> None:
    """Who would wait is refused; who does not is answered."""
    settings = structs.replace(QUIET, feed=FeedSettings(max_readers=0))
    with registry_on(server, tmp_path / "r.db", settings=settings) as client:
        known = client.get("/changes")
        waiting = {"epoch": known["epoch"], "since": known["to"], "wait": 1}
        check_error(client.http.get("/changes", params=waiting), 503)
        check_error(client.http.get("/changes", headers={"accept": "text/event-stream"}), 503)


def test_wait_beyond_the_longest(server: Service, tmp_path: Path) -> None:
    settings = structs.replace(QUIET, feed=FeedSettings(max_wait_s=0.05))
    with registry_on(server, tmp_path / "r.db", settings=settings) as client:
        known = client.get("/changes")
        begun = time.monotonic()
        client.get("/changes", epoch=known["epoch"], since=known["to"], wait=600)
        assert time.monotonic() - begun < 10


@pytest.mark.parametrize(("asked", "given"), [("5000", MAX_LIMIT), ("999999999", MAX_LIMIT)])
def test_limit_of_changes(asked: str, given: int) -> None:
    assert query.changes({"limit": [asked]}).limit == given


@pytest.mark.parametrize("agent_id", ["a" * 254, "a\n", "\x1b[2J", "\u2028", "\u202e"])
def test_id_of_an_imported_agent(client: Client, agent_id: str) -> None:
    """It is printable, and no longer than those of others."""
    put = client.http.put(f"/agents/{quote(agent_id)}", json={"agent_id": agent_id})
    check_error(put, 400)
    fits = client.http.put("/agents/" + "é" * 253, json={"agent_id": "é" * 253})
    assert fits.status_code == 201

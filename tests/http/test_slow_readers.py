"""An answer waits for a client that reads slowly, but not for one that does not read."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from tests.http.client import QUIET
from tests.integration.processes import wait_for
from tests.service import Service

from meshaccel import AgentRecord, AgentRegistry
from meshaccel.http.guard import GuardedProtocol

AGENTS = 2500
DESCRIPTION = "d" * 8000
ASK = b"GET /agents HTTP/1.1\r\nConnection: close\r\n\r\n"


@pytest.fixture
def large(server: Service, tmp_path: Path) -> Iterator[Callable[[], socket.socket]]:
    """Opens connections on which a listing of 20 MB is asked for, with little room for it."""

    async def fill(registry: AgentRegistry) -> None:
        records = (
            AgentRecord(id=f"a{number}", name="a", description=DESCRIPTION)
            for number in range(AGENTS)
        )
        await asyncio.gather(*map(registry.put_agent, records))
        await registry.list_agents()

    with server.open(tmp_path / "r.db", settings=QUIET), ExitStack() as opened:
        server.call(fill)
        host, port = server.url.removeprefix("http://").split(":")

        def ask() -> socket.socket:
            connection = opened.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            connection.settimeout(60)
            connection.connect((host, int(port)))
            connection.sendall(ASK)
            return connection

        yield ask


def received(connection: socket.socket, *, pause_s: float = 0.0) -> int:
    """Read to the end, with a pause after every megabyte; return how much that was."""
    size = pauses = 0
    with suppress(ConnectionResetError):
        while chunk := connection.recv(65536):
            size += len(chunk)
            if size >> 20 > pauses:
                pauses += 1
                time.sleep(pause_s)
    return size


def test_slow_but_steady_reader_gets_all(
    large: Callable[[], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole answer takes longer than the timeout, and arrives."""
    size, timeout_s = 0, 0.5
    while size <= AGENTS * len(DESCRIPTION) and timeout_s < 60:
        # Longer next time: on a machine that stands still meanwhile this reader does not read.
        monkeypatch.setattr(GuardedProtocol, "read_timeout_s", timeout_s)
        begun = time.monotonic()
        size = received(large(), pause_s=timeout_s / 5)
        assert time.monotonic() - begun > 2 * timeout_s or size <= AGENTS * len(DESCRIPTION)
        timeout_s *= 5
    assert size > AGENTS * len(DESCRIPTION)


def test_client_that_does_not_read_is_given_up(
    large: Callable[[], socket.socket], server: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it was to be sent is not kept for it."""
    monkeypatch.setattr(GuardedProtocol, "read_timeout_s", 0.5)
    connection = large()
    for wanted in (True, False):
        wait_for("it is served, then not", lambda: server.serves(connection), wanted.__eq__, [])
    assert received(connection) < AGENTS * len(DESCRIPTION)

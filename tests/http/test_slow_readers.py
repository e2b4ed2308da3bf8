"""An answer waits for a client that reads slowly, but not for one that does not read."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.http.client import QUIET
from tests.service import Service

from meshaccel import AgentRecord, AgentRegistry
from meshaccel.http.guard import GuardedProtocol

AGENTS = 2500
DESCRIPTION = "d" * 8000
ASK = b"GET /agents HTTP/1.1\r\nConnection: close\r\n\r\n"
READ_TIMEOUT_S = 0.5


@pytest.fixture
def large(
    server: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[socket.socket]:
    """A connection on which a listing of 20 MB was asked for, with little room to receive it."""

    async def fill(registry: AgentRegistry) -> None:
        records = (
            AgentRecord(id=f"a{number}", name="a", description=DESCRIPTION)
            for number in range(AGENTS)
        )
        await asyncio.gather(*map(registry.put_agent, records))
        await registry.list_agents()

    monkeypatch.setattr(GuardedProtocol, "read_timeout_s", READ_TIMEOUT_S)
    with server.open(tmp_path / "r.db", settings=QUIET):
        server.call(fill)
        host, port = server.url.removeprefix("http://").split(":")
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            connection.settimeout(10)
            connection.connect((host, int(port)))
            connection.sendall(ASK)
            yield connection


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


def test_slow_but_steady_reader_gets_all(large: socket.socket) -> None:
    """The whole answer takes longer than the timeout, and arrives."""
    begun = time.monotonic()
    assert received(large, pause_s=0.1) > AGENTS * len(DESCRIPTION)
    assert time.monotonic() - begun > 2 * READ_TIMEOUT_S


def test_client_that_does_not_read_is_given_up(large: socket.socket) -> None:
    """What it was to be sent is not kept for it."""
    time.sleep(4 * READ_TIMEOUT_S)
    assert received(large) < AGENTS * len(DESCRIPTION)

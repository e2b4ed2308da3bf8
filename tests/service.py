"""The service in this process: a real server on a free loopback port, in a thread of its own."""

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from meshaccel.clock import Clock
from meshaccel.http.app import DEFAULT_MAX_BODY, App
from meshaccel.http.asgi import Receive, Scope, Send
from meshaccel.http.auth import Gate
from meshaccel.http.guard import MAX_CONNECTIONS
from meshaccel.http.server import Server, config, listen
from meshaccel.registry.service import AgentRegistry
from meshaccel.registry.settings import RegistrySettings

T = TypeVar("T")

TIMEOUT_S = 90.0


class Service:
    """A running server whose registry can be replaced: starting another costs milliseconds."""

    def __init__(self, url: str, loop: asyncio.AbstractEventLoop, max_connections: int) -> None:
        self.url = url
        self._server = Server(config(self, max_connections=max_connections))
        self._loop = loop
        self._app: App | None = None
        self._registry: AgentRegistry | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve with the present registry."""
        assert self._app is not None, "no registry is open"
        await self._app(scope, receive, send)

    async def run(self, listener: socket.socket) -> None:
        """Serve until stopped."""
        await self._server.serve([listener])

    def stop(self) -> None:
        """Let ``run`` end."""
        self._server.should_exit = True

    def serves(self, client: socket.socket) -> bool:
        """Whether the server has a connection to this client."""
        connections = list(self._server.server_state.connections)
        return client.getsockname() in {
            connection.transport.get_extra_info("peername") for connection in connections
        }

    @property
    def registry(self) -> AgentRegistry:
        """The present registry; use it through ``call``, in the loop it is bound to."""
        assert self._registry is not None, "no registry is open"
        return self._registry

    def call(self, work: Callable[[AgentRegistry], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine of the registry in the server's loop."""
        return self._run(work(self.registry))

    @contextmanager
    def open(
        self,
        database: Path | str,
        *,
        settings: RegistrySettings | None = None,
        clock: Clock | None = None,
        max_body: int = DEFAULT_MAX_BODY,
        gate: Gate | None = None,
    ) -> Iterator[AgentRegistry]:
        """Serve a registry on ``database`` for the length of the block."""
        opening = AgentRegistry.open(str(database), settings=settings, clock=clock)
        self._registry = self._run(opening)
        self._app = App(self._registry, max_body=max_body, gate=gate, clock=clock)
        try:
            yield self._registry
        finally:
            registry, self._registry, self._app = self._registry, None, None
            self._run(registry.close())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(TIMEOUT_S)


@contextmanager
def serving(*, max_connections: int = MAX_CONNECTIONS) -> Iterator[Service]:
    """Run a server without a registry; ``Service.open`` gives it one."""
    ready = threading.Event()
    box: list[Service] = []

    async def run() -> None:
        listener = listen("127.0.0.1", 0)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        service = Service(url, asyncio.get_running_loop(), max_connections)
        box.append(service)
        ready.set()
        await service.run(listener)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        assert ready.wait(TIMEOUT_S), "the server did not start"
        yield box[0]
    finally:
        box[0].stop()
        thread.join(TIMEOUT_S)


@contextmanager
def running_service(
    database: Path | str,
    *,
    settings: RegistrySettings | None = None,
    clock: Clock | None = None,
    max_body: int = DEFAULT_MAX_BODY,
) -> Iterator[Service]:
    """Serve one registry for the length of the block."""
    with (
        serving() as service,
        service.open(database, settings=settings, clock=clock, max_body=max_body),
    ):
        yield service

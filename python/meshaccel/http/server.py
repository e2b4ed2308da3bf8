"""The registry as a process: one event loop, one database, until a signal ends it."""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from msgspec import Struct

from meshaccel.discovery.http_source import is_loopback
from meshaccel.errors import DatabaseError
from meshaccel.http.app import DEFAULT_MAX_BODY, App
from meshaccel.http.asgi import ASGIApp
from meshaccel.http.auth import Gate
from meshaccel.http.files import file_limit
from meshaccel.http.guard import MAX_CONNECTIONS, GuardedProtocol
from meshaccel.http.tokens import TokenFile
from meshaccel.registry.service import DEFAULT_DATABASE, AgentRegistry
from meshaccel.registry.settings import RegistrySettings

log = logging.getLogger(__name__)

KEEP_ALIVE_S = 75
"""Longer than any heartbeat interval in use, so that agents keep their connection."""

SHUTDOWN_S = 5
"""How long requests under way may take when the server is told to stop."""


OTHER_FILES = 100
"""Of the files that the system lets be open, those that are no connections."""


class ServerSettings(Struct, frozen=True, kw_only=True):
    """Where to listen and what to serve."""

    host: str = "127.0.0.1"
    port: int = 8000
    database: str = DEFAULT_DATABASE
    max_body: int = DEFAULT_MAX_BODY
    write_token_file: Path | None = None
    """Tokens, of which one is needed to change something. None needs none."""
    read_token_file: Path | None = None
    """Tokens, of which one, or one to write, is needed to read."""
    allowed_hosts: tuple[str, ...] = ()
    """Names by which clients know the server, besides addresses and local names."""
    registry: RegistrySettings = RegistrySettings()


class Server(uvicorn.Server):
    """A server that leaves signals to us: uvicorn raises them again, skipping our clean-up."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


# Decoded records are many small containers that live long and have no cycles: looking through
# them after every 700 new ones, Python's default, is a good part of a registration's cost. Those
# that outlived two passes, the second of 100,000 objects, are as good as never looked at again:
# a pass through all that 10,000 agents leave behind would hold the loop for most of a second.
GC_THRESHOLDS = (20_000, 4, 1000)


async def serve(settings: ServerSettings) -> None:
    """Serve until SIGINT or SIGTERM; then finish requests and write what is in memory.

    Raises:
        DatabaseError: the database cannot be opened.
        TokenError: there are no tokens in a file that should have some.
        OSError: the address cannot be bound.
    """
    gc.set_threshold(*GC_THRESHOLDS)
    gate = gate_of(settings)
    async with await AgentRegistry.open(settings.database, settings=settings.registry) as registry:
        app = App(registry, max_body=settings.max_body, gate=gate)
        connections = min(MAX_CONNECTIONS, file_limit() - OTHER_FILES)
        server = Server(config(app, max_connections=connections))
        loop = asyncio.get_running_loop()

        def stop(number: int) -> None:
            # Who waits for a change would hold up the end.
            registry.feed.stop()
            server.handle_exit(number, None)

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop, number)
        listener = listen(settings.host, settings.port)
        url = _url(listener)
        log.info("serving", extra={"url": url, "page": f"{url}/ui/", "database": settings.database})
        warming = asyncio.create_task(_warm_up(registry))
        try:
            await server.serve([listener])
        finally:
            warming.cancel()
            await asyncio.wait([warming])
    log.info("stopped")


def gate_of(settings: ServerSettings) -> Gate:
    """Return what decides who may ask for what.

    Raises:
        TokenError: there are no tokens in a file that should have some.
    """
    writes, reads = settings.write_token_file, settings.read_token_file
    # What listens to this machine alone is in reach of pages that are shown on it, under names
    # of their own; what listens to others is known by names that are nobody's business here.
    checked = settings.allowed_hosts or is_loopback(settings.host)
    return Gate(
        write_tokens=None if writes is None else TokenFile(writes),
        read_tokens=None if reads is None else TokenFile(reads),
        hosts=settings.allowed_hosts if checked else None,
    )


async def _warm_up(registry: AgentRegistry) -> None:
    """Bring into memory what is going to be asked for, while it is being asked for already."""
    try:
        await registry.warm_up()
    except DatabaseError as error:
        log.warning("cannot warm up", extra={"error": str(error)})
    # What is there now stays: passes of the collector need not go through it. One to begin with
    # would hold the loop for as long as all the others that this saves.
    gc.freeze()


def config(app: ASGIApp, *, max_connections: int = MAX_CONNECTIONS) -> uvicorn.Config:
    """Return how uvicorn is to serve ``app``."""
    return uvicorn.Config(
        app,
        http=GuardedProtocol,
        ws="none",
        lifespan="off",
        # Ours are the only logs, and proxies' headers are nothing we go by.
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        # See GuardedProtocol: it refuses connections, not requests.
        limit_concurrency=max_connections,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )


def listen(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address.

    Raises:
        OSError: it cannot be bound.
    """
    family, _, _, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    # Only where the protocol is named does asyncio switch Nagle's algorithm off; it would hold
    # back the body of every answer for the 40 ms of a delayed acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except BaseException:
        listener.close()
        raise
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

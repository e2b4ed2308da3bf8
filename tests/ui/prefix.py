"""The registry behind a proxy that serves it under a prefix."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from tests.service import TIMEOUT_S, Service

from meshaccel.http.asgi import Receive, Scope, Send
from meshaccel.http.server import Server, config, listen


@contextmanager
def behind_prefix(service: Service, prefix: str) -> Iterator[str]:
    """Serve what ``service`` does under ``prefix``, and nothing outside of it; yield the URL."""

    async def proxy(scope: Scope, receive: Receive, send: Send) -> None:
        raw_path: bytes = scope["raw_path"]
        inside = raw_path.startswith(f"{prefix}/".encode())
        asked = raw_path.removeprefix(prefix.encode()) if inside else b"/outside"
        await service({**scope, "raw_path": asked, "path": asked.decode()}, receive, send)

    listener = listen("127.0.0.1", 0)
    server = Server(config(proxy))
    # In the loop that the registry is bound to.
    running = asyncio.run_coroutine_threadsafe(server.serve([listener]), service._loop)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}{prefix}"
    finally:
        server.should_exit = True
        running.result(TIMEOUT_S)

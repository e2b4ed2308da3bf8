"""A TCP proxy on loopback that treats connections badly."""

import random
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CHUNK = 512
TIMEOUT_S = 90.0

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER by which closing a connection resets it."""


class FaultyProxy(socketserver.ThreadingTCPServer):
    """Passes bytes on, but cuts or resets each connection after some of them.

    ``healthy`` ends that, from the next connection on.
    """

    def __init__(self, port: int, seed: int) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.to = ("127.0.0.1", port)
        self.rng = random.Random(seed)  # noqa: S311  a test's
        self.healthy = False
        self.faults = 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Connection(socketserver.BaseRequestHandler):
    server: FaultyProxy

    def handle(self) -> None:
        """Pass on in both directions."""
        with socket.create_connection(self.server.to, TIMEOUT_S) as there:
            up = threading.Thread(target=_pump, args=(self.request, there))
            up.start()
            limit = None
            if not self.server.healthy:
                self.server.faults += 1
                limit = self.server.rng.randrange(20, 6000)
                if limit % 2:
                    self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            _pump(there, self.request, limit)
            for end in (self.request, there):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            up.join(TIMEOUT_S)


def _pump(here: socket.socket, there: socket.socket, limit: int | None = None) -> None:
    passed = 0
    with suppress(OSError):
        while True:
            size = CHUNK if limit is None else min(CHUNK, limit - passed)
            data = here.recv(size) if size else b""
            there.sendall(data)
            passed += len(data)
            if not data:
                break
        if limit is None:
            there.shutdown(socket.SHUT_WR)


@contextmanager
def faulty_proxy(url: str, seed: int) -> Iterator[FaultyProxy]:
    """Run a proxy before a registry."""
    with FaultyProxy(int(url.rpartition(":")[2]), seed) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join(TIMEOUT_S)

"""A closed-loop HTTP/1.1 client, and what a process it loads costs the machine."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import uvloop

HOST = "127.0.0.1"
ANSWER_TIMEOUT_S = 30.0
"""As real agents wait; after a burst has ended, what was begun may take so long."""


class Request(NamedTuple):
    """One request, ready to be sent."""

    method: str
    raw: bytes


class Answer(NamedTuple):
    """A complete answer."""

    status: int
    body: bytes


Check = Callable[[Request, Answer], None]
"""Raises if an answer is wrong."""


def request(method: str, path: str, body: bytes = b"") -> Request:
    """Write a request as agents send it: plain JSON, no more headers than needed."""
    framing = b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body)
    head = f"{method} {path} HTTP/1.1\r\nhost: {HOST}\r\n".encode()
    return Request(method, head + (framing if body else b"") + b"\r\n" + body)


class Connection(asyncio.BufferedProtocol):
    """Sends its next request once the answer to the last one is complete and right."""

    def __init__(self, requests: Iterator[Request], check: Check, latencies: list[float]) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._check = check
        self._latencies = latencies
        self._buffer = bytearray(256 * 1024)
        self._size = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._next()

    def get_buffer(self, sizehint: int) -> memoryview:
        if len(self._buffer) - self._size < max(sizehint, 1):
            self._buffer = self._buffer + bytes(len(self._buffer))  # a view forbids to resize it
        return memoryview(self._buffer)[self._size :]

    def buffer_updated(self, nbytes: int) -> None:
        self._size += nbytes
        answer = self._answer()
        if answer is None:
            return
        self._latencies.append(time.perf_counter() - self._sent)
        try:
            self._check(self._request, answer)
        except Exception as error:  # noqa: BLE001  # reported by whoever waits for us
            self._fail(error)
        else:
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionError("the server closed the connection"))

    def _next(self) -> None:
        following = next(self._requests, None)
        if following is not None:
            self.ask(following)
        elif not self.done.done():
            self.done.set_result(None)

    def ask(self, following: Request) -> None:
        """Send a request; the former one was answered."""
        self._request, self._size, self._sent = following, 0, time.perf_counter()
        self._transport.write(following.raw)

    def _answer(self) -> Answer | None:
        """Return the answer if all of it is here."""
        end = self._buffer.find(b"\r\n\r\n", 0, self._size) + 4
        if end < 4:
            return None
        head = bytes(self._buffer[:end]).lower()
        body = b""
        status = int(head[9:12])
        if b"\r\ntransfer-encoding: chunked\r\n" in head:
            # Nothing was sent after this request, so the last chunk is the last thing to come.
            if not self._buffer.endswith(b"\r\n0\r\n\r\n", end, self._size):
                return None
            body = _joined(bytes(self._buffer[end : self._size]))
        elif self._request.method != "HEAD" and status != 204:
            length = int(head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])
            if self._size < end + length:
                return None
            body = bytes(self._buffer[end : end + length])
        return Answer(status, body)

    def _fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)
        self._transport.close()


def _joined(chunked: bytes) -> bytes:
    chunks: list[bytes] = []
    at = 0
    while True:
        line, _, _ = chunked[at : at + 32].partition(b"\r\n")
        size = int(line, 16)
        if size == 0:
            return b"".join(chunks)
        at += len(line) + 2
        chunks.append(chunked[at : at + size])
        at += size + 2


async def _burst(
    port: int, requests: Iterator[Request], check: Check, connections: int, timeout_s: float
) -> list[float]:
    latencies: list[float] = []
    connect = asyncio.get_running_loop().create_connection
    made = [
        (await connect(lambda: Connection(requests, check, latencies), HOST, port))[1]
        for _ in range(connections)
    ]
    waiting = asyncio.gather(*(connection.done for connection in made))
    await asyncio.wait_for(waiting, timeout_s)
    return latencies


def burst(
    port: int, requests: Iterable[Request], check: Check, *, connections: int, limit_s: float
) -> list[float]:
    """Send requests, each connection one after the other; return their latencies in seconds.

    After ``limit_s`` no further request is begun.
    """

    def until(deadline: float) -> Iterator[Request]:
        for each in requests:
            yield each
            if time.monotonic() > deadline:
                return

    bounded = until(time.monotonic() + limit_s)
    timeout_s = limit_s + ANSWER_TIMEOUT_S
    return uvloop.run(_burst(port, bounded, check, connections, timeout_s))


def family(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    found = [pid]
    for each in found:  # grows while we go
        for children in Path(f"/proc/{each}/task").glob("*/children"):
            found.extend(map(int, children.read_text().split()))
    return found


def cpu_seconds(pid: int) -> float:
    """Return the CPU time, user and system, of a process and its descendants.

    Of the kernel's clock of each process: the sum that is ``utime + stime`` in
    ``/proc/PID/stat``, in nanoseconds instead of ticks of 10 ms.
    """
    return sum(time.clock_gettime((~each << 3) | 2) for each in family(pid))


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process and its descendants."""
    page = os.sysconf("SC_PAGE_SIZE")
    pages = [Path(f"/proc/{each}/statm").read_text().split()[1] for each in family(pid)]
    return page * sum(map(int, pages))

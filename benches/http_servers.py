# /// script
# requires-python = ">=3.11"
# dependencies = ["granian", "uvicorn", "httptools", "uvloop", "starlette", "litestar"]
# ///
"""Which HTTP server and framework costs the least CPU for meshaccel's three hot calls?

    uv run benches/http_servers.py            # own environment, under 3 minutes, Linux
    python benches/http_servers.py --rounds 2 --only uvicorn-asgi granian-rsgi-embed

Each contender is one worker on loopback, HTTP/1.1 keep-alive, no access log: ``HEAD
/heartbeat/{id}`` (200, no body), ``POST /heartbeat`` (reads all of a 1, 4 or 16 kB body, answers
1 kB of prepared JSON), ``GET /agents`` (a prepared 500 kB body).  CONNECTIONS closed-loop
connections of a uvloop client in this process send a fixed number of requests and compare status,
framing and body of every answer.  Bursts are interleaved (A B C ... A B C ...); medians are shown.
CPU us is per request, utime + stime of the server's processes in /proc (10 ms ticks), the steadier
figure; spread is its (max - min) / median.  req/s is closed loop, so bounded by free cores and the
client too; client is its own CPU us per request.  Ratios are to the first contender, per round.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from operator import truediv
from pathlib import Path
from statistics import median
from typing import Any

import litestar
import uvicorn
import uvloop
from granian.constants import HTTPModes, Interfaces, Loops
from granian.server import Server, embed
from starlette import applications, responses, routing

CONNECTIONS, LIMIT_S = 16, 165  # no round begins that would end after LIMIT_S seconds
JSON = "application/json"
ANSWER = b'{"ok":true,"pad":"' + b"x" * 1004 + b'"}'
AGENTS = b"[" + b",".join(b'{"id":"agent-%06d","status":"up"}' % i for i in range(14706)) + b"]"
BODIES = [b'{"pad":"' + b"y" * (size - 10) + b'"}' for size in (1000, 4000, 16000)]
ASK = b"POST /heartbeat HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d"
Samples = dict[tuple[str, str], list[tuple[float, float, float]]]
CALLS: dict[str, tuple[int, bytes, list[bytes]]] = {  # how many, the right body, the requests
    "HEAD": (40000, b"", [b"HEAD /heartbeat/agent-0001 HTTP/1.1\r\nhost: x\r\n\r\n"]),
    "POST": (20000, ANSWER, [ASK % len(body) + b"\r\n\r\n" + body for body in BODIES]),
    "GET": (5000, AGENTS, [b"GET /agents HTTP/1.1\r\nhost: x\r\n\r\n"]),
}


async def rsgi_app(scope: Any, proto: Any) -> None:
    method, path = scope.method, scope.path
    if method == "HEAD" and path.startswith("/heartbeat/"):
        proto.response_empty(200, [])
    elif method == "POST" and path == "/heartbeat":
        answer = ANSWER if (await proto())[-1:] == b"}" else b""  # shows that all of it was read
        proto.response_bytes(200, [("content-type", JSON)], answer)
    else:
        proto.response_bytes(200, [("content-type", JSON)], AGENTS)


async def asgi_app(scope: Any, receive: Any, send: Any) -> None:
    method, path = scope["method"], scope["path"]
    answer = AGENTS
    if method == "HEAD" and path.startswith("/heartbeat/"):
        answer = b""
    elif method == "POST" and path == "/heartbeat":
        body, more = b"", True
        while more:
            event = await receive()
            body, more = body + event["body"], event["more_body"]
        answer = ANSWER if body[-1:] == b"}" else b""
    length = (b"content-length", str(len(answer)).encode())
    headers = [(b"content-type", b"application/json"), length] if answer else []
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


def starlette_app() -> Any:
    async def beat(_: Any) -> responses.Response:
        return responses.Response()

    async def post(request: Any) -> responses.Response:
        return responses.Response(ANSWER if await request.body() else b"", media_type=JSON)

    async def agents(_: Any) -> responses.Response:
        return responses.Response(AGENTS, media_type=JSON)

    calls = [
        routing.Route("/heartbeat/{id}", beat),
        routing.Route("/heartbeat", post, methods=["POST"]),
    ]
    return applications.Starlette(routes=[*calls, routing.Route("/agents", agents)])


def litestar_app() -> Any:
    async def beat(agent: str) -> None: ...

    async def post(request: Any) -> Any:
        answer = ANSWER if await request.body() else b""
        return litestar.Response(answer, status_code=200, media_type=JSON)

    async def agents() -> Any:
        return litestar.Response(AGENTS, media_type=JSON)

    calls = [litestar.head("/heartbeat/{agent:str}")(beat), litestar.get("/agents")(agents)]
    return litestar.Litestar([*calls, litestar.post("/heartbeat")(post)], openapi_config=None)


def run_uvicorn(app: Any, port: int) -> None:
    quiet: dict[str, Any] = {"log_level": "critical", "access_log": False, "proxy_headers": False}
    uvicorn.run(app, port=port, loop="uvloop", http="httptools", ws="none", **quiet)


def run_granian(app: Any, port: int, interface: str, *, embedded: bool = False) -> None:
    options: dict[str, Any] = {"port": port, "interface": Interfaces(interface)}
    options |= {"http": HTTPModes.http1, "websockets": False, "log_enabled": False}
    if embedded:
        uvloop.run(embed.Server(app, **options).serve())
    else:
        Server("app", loop=Loops.uvloop, **options).serve(target_loader=lambda *_: app)


CONTENDERS: dict[str, Callable[[int], None]] = {
    "granian-rsgi": lambda port: run_granian(rsgi_app, port, "rsgi"),
    "granian-asgi": lambda port: run_granian(asgi_app, port, "asginl"),
    "uvicorn-asgi": lambda port: run_uvicorn(asgi_app, port),
    "uvicorn-starlette": lambda port: run_uvicorn(starlette_app(), port),
    "uvicorn-litestar": lambda port: run_uvicorn(litestar_app(), port),
    "granian-starlette": lambda port: run_granian(starlette_app(), port, "asgi"),
    "granian-rsgi-embed": lambda port: run_granian(rsgi_app, port, "rsgi", embedded=True),
}


class Connection(asyncio.BufferedProtocol):
    """Sends its next request once the answer to the last one is complete and right."""

    def __init__(self, requests: Iterator[bytes], call: str) -> None:
        self.requests, self.call, self.want = requests, call, CALLS[call][1]
        self.buffer = bytearray(len(AGENTS) + 65536)
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport: asyncio.Transport = transport
        self.size = self.need = 0
        if request := next(self.requests, None):
            self.transport.write(request)
        elif not self.done.done():
            self.done.set_result(None)

    def get_buffer(self, _sizehint: int) -> memoryview:
        return memoryview(self.buffer)[self.size :]

    def buffer_updated(self, nbytes: int) -> None:
        self.size += nbytes
        if not self.need:
            head, end, _ = self.buffer[: min(self.size, 4096)].lower().partition(b"\r\n\r\n")
            if not end:
                return
            framed = b"\r\ncontent-length: %d\r\n" % len(self.want) in head + b"\r\n"
            if not head.startswith(b"http/1.1 200") or not (framed or self.call == "HEAD"):
                raise ValueError(f"wrong answer {head[:300]!r}")
            self.need = len(head) + 4 + len(self.want)
        if self.size >= self.need:
            if self.buffer[self.need - len(self.want) : self.size] != self.want:
                raise ValueError("wrong body")
            self.connection_made(self.transport)  # the next request

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError(f"{self.call}: connection closed"))


async def burst(port: int, call: str, count: int) -> None:
    requests = (CALLS[call][2][i % len(CALLS[call][2])] for i in range(count))
    open_one = asyncio.get_running_loop().create_connection
    made = (lambda: Connection(requests, call) for _ in range(CONNECTIONS))
    pairs = [await open_one(make, "127.0.0.1", port) for make in made]
    await asyncio.wait_for(asyncio.gather(*(connection.done for _, connection in pairs)), 60)


def cpu_of(pid: int) -> float:  # seconds, of the server and its worker
    pids = [str(pid), *Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    stats = [Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split() for each in pids]
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")


def measure(port: int, pid: int, call: str, count: int) -> tuple[float, float, float]:
    began, server, client = time.perf_counter(), cpu_of(pid), time.process_time()
    uvloop.run(burst(port, call, count))
    wall, client = time.perf_counter() - began, time.process_time() - client
    return (cpu_of(pid) - server) / count * 1e6, count / wall, client / count * 1e6


def main(names: list[str], rounds: int) -> None:
    servers: list[tuple[str, int, int]] = []
    samples: Samples = {}
    began = time.monotonic()
    try:
        for name in names:
            with socket.create_server(("127.0.0.1", 0)) as free:
                port: int = free.getsockname()[1]
            command = [sys.executable, __file__, "--serve", name, str(port)]
            servers.append((name, port, subprocess.Popen(command, start_new_session=True).pid))
            while socket.socket().connect_ex(("127.0.0.1", port)) and time.monotonic() < began + 60:
                time.sleep(0.1)
            for call in CALLS:
                uvloop.run(burst(port, call, 500))  # warm-up and first check
        for done in range(rounds):
            if done and (time.monotonic() - began) * (done + 1) / done > LIMIT_S:
                break
            for call, (count, _, _) in CALLS.items():
                for name, port, pid in servers:
                    samples.setdefault((call, name), []).append(measure(port, pid, call, count))
    finally:
        for _, _, pid in servers:
            os.killpg(pid, 9)  # the worker too
    report(names, samples)


def report(names: list[str], samples: Samples) -> None:
    print(*(f"{p} {version(p)}" for p in ("granian", "uvicorn", "uvloop", "starlette", "litestar")))
    for call, (count, _, _) in CALLS.items():
        print(f"\n{call}: {len(samples[call, names[0]])} rounds of {count} requests")
        print(f"{'':20}{'CPU us':>9}{'ratio':>7}{'spread':>8}{'req/s':>9}{'ratio':>7}{'client':>8}")
        base = list(zip(*samples[call, names[0]], strict=True))
        for name in names:
            columns = list(zip(*samples[call, name], strict=True))
            cpu, rate, client = (median(column) for column in columns)
            ratio = [median(map(truediv, columns[i], base[i])) for i in (0, 1)]
            spread = (max(columns[0]) - min(columns[0])) / cpu
            row = f"{name:20}{cpu:9.1f}{ratio[0]:7.2f}{spread:8.0%}"
            print(f"{row}{rate:9.0f}{ratio[1]:7.2f}{client:8.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, default=list(CONTENDERS)[:6])
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        sys.exit(CONTENDERS[args.serve[0]](int(args.serve[1])))
    main(args.only, args.rounds)

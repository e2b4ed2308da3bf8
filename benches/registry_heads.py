"""What does a heartbeat cost beside nothing at all, and how long does it take under mixed load?

    python -m benches.registry_heads             # about a minute, Linux
    python -m benches.registry_heads --quick

First, server CPU per ``HEAD`` of the registry and of a handler that answers 200 and does nothing
else, on the same server, in turns; the ratio is the median of those of the rounds.  Then 1,000
requests a second arrive at the registry, whether it has answered the former ones or not: ``HEAD``,
but for one in a hundred that declares something new (an agent of the fleet changes), and as many
that declare what is known.  Latency counts from the moment at which a request is due, so waiting
for a connection is part of it; it depends on what else the machine does.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

import uvloop
from benches.fleet import Agent, fleet
from benches.load_report import Sample
from benches.loadgen import ANSWER_TIMEOUT_S, HOST, Answer, Connection, Request, request
from benches.registry_calls import Contender
from benches.registry_process import OUR_COMMAND, Registry

_ROOT = str(Path(__file__).parent.parent)
_SERVE = (
    f"import sys; sys.path.insert(0, {_ROOT!r});"
    " from benches.registry_heads import serve_empty; serve_empty()"
)
EMPTY_COMMAND = (sys.executable, "-c", _SERVE)
CONNECTIONS = 32
RATE = 1000
"""Requests a second."""
CHANGES_EVERY = 100
"""One request in so many declares something new, another one what is known."""


async def empty(scope: Any, receive: Any, send: Any) -> None:
    """Answer 200, and ``/health`` as the bench expects it."""
    del receive
    body = b'{"status":"healthy"}' if scope["path"] == "/health" else b""
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def serve_empty() -> None:
    """Run the empty handler as the registry runs its own."""
    from meshaccel.http.server import Server, config, listen  # noqa: PLC0415  of this process only

    uvloop.run(Server(config(empty)).serve([listen(HOST, int(os.environ["PORT"]))]))


class Arrivals:
    """Requests that arrive at a rate, and connections that take what is due."""

    def __init__(self, requests: Iterator[Request]) -> None:
        self._requests = requests
        self._due: deque[tuple[float, Request]] = deque()
        self._idle: list[Paced] = []
        self.heads: list[float] = []
        self.others: list[float] = []

    async def run(self, port: int, rate: float, seconds: float) -> None:
        """Let them arrive."""
        loop = asyncio.get_running_loop()
        made = [
            (await loop.create_connection(lambda: Paced(self), HOST, port))[1]
            for _ in range(CONNECTIONS)
        ]
        begun = time.perf_counter()
        for number in range(int(rate * seconds)):
            due = begun + number / rate
            if due > time.perf_counter():
                await asyncio.sleep(due - time.perf_counter())
            self._due.append((due, next(self._requests)))
            if self._idle:
                self._idle.pop().go_on()
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            while self._due or len(self._idle) < len(made):
                for connection in made:
                    if connection.done.done():
                        connection.done.result()
                await asyncio.sleep(0.01)

    def take(self, connection: Paced) -> tuple[float, Request] | None:
        """Return what is due, or None and remember who asked."""
        if self._due:
            return self._due.popleft()
        self._idle.append(connection)
        return None

    def took(self, asked: Request, seconds: float) -> None:
        """Note a latency."""
        (self.heads if asked.method == "HEAD" else self.others).append(seconds)


class Paced(Connection):
    """A connection that sends what is due."""

    def __init__(self, arrivals: Arrivals) -> None:
        super().__init__(iter(()), self._note, [])
        self._arrivals = arrivals
        self._was_due = 0.0

    def go_on(self) -> None:
        """Send what is due, if anything is."""
        found = self._arrivals.take(self)
        if found is not None:
            self._was_due, asked = found
            self.ask(asked)

    def _next(self) -> None:
        self.go_on()

    def _note(self, asked: Request, answer: Answer) -> None:
        if answer.status not in (200, 202):
            raise ValueError(f"{asked.raw[:60]!r}: {answer.status} {answer.body!r:.200}")
        self._arrivals.took(asked, time.perf_counter() - self._was_due)


def mixed(agents: list[Agent]) -> Iterator[Request]:
    """Yield heartbeats, a change now and then, and as many registrations that change nothing."""
    for number in count():
        agent = agents[number % len(agents)]
        if number % CHANGES_EVERY == 0:
            agent.change()
        if number % CHANGES_EVERY in (0, CHANGES_EVERY // 2):
            yield request("POST", "/heartbeat", agent.body())
        else:
            yield request("HEAD", f"/heartbeat/{agent.id}")


def beside_nothing(contender: Contender, nothing: Contender, rounds: int, burst_s: float) -> None:
    """Measure both in turns."""
    ratios = []
    samples: dict[str, list[Sample]] = {contender.name: [], nothing.name: []}
    for _ in range(rounds):
        for each in (contender, nothing):
            samples[each.name].append(each.measure("HEAD", burst_s))
        ours, theirs = (samples[each.name][-1].cpu_us for each in (contender, nothing))
        ratios.append(ours / theirs)
    for name, found in samples.items():
        print(f"{name:12}{median(sample.cpu_us for sample in found):8.1f} us CPU per HEAD")
    print(f"ratio {median(ratios):.2f} (rounds: {', '.join(f'{r:.2f}' for r in sorted(ratios))})")


def under_load(registry: Registry, agents: list[Agent], seconds: float) -> None:
    """Measure latencies at a rate."""
    arrivals = Arrivals(mixed(agents))
    cpu = registry.cpu_seconds()
    uvloop.run(arrivals.run(registry.port, RATE, seconds))
    cpu = registry.cpu_seconds() - cpu
    print(f"{RATE} requests/s for {seconds:.0f} s: {cpu / seconds:.0%} of a core")
    for name, latencies in (("HEAD", arrivals.heads), ("POST", arrivals.others)):
        ordered = sorted(latencies)
        shown = ((p, ordered[min(len(ordered) - 1, int(len(ordered) * p))]) for p in (0.5, 0.99))
        text = ", ".join(f"p{p:.0%} {value * 1e3:.2f} ms".replace("%", "") for p, value in shown)
        print(f"{name} x {len(ordered)}: {text}, longest {ordered[-1] * 1e3:.1f} ms")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What does a heartbeat cost, and take?")
    parser.add_argument("--agents", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20.0, help="of mixed load")
    parser.add_argument("--quick", action="store_true", help="two rounds, 3 seconds")
    return parser.parse_args()


def main() -> None:
    """Measure what the command line asks for."""
    asked = options()
    rounds, seconds = (2, 3.0) if asked.quick else (asked.rounds, asked.seconds)
    agents = fleet(asked.agents)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="registry-heads-")))
        ours = stack.enter_context(Registry("ours", OUR_COMMAND, folder))
        nothing = stack.enter_context(Registry("nothing", EMPTY_COMMAND, folder))
        contender = Contender(ours, agents, strangers=[])
        contender.register()
        beside_nothing(contender, Contender(nothing, agents, []), rounds, 0.3 * rounds)
        under_load(ours, agents, seconds)


if __name__ == "__main__":
    main()

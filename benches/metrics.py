"""What does counting cost a request, and what does a scrape cost?

    python -m benches.metrics [--quick]

The same requests go to three applications on one registry, in turns, without a server: ours; ours
with the counting of requests left out (the head of the columns); and ours with counters and
histograms of ``prometheus_client`` in its place, labels looked up for each request. The figure is
the median over the rounds of the ratio of CPU time, and of the difference in nanoseconds.
"""

import argparse
import asyncio
import random
import statistics
import time
from collections.abc import MutableMapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from tests.http.client import QUIET

from meshaccel import AgentRegistry, Declaration, Tool
from meshaccel.http.app import App
from meshaccel.http.asgi import Request
from meshaccel.http.metrics import template
from meshaccel.timings import BOUNDS_S

AGENTS = 200
SCRAPES = 20


class Uncounted(App):
    """Without counts."""

    def _count(self, request: Request, status: int, begun: float) -> None:
        """Count nothing."""


class Labelled(App):
    """As one would with ``prometheus_client``'s own counters."""

    def __init__(self, registry: AgentRegistry) -> None:
        super().__init__(registry)
        metrics = CollectorRegistry()
        which = ["method", "route"]
        self._counter = Counter("requests", "x", [*which, "status"], registry=metrics)
        self._times = Histogram("seconds", "x", which, buckets=BOUNDS_S, registry=metrics)

    def _count(self, request: Request, status: int, begun: float) -> None:
        seconds = time.perf_counter() - begun
        route = template(request.segments[0], len(request.segments))
        self._counter.labels(request.method, route, status).inc()
        self._times.labels(request.method, route).observe(seconds)


def scopes() -> dict[str, dict[str, Any]]:
    """Return the heads of requests."""
    common = {"type": "http", "query_string": b"", "headers": []}
    return {
        "HEAD": common | {"method": "HEAD", "path": "/heartbeat/agent-7"},
        "404": common | {"method": "GET", "path": "/nowhere"},
        "GET /agents": common | {"method": "GET", "path": "/agents"},
    }


async def _receive() -> MutableMapping[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(_: MutableMapping[str, Any]) -> None:
    pass


async def seconds(app: App, scope: dict[str, Any], calls: int) -> float:
    """Return the CPU time of one request."""
    began = time.process_time()
    for _ in range(calls):
        await app(scope, _receive, _send)
    return (time.process_time() - began) / calls


async def compare(apps: Sequence[App], scope: dict[str, Any], calls: int, rounds: int) -> None:
    """Print the figures of one kind of request."""
    found: dict[str, list[float]] = {type(app).__name__: [] for app in apps}
    for _ in range(rounds):
        for app in random.sample(apps, len(apps)):
            found[type(app).__name__].append(await seconds(app, scope, calls))
    base = found["Uncounted"]
    print(f"  Uncounted   {statistics.median(base) * 1e6:9.2f} us")
    for name, times in found.items():
        if name != "Uncounted":
            ratio = statistics.median(
                mine / theirs for mine, theirs in zip(times, base, strict=True)
            )
            more = statistics.median(
                mine - theirs for mine, theirs in zip(times, base, strict=True)
            )
            print(f"  {name:<11} {ratio:9.3f}   {more * 1e9:+8.0f} ns")


async def measure(calls: int, rounds: int) -> None:
    """Print all figures."""
    async with await AgentRegistry.open(":memory:", settings=QUIET) as registry:
        tools = tuple(Tool(function_name=f"f{n}", capability=f"cap-{n}") for n in range(3))
        for number in range(AGENTS):
            await registry.register(Declaration(agent_id=f"agent-{number}", tools=tools))
        apps: list[App] = [App(registry), Uncounted(registry), Labelled(registry)]
        for name, scope in scopes().items():
            print(name)
            few = calls if name != "GET /agents" else max(20, calls // 100)
            await compare(apps, scope, few, rounds)
        page = {"type": "http", "method": "GET", "query_string": b"", "headers": []}
        for path in ("/metrics", "/stats"):
            print(path)
            cost = await seconds(apps[0], page | {"path": path}, SCRAPES)
            print(f"  a scrape    {cost * 1e3:9.2f} ms")


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="rougher, a few seconds")
    quick = parser.parse_args().quick
    asyncio.run(measure(calls=1000 if quick else 5000, rounds=9 if quick else 41))


if __name__ == "__main__":
    main()

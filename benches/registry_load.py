"""What does a registry cost per request, as a service seen from outside?

    python -m benches.registry_load                         # ours, under 2 minutes, Linux
    python -m benches.registry_load --npm --json load.json  # beside upstream's, under 4 minutes
    python -m benches.registry_load --compare mcp-mesh-registry --agents 200 --calls HEAD

Each registry is a process with a new database on disk; a closed-loop client in this process speaks
HTTP/1.1 over loopback and checks every answer.  For each size of the fleet the registries stand
side by side and get the same requests in turn, call by call, round by round (A B A B ...); medians
of the rounds are shown.  A burst ends after its count or its time, whichever comes first.
CPU us is per request, user + system time of the server's processes: the steady figure.  req/s, p50
and p99 (ms) depend on the machine's other load and on the client.  Ratios are upstream / ours in
CPU and ours / upstream in req/s.  docs/performance.md says what the calls are.
"""

from __future__ import annotations

import argparse
import itertools
import shlex
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple, TypeAlias

from benches.fleet import Agent, fleet
from benches.load_report import FleetResult, Sample, write_json
from benches.loadgen import Answer, Request, burst, request
from benches.registry_process import OUR_COMMAND, OURS, UPSTREAM, Registry, fetch_upstream

Commands: TypeAlias = dict[str, Sequence[str]]

CONNECTIONS = 8
LIMIT_S, QUICK_LIMIT_S = 225.0, 24.0
"""Seconds after which no round begins that would end too late."""


class Contender:
    """A registry, and the agents as far as they have registered there."""

    def __init__(self, registry: Registry, size: int, plan: Plan) -> None:
        everyone = fleet(size, plan.rounds * plan.joining(size), strict=plan.strict)
        self.registry = registry
        self.name = registry.name
        self.agents, self.strangers = everyone[:size], everyone[size:]
        self.nonces = itertools.count()
        self._turns = itertools.count()

    def turns(self) -> Iterator[Agent]:
        """Yield the agents one after the other without end, going on where it was left."""
        return (self.agents[turn % len(self.agents)] for turn in self._turns)

    def send(
        self, requests: Iterator[Request], connections: int, limit_s: float, *, together: int = 1
    ) -> Sample:
        """Send requests and check their answers; ``together`` of them count as one, the last."""
        self._sizes: list[int] = []
        cpu, began = self.registry.cpu_seconds(), time.perf_counter()
        seconds = burst(
            self.registry.port, requests, self._check, connections=connections, limit_s=limit_s
        )
        wall, cpu = time.perf_counter() - began, self.registry.cpu_seconds() - cpu
        last = slice(together - 1, None, together)
        return Sample.of(cpu, wall, seconds[last], self._sizes[last])

    def settle(self) -> None:
        """Let the agents register again until none of them is told to."""
        heads = {_head(agent): agent for agent in self.agents}
        for _ in range(10):
            told: list[Agent] = []

            def check(asked: Request, answer: Answer, told: list[Agent] = told) -> None:
                if answer.status == 202:
                    told.append(heads[asked])
                elif answer.status != 200:
                    raise ValueError(f"{self.name}: HEAD answers {answer.status}")

            burst(self.registry.port, heads, check, connections=CONNECTIONS, limit_s=60)
            if not told:
                return
            self.send(map(_post, told), CONNECTIONS, 60)
        raise ValueError(f"{self.name}: HEAD is 202 again and again")

    def check_listing(self) -> None:
        """Check that everyone is listed as healthy, and wired as far as can be."""
        listed = self.registry.get("/agents")["agents"]
        assert {agent["id"] for agent in listed} == {agent.id for agent in self.agents}
        assert {agent["status"] for agent in listed} == {"healthy"}
        missing = {agent["total_dependencies"] - agent["dependencies_resolved"] for agent in listed}
        assert missing == {1}, f"{self.name}: unresolved dependencies: {missing}, should be 1"

    def _check(self, asked: Request, answer: Answer) -> None:
        self._sizes.append(len(answer.body))
        fine = answer.status == 200
        if asked.method == "POST":
            fine = fine and b'"status":"success"' in answer.body
        elif asked.method == "GET":
            fine = fine and answer.body.count(b'"runtime":') == len(self.agents)
        if not fine:
            said = f"{answer.status} {answer.body!r:.300}"
            raise ValueError(f"{self.name}: {asked.raw[:60]!r}: {said}")


def _head(agent: Agent) -> Request:
    return request("HEAD", f"/heartbeat/{agent.id}")


def _post(agent: Agent) -> Request:
    return request("POST", "/heartbeat", agent.body())


def _change(agent: Agent) -> Request:
    agent.change()
    return _post(agent)


LIST = request("GET", "/agents")


def heads(contender: Contender) -> Iterator[Request]:
    return map(_head, contender.turns())


def unchanged(contender: Contender) -> Iterator[Request]:
    return map(_post, contender.turns())


def respelt(contender: Contender) -> Iterator[Request]:
    for agent in contender.turns():
        yield request("POST", "/heartbeat", agent.respelt(next(contender.nonces)))


def listings(_: Contender) -> Iterator[Request]:
    return itertools.repeat(LIST)


def changes(contender: Contender) -> Iterator[Request]:
    return map(_change, contender.turns())


def changes_and_listings(contender: Contender) -> Iterator[Request]:
    for agent in contender.turns():
        yield _change(agent)
        yield LIST


def first_registrations(contender: Contender) -> Iterator[Request]:
    while contender.strangers:
        agent = contender.strangers.pop(0)
        contender.agents.append(agent)
        yield _post(agent)


class Call(NamedTuple):
    """A kind of request, and how many of it make a burst."""

    requests: Callable[[Contender], Iterator[Request]]
    at_most: int
    connections: int = CONNECTIONS


FIRST, PAIR = "POST first", "POST changed + GET"
CALLS = {
    "HEAD": Call(heads, 20_000),
    "POST unchanged": Call(unchanged, 10_000),
    "POST respelt": Call(respelt, 2_000),
    "GET /agents": Call(listings, 1_000, connections=2),
    "POST changed": Call(changes, 1_000),
    PAIR: Call(changes_and_listings, 200, connections=1),
    FIRST: Call(first_registrations, 1_000),
}


class Plan(NamedTuple):
    """How much to measure."""

    calls: Sequence[str]
    rounds: int
    burst_s: float
    strict: bool

    def joining(self, size: int) -> int:
        """Return how many agents join in one burst of first registrations."""
        return max(10, size // 20)


def measure(contender: Contender, call: str, plan: Plan, count: int) -> Sample:
    """Send one burst of a call."""
    kind = CALLS[call]
    requests = itertools.islice(kind.requests(contender), count)
    together = 2 if call == PAIR else 1
    return contender.send(requests, kind.connections, plan.burst_s, together=together)


def measure_fleet(
    contenders: Sequence[Contender], size: int, plan: Plan, deadline: float
) -> Iterator[tuple[str, str, Sample]]:
    """Register the fleet, then measure in rounds; yields call, contender, sample."""
    for contender in contenders:
        contender.send(map(_post, contender.agents), CONNECTIONS, 60)
        contender.settle()
        contender.check_listing()
    round_s = 0.0
    for _ in range(plan.rounds):
        began = time.monotonic()
        if began + round_s > deadline:
            break
        for call in plan.calls:
            for contender in contenders if call != FIRST else ():
                yield call, contender.name, measure(contender, call, plan, CALLS[call].at_most)
        for contender in contenders:
            contender.settle()
        round_s = time.monotonic() - began
    for _ in range(plan.rounds if FIRST in plan.calls else 0):
        for contender in contenders:
            yield FIRST, contender.name, measure(contender, FIRST, plan, plan.joining(size))
    for contender in contenders:
        contender.settle()
        contender.check_listing()


def run(
    commands: Commands, size: int, plan: Plan, deadline: float, versions: dict[str, str]
) -> FleetResult:
    """Measure all registries side by side with a fleet of one size."""
    samples: dict[str, dict[str, list[Sample]]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="registry-load-")))
        contenders = [
            Contender(stack.enter_context(Registry(name, command, folder)), size, plan)
            for name, command in commands.items()
        ]
        for contender in contenders:
            versions[contender.name] = contender.registry.version()
        for call, name, sample in measure_fleet(contenders, size, plan, deadline):
            samples.setdefault(call, {}).setdefault(name, []).append(sample)
        resident = {contender.name: contender.registry.resident_mb() for contender in contenders}
    return FleetResult(size, samples, resident)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What does a registry cost per request?")
    parser.add_argument("--agents", default="50,200,1000", help="sizes of the fleet")
    parser.add_argument("--calls", nargs="+", choices=CALLS, default=list(CALLS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--required", action="store_true", help="agents require tools of others")
    parser.add_argument("--quick", action="store_true", help="smaller, rougher, under 30 s")
    parser.add_argument("--registry-command", default=shlex.join(OUR_COMMAND), help="ours")
    parser.add_argument("--compare", metavar="PATH", help="upstream's mcp-mesh-registry")
    parser.add_argument("--npm", action="store_true", help="fetch upstream's registry by npm")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the raw results")
    return parser.parse_args()


def main() -> None:
    """Measure what the command line asks for."""
    asked, began = options(), time.monotonic()
    limit_s = QUICK_LIMIT_S if asked.quick else LIMIT_S
    rounds, burst_s = (1, 0.3) if asked.quick else (asked.rounds, 1.0)
    plan = Plan(asked.calls, rounds, burst_s, asked.required)
    sizes = [20, 100] if asked.quick else [int(size) for size in asked.agents.split(",")]
    versions: dict[str, str] = {}
    results: list[FleetResult] = []
    with tempfile.TemporaryDirectory(prefix="registry-load-npm-") as npm:
        upstream = fetch_upstream(Path(npm)) if asked.npm else asked.compare
        commands: Commands = {OURS: shlex.split(asked.registry_command)}
        if upstream:
            commands[UPSTREAM] = [str(Path(upstream).resolve())]
        for number, size in enumerate(sizes, 1):
            deadline = began + limit_s * number / len(sizes)
            results.append(run(commands, size, plan, deadline, versions))
            print(results[-1].table(), flush=True)
    wall_s = time.monotonic() - began
    print(f"\n{versions}, {wall_s:.0f} s in all")
    if asked.json:
        write_json(asked.json, versions, results, wall_s)


if __name__ == "__main__":
    main()

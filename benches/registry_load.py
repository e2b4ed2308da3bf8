"""What does a registry cost per request, as a service seen from outside?

    python -m benches.registry_load                         # ours, under 2 minutes, Linux
    python -m benches.registry_load --npm --json load.json  # beside upstream's, under 4 minutes
    python -m benches.registry_load --compare mcp-mesh-registry --agents 200 --calls HEAD

Each registry is a process with a new database file (under TMPDIR, which should be on a disk); a
closed-loop client in this process speaks HTTP/1.1 over loopback and checks every answer.  For each
size of the fleet the registries stand side by side and get the same requests in turn, call by
call, round by round (A B A B ...); medians of the rounds are shown.  A burst ends after its count
or its time, whichever comes first.  CPU us is per request, user + system time of the server's
processes: the steady figure.  req/s, p50 and p99 depend on the machine's other load and on the
client.  Ratios are upstream / ours in CPU and ours / upstream in req/s.  docs/performance.md says
what the calls are.
"""

from __future__ import annotations

import argparse
import shlex
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple, TypeAlias

from benches.fleet import fleet
from benches.load_report import FleetResult, Sample, write_json
from benches.registry_calls import CALLS, FIRST, Contender
from benches.registry_process import OUR_COMMAND, OURS, UPSTREAM, Registry, fetch_upstream

Commands: TypeAlias = dict[str, Sequence[str]]

LIMIT_S, QUICK_LIMIT_S = 200.0, 22.0
"""Seconds after which no round begins that would end too late."""


class Plan(NamedTuple):
    """How much to measure."""

    calls: Sequence[str]
    rounds: int
    burst_s: float
    strict: bool

    def joining(self, size: int) -> int:
        """Return how many agents join in one burst of first registrations."""
        return max(25, size // 20)

    def contender(self, registry: Registry, size: int) -> Contender:
        """Return a registry with a fleet that is yet to register."""
        joining = self.rounds * self.joining(size)
        agents = fleet(size, joining, strict=self.strict)
        return Contender(registry, agents[:size], strangers=agents[size:])


def measure_fleet(
    contenders: Sequence[Contender], size: int, plan: Plan, deadline: float
) -> Iterator[tuple[str, str, Sample]]:
    """Register the fleet, then measure in rounds; yields call, contender, sample."""
    for contender in contenders:
        contender.register()
    round_s = 0.0
    for number in range(plan.rounds):
        began = time.monotonic()
        if began + round_s > deadline:
            break
        for contender in contenders if number else ():
            contender.settle()
        for call in plan.calls:
            for contender in contenders if call != FIRST else ():
                yield call, contender.name, contender.measure(call, plan.burst_s)
        round_s = time.monotonic() - began
    for _ in range(plan.rounds if FIRST in plan.calls else 0):
        for contender in contenders:
            sample = contender.measure(FIRST, plan.burst_s, plan.joining(size))
            yield FIRST, contender.name, sample
    for contender in contenders:
        contender.check_listing()


def run(
    commands: Commands, size: int, plan: Plan, deadline: float, versions: dict[str, str]
) -> FleetResult:
    """Measure all registries side by side with a fleet of one size."""
    samples: dict[str, dict[str, list[Sample]]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="registry-load-")))
        contenders = [
            plan.contender(stack.enter_context(Registry(name, command, folder)), size)
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
    # In their own order: the calls that change the fleet come after those that must not notice.
    calls = [call for call in CALLS if call in asked.calls]
    plan = Plan(calls, rounds, burst_s, asked.required)
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

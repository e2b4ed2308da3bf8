"""Measure incremental discovery beside other ways to keep up with a registry.

    python -m benches.discovery            # 5 minutes
    python -m benches.discovery --quick    # a minute
    python -m benches.discovery --plot docs/discovery_calls.svg

Calls and bytes are simulated: 50 consumers in virtual time, over the real answers of the server's
core on a real database. The rest is measured.
"""

import argparse
import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from benches.discovery import loopback, ratios
from benches.discovery.fleet import Fleet
from benches.discovery.plot import svg
from benches.discovery.strategies import CONSUMERS, Cost, costs

AGENTS = 10_000
CHURNS = {0.001: 99.5, 0.01: 99.5, 0.1: 96.0}
"""Changes per agent and minute, and how many percent of the bytes of full polling is the goal."""

Simulated = Mapping[float, Mapping[str, Cost]]


def simulated(folder: Path, minutes: int) -> dict[float, dict[str, Cost]]:
    """Return what each way costs, by churn."""
    found = {}
    for churn in CHURNS:
        database = folder / f"{churn}.db"
        with Fleet(database, AGENTS) as fleet:
            full_list = asyncio.run(loopback.full_list_bytes(database))
            found[churn] = costs(fleet, full_list, churn, 60 * minutes)
    return found


def table(found: Simulated, minutes: int) -> Iterator[str]:
    """Yield lines on calls and bytes."""
    for churn, ways in found.items():
        base = ways["full polling"]
        yield (
            f"{AGENTS} agents, {churn:.1%} a minute, {CONSUMERS} consumers, {minutes} minutes: "
            f"full polling {base.calls} calls, {base.sent / 1e6:.0f} MB"
        )
        for name, cost in ways.items():
            fewer, less = 100 * (1 - cost.calls / base.calls), 100 * (1 - cost.sent / base.sent)
            verdicts = []
            if name == "SSE":
                verdicts = [_verdict("calls", 95, met=fewer >= 95)]
            if name == "heartbeat":
                verdicts = [_verdict("calls", 100, met=cost.calls == 0)]
            if name in ("SSE", "heartbeat", "revision poll"):
                verdicts.append(_verdict("bytes", CHURNS[churn], met=less >= CHURNS[churn]))
            yield (
                f"    {fewer:8.2f} % fewer calls {less:8.3f} % fewer bytes"
                f" {cost.calls:6} calls {cost.sent / 1e6:10.2f} MB  {name:15}" + "".join(verdicts)
            )


def measured(folder: Path, *, quick: bool) -> Iterator[str]:
    """Yield lines on what is measured."""
    change = ratios.change_cost(folder / "change.db", AGENTS // 2, 5 if quick else 15)
    yield (
        f"a change with revision and hash: {change.ratio:.2f} of one without,"
        f" {change.pages:.1f} pages of log to {change.pages_without:.1f}"
        + _verdict("at most", 1.3, met=change.ratio <= 1.3)
    )
    with Fleet(folder / "delta.db", AGENTS) as fleet:
        delta = ratios.delta_cost(fleet, 3 if quick else 9)
    yield (
        f"ten changes: 1/{delta.ten:.0f} of everything ({delta.ten_bytes} of {delta.all_bytes}"
        f" bytes), none: 1/{delta.nothing:.0f}" + _verdict("1/", 300, met=delta.ten >= 300)
    )
    warm = loopback.warm_start(folder / "warm.db", folder / "state", 1000 if quick else AGENTS)
    met = warm.calls == 1 and warm.received <= 1000
    yield f"warm start: {warm.calls} call, {warm.received} bytes" + _verdict("1,", 1000, met=met)
    push = loopback.push(
        folder / "push.db", size=1000, clients=CONSUMERS, changes=60 if quick else 300
    )
    met = push.told == push.due and push.p99_s <= 1.5
    yield (
        f"push: {push.told} of {push.due} told, p50 {push.p50_s:.2f} s, p99 {push.p99_s:.2f} s"
        + _verdict("p99", 1.5, met=met)
    )


def plotted(found: Simulated) -> str:
    """Return the plot of the simulation."""
    panels: dict[str, dict[str, dict[str, float]]] = {
        "API calls": {
            name: {f"{churn:.1%} a minute": float(found[churn][name].calls) for churn in found}
            for name in found[0.01]
        },
        "megabytes": {
            name: {f"{churn:.1%} a minute": found[churn][name].sent / 1e6 for churn in found}
            for name in found[0.01]
        },
    }
    return svg(panels, "What it costs 50 consumers to keep up with 10,000 agents")


def _verdict(what: str, goal: float, *, met: bool) -> str:
    return f"  goal {what} {goal:g} {'met' if met else 'MISSED'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="15 minutes of virtual time, not 60")
    parser.add_argument("--plot", type=Path, help="write the plot of calls and bytes to this file")
    options = parser.parse_args()
    minutes = 15 if options.quick else 60
    with TemporaryDirectory(prefix="meshaccel-discovery-") as folder:
        for line in measured(Path(folder), quick=options.quick):
            print(line, flush=True)
        found = simulated(Path(folder), minutes)
    for line in table(found, minutes):
        print(line, flush=True)
    if options.plot:
        options.plot.write_text(plotted(found), encoding="utf-8")


if __name__ == "__main__":
    main()

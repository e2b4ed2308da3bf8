"""How much of what a registry is asked does it answer from memory, while its fleet changes?

    python -m benches.registry_hits                # minutes
    python -m benches.registry_hits --quiet 5      # harder: no time without changes beyond 5 s

Replays the changes of a catalogue of MCP servers (11 months, 388 agents), each of which comes with
a new version of the agent's tools. Where the data is missing, made up ones. Times are the recorded
ones, but time without a change is cut, after a minute if nothing else is said: what comes after
would be hits alone. Every 5 s all agents give a sign of life and register again if they are told
to, the fleet is listed once, 10 agents are looked up, and the wiring of 5 is asked for.

The first table is what the caches count: a heartbeat that misses looks three times, and
registrations count as well. The second one is what the callers asked for, changes apart.
A page of the listing (``list:``) is dropped by every change and put together from ``listed:``.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterator

from tests.registry.churn import RECORDED, Event, Replay, made, recorded

from meshaccel import AgentRegistry, CacheStats, RegistrySettings

SETTINGS = RegistrySettings(timeout_s=1e9, startup_grace_s=1e9)
"""The time of the replay is not the registry's: nobody is to be missed."""


def events(quiet_s: float, limit: int | None) -> Iterator[Event]:
    """Return the changes to replay."""
    if RECORDED.exists():
        return recorded(quiet_s, limit)
    print(f"{RECORDED} is not there: made up changes")
    return made(agents=300, changes=limit or 3000, gap_s=quiet_s / 4)


async def replay(quiet_s: float, limit: int | None) -> None:
    """Replay, and print what came of it."""
    began = time.monotonic()
    async with await AgentRegistry.open(":memory:", settings=SETTINGS) as registry:
        played = Replay(registry)
        await played.run(events(quiet_s, limit))
        stats = registry.stats()
    print(f"{played.changes:,} changes, {played.beats:,} beats, {stats.agents} agents at last")
    print(f"\n{'entry':<14}{'reads':>12}{'misses':>10}{'hits':>9}")
    for kind, cache in stats.caches.items():
        if cache.hits or cache.misses:
            print(_row(f"{kind}:", cache.hits + cache.misses, cache.misses))
    print(_row("all", *_totals(stats.caches)))
    print(f"\n{'asked':<14}{'times':>12}{'database':>10}{'memory':>9}")
    for what, times in played.asked.items():
        print(_row(what, times, played.read[what]))
    print(_row("all", played.asked.total(), played.read.total()))
    print(f"\n{time.monotonic() - began:.0f} s in all")


def _totals(caches: dict[str, CacheStats]) -> tuple[int, int]:
    misses = sum(cache.misses for cache in caches.values())
    return misses + sum(cache.hits for cache in caches.values()), misses


def _row(name: str, reads: int, misses: int) -> str:
    return f"{name:<14}{reads:>12,}{misses:>10,}{1 - misses / reads:>9.2%}"


def main() -> None:
    """Replay what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quiet", type=float, default=60.0, help="seconds without changes")
    parser.add_argument("--changes", type=int, help="at most")
    asked = parser.parse_args()
    asyncio.run(replay(asked.quiet, asked.changes))


if __name__ == "__main__":
    main()

"""The parts together: what the registry asks its database."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benches.suite.figure import Counted, Gain, Part
from tests.connections import on_readers, on_writer
from tests.http.client import QUIET
from tests.http.statements import queries
from tests.registry.churn import BEAT_S, Replay, made

from meshaccel import AgentRegistry, Declaration, Dependency, Tool

AGENTS = 200


@dataclass(frozen=True)
class Replayed:
    """What came of two minutes of a fleet of a hundred agents."""

    hits: float
    from_memory: float
    """Percent of what was asked, changes apart, that needed no database."""

    @classmethod
    async def of_a_new_registry(cls) -> Replayed:
        """Replay a change of one agent every ten seconds, and signs of life every five."""
        async with await AgentRegistry.open(":memory:", settings=QUIET) as registry:
            replay = Replay(registry)
            await replay.run(made(agents=100, changes=40, gap_s=2 * BEAT_S))
            caches = registry.stats().caches.values()
        hits = sum(cache.hits for cache in caches)
        reads = hits + sum(cache.misses for cache in caches)
        missed = replay.read.total() / replay.asked.total()
        return cls(100 * hits / reads, 100 * (1 - missed))


async def statements(*, warm: bool) -> int:
    """Count the statements of a listing, the first one or the second."""
    seen: list[str] = []

    def trace(conn: sqlite3.Connection) -> None:
        conn.set_trace_callback(seen.append)

    with TemporaryDirectory(prefix="registry-") as folder:
        path = str(Path(folder) / "registry.db")
        async with await AgentRegistry.open(path, settings=QUIET) as registry:
            for number in range(AGENTS):
                await registry.register(declared(number))
            registry._derived.clear()  # noqa: SLF001 - as after a start
            if warm:
                await registry.list_agents()
            await on_readers(registry._database, trace)  # noqa: SLF001
            await on_writer(registry._database, trace)  # noqa: SLF001
            assert len((await registry.list_agents()).agents) == AGENTS
            # Closing writes the signs of life that the registrations were.
            return len(queries(seen))


def declared(number: int) -> Declaration:
    """Return an agent that offers something, and depends on a neighbour."""
    needs = (Dependency(capability=f"capability-{number // 2}"),)
    return Declaration(
        agent_id=f"agent-{number}",
        http_host=f"agent-{number}",
        http_port=80,
        tools=(
            Tool(function_name="offer", capability=f"capability-{number}"),
            Tool(function_name="use", capability=f"use-{number}", dependencies=needs),
        ),
    )


async def n_plus_one(_: Replayed) -> int:
    """Return what the brief's listing takes (``listing.queries`` counts it)."""
    return 1 + AGENTS


async def share_of_hits(replayed: Replayed) -> float:
    return replayed.hits


async def share_from_memory(replayed: Replayed) -> float:
    return replayed.from_memory


async def without_a_cache(_: Replayed) -> float:
    return 0.0


@asynccontextmanager
async def opened() -> AsyncIterator[Replayed]:
    yield await Replayed.of_a_new_registry()


N_PLUS_ONE = "the brief's N+1"
PART = Part(
    "registry",
    opened,
    (
        Counted(
            name="registry.listing_queries",
            what="queries of the first listing of 200 agents after a start",
            unit="queries",
            against=N_PLUS_ONE,
            gain=Gain.LESS,
            ours=lambda _: statements(warm=False),
            baseline=n_plus_one,
        ),
        Counted(
            name="registry.warm_listing_queries",
            what="queries of the second listing",
            unit="queries",
            against=N_PLUS_ONE,
            gain=Gain.LESS,
            ours=lambda _: statements(warm=True),
            baseline=n_plus_one,
        ),
        Counted(
            name="registry.hits",
            what="hits of the registry's caches, 100 agents, a change every 10 s",
            unit="%",
            against="no cache",
            gain=Gain.SHARE,
            ours=share_of_hits,
            baseline=without_a_cache,
        ),
        Counted(
            name="registry.from_memory",
            what="requests without a read of the database",
            unit="%",
            against="no cache",
            gain=Gain.SHARE,
            ours=share_from_memory,
            baseline=without_a_cache,
        ),
    ),
)

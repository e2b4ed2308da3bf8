"""Part 1 of the brief: agents with their capabilities, without a query for each agent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiosqlite
import orjson
from benches.naive.listing import AgentRegistry
from benches.rows.contender import digest
from benches.rows.dataset import AGENT_JSON, CAPABILITY_JSON, write_dataset
from benches.rows.ours import shape
from benches.suite.figure import Counted, Gain, Part, Timed

from meshaccel.grouping import RowGrouper

AGENTS = 300
Json = dict[str, Any]


class Listing:
    """Agents of ten capabilities each in a file, and two ways to list them."""

    def __init__(self, conn: aiosqlite.Connection) -> None:
        self._conn = conn
        self._naive = AgentRegistry(conn)
        self._text, self._shared = RowGrouper(shape("text")), RowGrouper(shape("shared"))
        self._raw = RowGrouper(shape("raw"))

    async def ours(self) -> list[Json]:
        """With JSON as text."""
        return await self._text.fetch(self._conn, plan="levels")

    async def naive(self) -> list[Json]:
        """With JSON as text."""
        return await self._naive.get_agents_with_capabilities()

    async def ours_decoded(self) -> list[Json]:
        """With JSON decoded, equal documents once."""
        return await self._shared.fetch(self._conn, plan="levels")

    async def naive_decoded(self) -> list[Json]:
        """With JSON decoded by a fast library."""
        agents = await self.naive()
        for agent in agents:
            agent.update({name: orjson.loads(agent[name]) for name in AGENT_JSON})
            for capability in agent["capabilities"]:
                capability.update(
                    {name: orjson.loads(capability[name]) for name in CAPABILITY_JSON}
                )
        return agents

    async def ours_written(self) -> bytes:
        """As the bytes of a response."""
        return await self._raw.fetch_json(self._conn, plan="levels")

    async def naive_written(self) -> bytes:
        """As the bytes of a response."""
        return orjson.dumps(await self.naive_decoded())

    async def queries(self, way: Callable[[], Awaitable[object]]) -> int:
        """Count the statements that read."""
        seen = 0

        def see(statement: str) -> None:
            nonlocal seen
            seen += statement.lstrip().startswith("SELECT")

        await self._conn.set_trace_callback(see)
        await way()
        # None removes it; aiosqlite's annotation does not know.
        await self._conn.set_trace_callback(None)  # type: ignore[arg-type]
        return seen

    async def check(self) -> None:
        """Check that all ways list the same."""
        naive = _like_ours(await self.naive_decoded())
        assert digest(await self.ours()) == naive
        assert digest(await self.ours_decoded()) == naive
        assert digest(orjson.loads(await self.ours_written())) == naive


def _like_ours(agents: list[Json]) -> str:
    """Return the digest of agents whose capabilities have ``agent_id``, which ``*`` reads too."""
    for agent in agents:
        for capability in agent["capabilities"]:
            assert capability.pop("agent_id") == agent["id"]
    return digest(agents)


@asynccontextmanager
async def opened() -> AsyncIterator[Listing]:
    with TemporaryDirectory(prefix="listing-") as folder:
        path = Path(folder) / "agents.db"
        write_dataset(path, AGENTS)
        async with aiosqlite.connect(path, isolation_level=None) as conn:
            listing = Listing(conn)
            await listing.check()
            yield listing


N_PLUS_ONE = "the brief's N+1"
PART = Part(
    "listing",
    opened,
    (
        Counted(
            name="listing.queries",
            what="queries for 300 agents with their capabilities",
            unit="queries",
            against=N_PLUS_ONE,
            gain=Gain.LESS,
            ours=lambda listing: listing.queries(listing.ours),
            baseline=lambda listing: listing.queries(listing.naive),
        ),
        Timed(
            name="listing.text",
            what="the same as dicts, JSON as text",
            against=N_PLUS_ONE,
            ours=Listing.ours,
            baseline=Listing.naive,
        ),
        Timed(
            name="listing.decoded",
            what="the same as dicts, JSON decoded",
            against=f"{N_PLUS_ONE} + orjson.loads",
            ours=Listing.ours_decoded,
            baseline=Listing.naive_decoded,
        ),
        Timed(
            name="listing.bytes",
            what="the same as bytes",
            against=f"{N_PLUS_ONE} + orjson.loads and dumps",
            ours=Listing.ours_written,
            baseline=Listing.naive_written,
        ),
    ),
)

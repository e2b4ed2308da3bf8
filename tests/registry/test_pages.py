"""Pages of the listing: interned, shared, written once, and never of a state that is gone."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.http.client import QUIET
from tests.registry.test_listing_model import NEED

from meshaccel import AgentQuery, AgentRegistry, Declaration, Page, Tool
from meshaccel.http import wire
from meshaccel.registry import pages
from meshaccel.registry.telling import CurrentWiring

PLAIN = Tool(function_name="g", capability="x", tags=("t",), description="Tells the weather.")


async def filled(agents: int, tools: tuple[Tool, ...] = (PLAIN,)) -> AgentRegistry:
    registry = await AgentRegistry.open(":memory:", settings=QUIET)
    for number in range(agents):
        await registry.register(Declaration(agent_id=f"a{number}", tools=tools))
    return registry


def body(page: Page) -> dict[str, Any]:
    """What ``GET /agents`` answers."""
    pieces = wire.entries(page.heads(0, len(page.agents)), [0] * len(page.agents))
    ends = wire.page_ends(page, now_us=0)
    written = b"".join([wire.PAGE_BEGINS, *pieces[:-1], ends])
    decoded: dict[str, Any] = msgspec.json.decode(written)
    return decoded


def test_replicas_share_what_is_listed() -> None:
    """An entry of a replica takes a few nodes, and all of them go with the last reader."""

    async def share() -> None:
        async with await filled(2) as registry:
            stats = registry.stats().metadata
            page = await registry.list_agents()
            listed = registry.stats().metadata
            assert listed.references == stats.references + 2
            one, other = (entry.view["capabilities"] for entry in page.agents)
            assert one == other
            pool = registry._derived.records.pool
            before = pool.stats().nodes
            pool.release(pool.intern(one))
            assert pool.stats().nodes == before
            del one, other, page
            registry._derived.clear()
            # The page that was written last is kept until there is another one.
            assert (await registry.list_agents(AgentQuery(namespace="none"))).agents == ()
            assert registry.stats().metadata.references == 0
            assert registry.stats().metadata.nodes == 0

    asyncio.run(share())


def test_entry_refused_by_the_pool_leaves_nothing() -> None:
    async def refuse() -> None:
        async with await filled(1) as registry:
            info = (await registry.list_agents()).agents[0].info
            pool = registry._derived.records.pool
            before = pool.stats()
            with pytest.raises(TypeError):
                pages.Listed(pool, msgspec.structs.replace(info, name=object()), 1)
            assert pool.stats() == before

    asyncio.run(refuse())


def test_deepest_filter_that_is_taken_is_listed() -> None:
    """What is kept of an agent is not as deep as what is listed of it."""

    async def nest() -> None:
        deep: dict[str, Any] = {"filter": ["x"]}
        for _ in range(196):
            deep = {"filter": ["x"], "deep": deep}
        tool = Tool(function_name="f", capability="c", llm_filter=deep)
        async with await filled(1, (tool,)) as registry:
            shown = (await registry.list_agents()).agents[0].view
            assert shown["capabilities"][0]["llm_filter"].to_dict() == deep

    asyncio.run(nest())


@pytest.mark.parametrize("max_written", [0, 2000, 1 << 20])
def test_large_page_is_written_from_the_pool(
    monkeypatch: pytest.MonkeyPatch, max_written: int
) -> None:
    """It reads the same whether its JSON is kept or not; most of a later page is not rewritten."""
    monkeypatch.setattr(pages, "MAX_WRITTEN", max_written)

    async def read() -> None:
        async with await filled(20) as registry:
            page = await registry.list_agents()
            assert (page.written is not None) == (max_written > 2000)
            shown = body(page)
            assert [entry["id"] for entry in shown["agents"]] == [a.id for a in page.agents]
            assert shown["count"] == 20
            assert page.agents[3].info.capabilities[0].description == PLAIN.description
            some = await registry.list_agents(AgentQuery(after="a3", limit=2))
            assert body(some)["agents"] == shown["agents"][-6:-4]
            assert some.written is not None or max_written == 0
            await registry.unregister("a7")
            after = await registry.list_agents()
            changed = [a.id for a, b in zip(page.agents, after.agents, strict=True) if a is not b]
            assert changed == ["a7"]
            assert body(after)["agents"][-3]["status"] == "unhealthy"

    asyncio.run(read())


def test_what_another_process_told_is_listed_as_it_was(tmp_path: Path) -> None:
    """An agent is told what it was told before, while the fleet changes and is listed."""

    async def tell() -> None:
        path = str(tmp_path / "r.db")
        async with await AgentRegistry.open(path, settings=QUIET) as registry:
            for agent_id, tool in (("c", NEED), ("p", Tool(function_name="g", capability="x"))):
                await registry.register(Declaration(agent_id=agent_id, tools=(tool,)))
            await registry.register(Declaration(agent_id="c", tools=(NEED,)))
        async with await AgentRegistry.open(path, settings=QUIET) as registry:
            derived = registry._derived
            before = await derived.wiring("c")
            await registry.unregister("p")
            assert (await registry.list_agents()).agents[0].info.dependencies_resolved == 0

            async def outdated(_agent_id: str) -> CurrentWiring:
                return before

            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(derived, "wiring", outdated)
                await registry._heartbeats.answer("c")
            (told,) = (await registry.list_agents()).agents[0].info.dependency_resolutions
            assert (told.status, told.provider_agent_id) == ("unavailable", "p")

    asyncio.run(tell())

"""``IncrementalServiceDiscovery``: what it holds, and who watches is told."""

import asyncio
from contextlib import aclosing

import pytest
from tests.discovery.support import (
    fleet,
    ids,
    in_a_loop,
    opened,
    put,
    readers,
)

from meshaccel import (
    AgentChange,
    DiscoveryError,
    IncrementalServiceDiscovery,
    InvalidRequestError,
    MetadataPool,
    Selector,
    Tool,
)


async def no_sleep(_seconds: float) -> None:
    """Let others run; time is not waited for."""
    await asyncio.sleep(0)


@in_a_loop
async def test_what_it_holds() -> None:
    async with fleet("a", "b") as registry, IncrementalServiceDiscovery(registry) as discovery:
        assert discovery.stats().revision is None
        changes = await discovery.refresh()
        assert [(change.kind, change.agent.id) for change in changes] == [
            ("added", "a"),
            ("added", "b"),
        ]
        (agent,) = discovery.by_capability("c-a")
        assert (agent.id, agent.endpoint, agent.capabilities) == ("a", "stdio://a", ("c-a",))
        assert agent.record["tools"][0]["function_name"] == "f"
        await registry.unregister("a")
        await put(registry, "b", version="2")
        changes = await discovery.refresh()
        assert {change.agent.id: change.kind for change in changes} == {
            "a": "changed",
            "b": "changed",
        }
        assert discovery.by_capability("c-a") == ()
        assert [agent.id for agent in discovery.by_capability("c-a", healthy=False)] == ["a"]
        assert discovery.by_capability("c-b") == ()
        assert await discovery.refresh() == ()
        assert discovery.stats().calls == 3


@in_a_loop
async def test_records_share_what_is_equal() -> None:
    """Ten replicas of an agent are hardly larger than one."""
    pool = MetadataPool(memo_bytes=0)
    tool = Tool(function_name="f", capability="c", input_schema={"description": "d" * 5000})
    async with (
        opened() as registry,
        IncrementalServiceDiscovery(registry, pool=pool) as discovery,
    ):
        await put(registry, "a0", tools=(tool,))
        await discovery.refresh()
        one = pool.stats().bytes
        for number in range(1, 10):
            await put(registry, f"a{number}", tools=(tool,))
        await discovery.refresh()
        assert pool.stats().bytes < 2 * one


@in_a_loop
async def test_watching() -> None:
    """Changes since the last look, one for each agent however many there were."""
    async with fleet("a", "b", "c") as registry:
        async with IncrementalServiceDiscovery(registry) as discovery:
            await discovery.refresh()
            async with aclosing(discovery.watch()) as changes:
                asking = asyncio.ensure_future(anext(changes))
                await readers(registry, 1)
                await put(registry, "a", version="1")
                first = await asking
                assert (first.kind, first.agent.record["version"]) == ("changed", "1")
                for version in "23":
                    await put(registry, "b", version=version)
                await registry.unregister("b")
                await put(registry, "d")
                told = [await anext(changes) for _ in range(2)]
            assert [(change.kind, change.agent.id) for change in told] == [
                ("changed", "b"),
                ("added", "d"),
            ]
            assert told[0].before is not None
            assert not told[0].agent.healthy
        assert registry.feed.readers == 0


@in_a_loop
async def test_two_watch_and_one_refreshes() -> None:
    """All are told, whoever it was that asked."""
    async with (
        fleet("a") as registry,
        IncrementalServiceDiscovery(registry, sleep=no_sleep) as discovery,
    ):
        told: list[list[str]] = [[], []]

        async def watch(mine: list[str]) -> None:
            async for change in discovery.watch():
                mine.append(f"{change.kind} {change.agent.id}")
                if len(mine) == 3:
                    return

        watching = [asyncio.create_task(watch(mine)) for mine in told]
        for name in "bc":
            await put(registry, name)
            await discovery.refresh()
        await asyncio.gather(*watching)
        assert told == [["added a", "added b", "added c"]] * 2


@in_a_loop
async def test_closing_ends_watching() -> None:
    async with fleet("a") as registry:
        discovery = IncrementalServiceDiscovery(registry)
        told: list[AgentChange] = []

        async def watch() -> None:
            told.extend([change async for change in discovery.watch()])

        watching = asyncio.create_task(watch())
        await readers(registry, 1)
        await discovery.close()
        await watching
        assert len(told) == 1
        with pytest.raises(DiscoveryError):
            await discovery.refresh()


@in_a_loop
async def test_a_selection() -> None:
    selector = Selector(capabilities=("c-a", "c-b"), status="healthy")
    async with (
        fleet("a", "b", "c") as registry,
        IncrementalServiceDiscovery(registry, selector=selector) as discovery,
    ):
        assert await ids(discovery) == ["a", "b"]
        await registry.unregister("a")
        assert await ids(discovery) == ["b"]
        await put(registry, "b")
        assert await ids(discovery) == []
    with pytest.raises(InvalidRequestError, match="colour"):
        IncrementalServiceDiscovery(registry, selector="colour=red")

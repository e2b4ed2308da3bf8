"""Answers that cannot be true, or might not be: nothing of them is held."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import structs
from tests.discovery.support import (
    Spoiled,
    fleet,
    held,
    ids,
    in_a_loop,
    opened,
    put,
    spoiling,
)

from meshaccel import (
    DivergedError,
    Guards,
    IncrementalServiceDiscovery,
    InvalidReplyError,
    MetadataPool,
)
from meshaccel.discovery.phases import Position
from meshaccel.discovery.protocol import Changes, ChangesRequest, Gone


@in_a_loop
async def test_answers_without_a_hash_are_doubted() -> None:
    """A registry that has lost its agents says that there are none."""
    names = [f"a{number}" for number in range(20)]
    async with fleet(*names) as registry:
        source = Spoiled(registry.feed, spoiling(Changes, hash=None))
        trusting = Guards(empty_snapshot=False, mass_expiry=None)
        async with (
            IncrementalServiceDiscovery(source) as doubting,
            IncrementalServiceDiscovery(source, guards=trusting) as believing,
        ):
            assert len(await ids(doubting)) == len(await ids(believing)) == 20
            for name in names[:8]:
                await registry.unregister(name)
            await doubting.refresh()
            assert sum(agent.healthy for agent in doubting.agents.values()) == 12
            for name in names[8:]:
                await registry.unregister(name)
            await doubting.refresh()
            await believing.refresh()
            assert sum(agent.healthy for agent in doubting.agents.values()) == 12
            assert sum(agent.healthy for agent in believing.agents.values()) == 0
            assert doubting.stats().suspicions == {"mass_expiry": 1}
            none = Spoiled(registry.feed, spoiling(Changes, hash=None, items=(), more=False))
            doubting._synchronizer._source = none
            doubting._follower._phase = type(doubting._follower)(
                MetadataPool(), limit=5, guards=Guards()
            )._phase
            await doubting.refresh()
            assert len(doubting.agents) == 20
            assert doubting.stats().suspicions == {"mass_expiry": 1, "empty": 1}


@pytest.mark.parametrize(
    "change",
    [
        spoiling(Changes, since=1),
        spoiling(Changes, to=0),
        lambda answer: structs.replace(answer, items=answer.items[::-1]),
        lambda answer: structs.replace(
            answer, items=[structs.replace(item, id="other") for item in answer.items]
        ),
        lambda answer: Gone(reason="epoch", epoch=answer.epoch, revision=1),
    ],
)
def test_answers_that_no_registry_gives(change: Callable[[Any], Any]) -> None:
    """They are refused; what was held, and the question, stay."""

    @in_a_loop
    async def run() -> None:
        async with fleet("a", "b") as registry:
            source = Spoiled(registry.feed, change)
            async with IncrementalServiceDiscovery(source) as discovery:
                for _ in range(2):
                    with pytest.raises(InvalidReplyError):
                        await discovery.refresh()
                assert discovery.agents == {}
                assert source.calls[0] == source.calls[1]

    run()


@in_a_loop
async def test_a_hash_that_is_never_true() -> None:
    async with fleet("a") as registry, IncrementalServiceDiscovery(registry) as discovery:
        await discovery.refresh()
        await put(registry, "b")
        wrong = Spoiled(registry.feed, spoiling(Changes, hash="0" * 32))
        discovery._synchronizer._source = wrong
        with pytest.raises(DivergedError):
            await discovery.refresh()
        assert list(discovery.agents) == ["a"]
        discovery._synchronizer._source = registry.feed
        assert await ids(discovery) == ["a", "b"]


@in_a_loop
async def test_repair_reads_a_bucket() -> None:
    """Of two hundred agents one is wrong: only those are read that its bucket has."""
    async with opened() as registry:
        await asyncio.gather(*(put(registry, f"a{number}") for number in range(200)))
        source = Spoiled(registry.feed, lambda answer: answer)
        async with IncrementalServiceDiscovery(source) as discovery:
            await discovery.refresh()
            discovery._follower.records.apply({"a7": None})
            source.calls.clear()
            changes = await discovery.refresh()
            assert [change.agent.id for change in changes] == ["a7"]
            assert len(discovery.agents) == 200
            kinds = [type(call).__name__ for call in source.calls]
            assert kinds == ["ChangesRequest", "DigestRequest", "ChangesRequest", "ChangesRequest"]
            (repairing,) = (
                call for call in source.calls if isinstance(call, ChangesRequest) and call.buckets
            )
            answer = await registry.feed.changes(repairing)
            assert isinstance(answer, Changes)
            assert len(answer.items) < 10


@in_a_loop
async def test_snapshots_are_spread() -> None:
    """When all have to begin anew, each waits for a part of the time that the registry names."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async with fleet("a") as registry:
        request = await held(registry)
        source = Spoiled(registry.feed, spoiling(Gone, hash=None, spread_s=8.0))
        async with IncrementalServiceDiscovery(source, draw=lambda: 0.25, sleep=sleep) as discovery:
            await discovery.refresh()
            elsewhere = Position("another", request.since)
            discovery._follower.restore(discovery._follower.records, elsewhere)
            assert await ids(discovery) == ["a"]
            assert slept == [2.0]
            assert discovery.stats().epoch == request.epoch

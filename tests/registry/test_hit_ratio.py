"""Most of what is asked of a registry again and again is answered from memory, changes or not."""

import asyncio

from tests.http.client import QUIET
from tests.registry.churn import BEAT_S, Replay, made

from meshaccel import AgentRegistry, RegistryStats


def test_nine_of_ten_reads_hit_under_churn() -> None:
    """With a change of one in a hundred agents every ten seconds."""

    async def play() -> tuple[Replay, RegistryStats]:
        async with await AgentRegistry.open(":memory:", settings=QUIET) as registry:
            replay = Replay(registry)
            await replay.run(made(agents=100, changes=40, gap_s=2 * BEAT_S))
            return replay, registry.stats()

    replay, stats = asyncio.run(asyncio.wait_for(play(), 240))
    assert replay.asked["heartbeats"] > 1000
    hits = sum(cache.hits for cache in stats.caches.values())
    misses = sum(cache.misses for cache in stats.caches.values())
    assert hits / (hits + misses) > 0.9
    for kind in ("agent", "wiring", "listed"):
        assert stats.caches[kind].hit_ratio > 0.9, kind
    assert replay.read["heartbeats"] < replay.asked["heartbeats"] / 10
    assert replay.read["look-ups"] == 0

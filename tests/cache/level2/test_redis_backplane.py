"""What nodes hear of each other, and that they notice what they have not heard."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from tests.cache.level2.support import entry
from tests.fault_proxy import FaultProxy, fault_proxy
from tests.pool.support import eventually
from tests.valkey import Valkey, valkey

from meshaccel.cache.level2 import UNKNOWN, Invalidation
from meshaccel.cache.redis_backplane import RedisBackplane
from meshaccel.cache.redis_l2 import RedisL2
from meshaccel.errors import CacheOptionError


@dataclass
class Ear:
    """Notes what it is told."""

    heard: list[Invalidation] = field(default_factory=list)
    losses: int = 0

    def invalidated(self, invalidation: Invalidation) -> None:
        """Another node has invalidated something."""
        self.heard.append(invalidation)

    def lost(self) -> None:
        """Messages may have been missed."""
        self.losses += 1


@dataclass
class Pair:
    """A node that speaks, and one that hears through a proxy."""

    speaker: RedisL2
    hearer: RedisL2
    backplane: RedisBackplane
    ear: Ear
    proxy: FaultProxy
    namespace: str


@asynccontextmanager
async def pair(server: Valkey, heartbeat: float = 30.0) -> AsyncIterator[Pair]:
    """Two nodes, connected."""
    name = secrets.token_hex(8)
    async with (
        fault_proxy(server.port) as proxy,
        RedisL2(server.url, namespace=name, timeout=60) as speaker,
        RedisL2(f"redis://127.0.0.1:{proxy.port}", namespace=name, timeout=60) as hearer,
    ):
        backplane = RedisBackplane(hearer, heartbeat=heartbeat)
        ear = Ear()
        backplane.subscribe(ear)
        try:
            await eventually(lambda: backplane.connected)
            yield Pair(speaker, hearer, backplane, ear, proxy, name)
        finally:
            await backplane.close()


def test_all_that_another_node_does_is_heard_in_order(valkey_server: Valkey) -> None:
    async def run() -> None:
        async with pair(valkey_server) as two:
            speaker = two.speaker
            versions = [
                await speaker.invalidate(["a", "\udc80"]),
                await speaker.delete(["k", "j"]),
                await speaker.put("k", entry(b"1", UNKNOWN)),
                await speaker.expire(["x"]),
                await speaker.clear(),
            ]
            await eventually(lambda: len(two.ear.heard) == 5)
            assert two.ear.heard == [
                Invalidation(versions[0], tags=("a", "\udc80")),
                Invalidation(versions[1], keys=("k", "j")),
                Invalidation(versions[2], keys=("k",)),
                Invalidation(versions[3], expired=("x",)),
                Invalidation(versions[4], cleared=True),
            ]
            assert two.ear.losses == 1, "at the connect"

    asyncio.run(run())


def test_many_speakers_leave_no_gap(valkey_server: Valkey) -> None:
    """Messages come in the order of their numbers, however many nodes send them."""

    async def run() -> None:
        async with pair(valkey_server) as two:
            calls = [
                each.invalidate([f"{n}"]) for n in range(200) for each in (two.speaker, two.hearer)
            ]
            await asyncio.gather(*calls)
            await eventually(lambda: len(two.ear.heard) == 200)
            numbers = [heard.version.number for heard in two.ear.heard]
            assert numbers == sorted(numbers)
            assert two.ear.losses == 1

    asyncio.run(run())


def test_a_gap_is_a_loss(valkey_server: Valkey) -> None:
    async def run() -> None:
        async with pair(valkey_server) as two:
            await two.speaker.invalidate(["a"])
            valkey_server.command("ZINCRBY", f"{{{two.namespace}}}:v", -1, "n")
            await two.speaker.invalidate(["b"])
            await eventually(lambda: len(two.ear.heard) == 2)
            assert two.ear.losses == 2

    asyncio.run(run())


def test_another_incarnation_is_a_loss(valkey_server: Valkey) -> None:
    async def run() -> None:
        async with pair(valkey_server) as two:
            await two.speaker.invalidate(["a"])
            valkey_server.command("FLUSHALL")
            await two.speaker.invalidate(["b"])
            await eventually(lambda: len(two.ear.heard) == 2)
            assert two.ear.losses == 2

    asyncio.run(run())


@pytest.mark.parametrize("message", [b"", b"foreign", bytes(40)])
def test_a_foreign_message_is_a_loss(valkey_server: Valkey, message: bytes) -> None:
    async def run() -> None:
        async with pair(valkey_server) as two:
            valkey_server.command("PUBLISH", f"{{{two.namespace}}}:b", message)
            await eventually(lambda: two.ear.losses == 2)
            await two.speaker.invalidate(["a"])
            await eventually(lambda: len(two.ear.heard) == 1)

    asyncio.run(run())


@pytest.mark.parametrize("fault", ["cut", "refuse", "swallow"])
def test_a_lost_connection_is_noticed_and_made_again(valkey_server: Valkey, fault: str) -> None:
    """Half-open too: nothing arrives, and nothing says that it does not."""

    async def run() -> None:
        async with pair(valkey_server, heartbeat=0.1) as two:
            before = two.proxy.connections
            getattr(two.proxy, fault)()
            await eventually(lambda: two.ear.losses >= 2)
            two.proxy.accept()
            two.proxy.flow()
            await eventually(lambda: two.proxy.connections > before and two.backplane.connected)
            assert two.ear.losses >= 3
            await two.speaker.invalidate(["a"])
            await eventually(lambda: len(two.ear.heard) == 1)

    asyncio.run(run())


def test_silence_alone_is_no_loss(valkey_server: Valkey) -> None:
    async def losses(heartbeat: float) -> int:
        async with pair(valkey_server, heartbeat) as two:
            valkey_server.command("CONFIG", "RESETSTAT")
            await eventually(lambda: valkey_server.calls().get("ping", 0) >= 2)
            return two.ear.losses

    # More slowly if the machine stood still for the time of a heartbeat.
    assert any(asyncio.run(losses(heartbeat)) == 1 for heartbeat in (0.3, 3.0, 15.0))


def test_a_restart_is_a_loss() -> None:
    async def run(server: Valkey) -> None:
        async with pair(server) as two:
            server.kill()
            await eventually(lambda: not two.backplane.connected)
            assert two.ear.losses == 2
            server.start()
            await eventually(lambda: two.backplane.connected)
            await two.speaker.invalidate(["a"])
            await eventually(lambda: len(two.ear.heard) == 1)
            assert two.ear.losses == 3

    with valkey() as server:
        asyncio.run(run(server))


def test_a_listener_that_fails_keeps_nobody_from_hearing(
    valkey_server: Valkey, caplog: pytest.LogCaptureFixture
) -> None:
    class Deaf(Ear):
        def invalidated(self, invalidation: Invalidation) -> None:
            raise LookupError(invalidation.tags)

    async def run() -> None:
        async with pair(valkey_server) as two:
            last = Ear()
            two.backplane.subscribe(Deaf())
            two.backplane.subscribe(last)
            await two.speaker.invalidate(["a"])
            await two.speaker.invalidate(["b"])
            await eventually(lambda: len(last.heard) == 2)

    asyncio.run(run())
    assert caplog.text.count("a listener of the backplane failed") == 2


def test_options_are_checked() -> None:
    with pytest.raises(CacheOptionError, match="heartbeat"):
        RedisBackplane(RedisL2("redis://127.0.0.1"), heartbeat=0)

"""Two nodes that share a second level, on a network that fails: neither serves what it may not.

No read that starts after ``invalidate_by_tag`` returned sees the old value: on that node ever,
whatever fails; on the other one after one delivery or a reconnect.
"""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
from tests.fault_proxy import FaultProxy, fault_proxy
from tests.pool.support import eventually
from tests.valkey import Valkey, valkey

from meshaccel.cache import TagCache
from meshaccel.cache.hierarchical import HierarchicalCache
from meshaccel.cache.level2 import UNKNOWN
from meshaccel.cache.redis_backplane import RedisBackplane
from meshaccel.cache.redis_l2 import RedisL2
from meshaccel.cache.resilient_l2 import ResilientL2
from meshaccel.errors import SecondLevelError
from meshaccel.resilience import CircuitBreaker

KEYS = [f"k{number}" for number in range(6)]
ROUNDS = 12
WRITES = 8


class Node:
    """A cache with what it is made of, behind a proxy of its own."""

    def __init__(self, proxy: FaultProxy, namespace: str, patience_s: float) -> None:
        self.proxy = proxy
        url = f"redis://127.0.0.1:{proxy.port}"
        self.store = RedisL2(url, namespace=namespace, timeout=patience_s / 2)
        breaker = CircuitBreaker(min_calls=2, window_s=0.5, open_s=0.02)
        self.l2 = ResilientL2(self.store, timeout=patience_s, breaker=breaker)
        self.backplane = RedisBackplane(self.store, heartbeat=0.2)
        self.cache = HierarchicalCache[int](
            TagCache[int](100), self.l2, backplane=self.backplane, deaf_ttl=60
        )
        self.acknowledged = dict.fromkeys(KEYS, 0)
        """The value that reads of this node may no longer fall behind."""


class Mesh:
    """Two nodes and the truth."""

    def __init__(self, server: Valkey, nodes: list[Node], seed: int) -> None:
        self.server = server
        self.nodes = nodes
        self.truth = dict.fromkeys(KEYS, 0)
        self.random = random.Random(seed)  # noqa: S311 - no secret
        self.reads = 0

    async def read(self, node: Node, key: str) -> int:
        """Read, and see that it is not what was invalidated here before."""

        async def fetch() -> int:
            value = self.truth[key]
            await asyncio.sleep(self.random.random() * 0.005)
            return value

        acknowledged = node.acknowledged[key]
        value = await node.cache.get(key, fetch, tags=[f"tag:{key}"])
        assert acknowledged <= value, f"{key} is {value}, {acknowledged} was acknowledged"
        self.reads += 1
        return value

    async def change(self, node: Node, key: str) -> None:
        """Change the truth, then tell a node."""
        self.truth[key] += 1
        value = self.truth[key]
        await node.cache.invalidate_by_tag(f"tag:{key}")
        node.acknowledged[key] = max(node.acknowledged[key], value)

    async def read_on(self, node: Node) -> None:
        """Read until cancelled."""
        while True:
            await self.read(node, self.random.choice(KEYS))
            await asyncio.sleep(0.0005)

    async def settle(self) -> None:
        """Wait until all is well again, and all that was told has arrived."""
        for node in self.nodes:
            node.proxy.accept()
            node.proxy.flow()
            node.proxy.delay(0)
        for node in self.nodes:
            await eventually(lambda node=node: node.backplane.connected)  # type: ignore[misc]
            await eventually(lambda node=node: node.l2.stats().pending == 0)  # type: ignore[misc]
        for one, other in (self.nodes, self.nodes[::-1]):
            await self._hear(one, other)

    async def _hear(self, one: Node, other: Node) -> None:
        """Return once the other has heard the one: messages come in order, so all have come."""
        for _ in range(50):
            with suppress(AssertionError, SecondLevelError):
                last = await one.l2.invalidate(["settle"])
                await eventually(lambda: UNKNOWN != last == other.backplane._last, 0.2)  # noqa: B023
                return
        raise AssertionError("nothing is heard")


@asynccontextmanager
async def mesh(server: Valkey, seed: int, patience_s: float) -> AsyncIterator[Mesh]:
    """Two nodes at work, that wait for their store for ``patience_s``."""
    namespace = secrets.token_hex(8)
    async with AsyncExitStack() as stack:
        nodes = []
        for _ in range(2):
            proxy = await stack.enter_async_context(fault_proxy(server.port))
            nodes.append(Node(proxy, namespace, patience_s))
            await stack.enter_async_context(nodes[-1].cache)
        made = Mesh(server, nodes, seed)
        readers = [asyncio.create_task(made.read_on(node)) for node in nodes for _ in range(3)]
        try:
            yield made
        finally:
            for reader in readers:
                reader.cancel()
            outcomes = await asyncio.gather(*readers, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError] * len(readers)


FAULTS: dict[str, Callable[[Mesh, FaultProxy], object]] = {
    "none": lambda mesh, proxy: None,  # noqa: ARG005
    "cut": lambda mesh, proxy: proxy.cut(),  # noqa: ARG005
    "refused": lambda mesh, proxy: proxy.refuse(),  # noqa: ARG005
    "delayed": lambda mesh, proxy: proxy.delay(0.02),  # noqa: ARG005
    "half-open": lambda mesh, proxy: proxy.swallow(),  # noqa: ARG005
    "truncated": lambda mesh, proxy: proxy.truncate(mesh.random.randrange(200)),
    "flushed": lambda mesh, proxy: mesh.server.command("FLUSHALL"),  # noqa: ARG005
    "restarted": lambda mesh, proxy: mesh.server.restart(),  # noqa: ARG005
    # What was acknowledged since the last save is lost: the server knows older numbers.
    "restarted on old data": lambda mesh, proxy: mesh.server.restart(),  # noqa: ARG005
}


@pytest.mark.parametrize("fault", FAULTS)
def test_no_node_serves_what_it_may_not(fault: str) -> None:
    async def run(server: Valkey) -> None:
        # A node gives up soon, so that faults take effect; where there is none, it has no reason
        # to, however busy the machine is.
        patience_s = 30.0 if fault == "none" else 0.2
        async with mesh(server, seed=ROUNDS, patience_s=patience_s) as both:
            await both.settle()
            for turn in range(ROUNDS):
                if fault == "restarted on old data":
                    server.command("SAVE")
                for write in range(WRITES):
                    if write == WRITES // 2:
                        FAULTS[fault](both, both.nodes[turn % 2].proxy)
                    node, key = both.random.choice(both.nodes), both.random.choice(KEYS)
                    await both.change(node, key)
                    await both.read(node, key)
                await both.settle()
                for node in both.nodes:
                    for key in KEYS:
                        assert await both.read(node, key) == both.truth[key]
            assert both.reads > ROUNDS * WRITES
            if fault == "none":
                assert sum(node.cache.stats().l2_errors for node in both.nodes) == 0

    with valkey() as server:
        asyncio.run(run(server))


def test_what_one_node_fetched_the_other_finds(valkey_server: Valkey) -> None:
    """The test above would pass without any second level; this one would not."""

    async def run() -> None:
        namespace = secrets.token_hex(8)
        async with fault_proxy(valkey_server.port) as proxy:
            nodes = [Node(proxy, namespace, 30.0) for _ in range(2)]
            async with nodes[0].cache, nodes[1].cache:
                await eventually(lambda: all(node.backplane.connected for node in nodes))
                assert await nodes[0].cache.get("k", lambda: 1, tags=["a"]) == 1
                assert await nodes[1].cache.get("k", lambda: 2, tags=["a"]) == 1
                assert nodes[1].cache.get_now("k") == 1
                await nodes[0].cache.invalidate_by_tag("a")
                await eventually(lambda: nodes[1].cache.get_now("k") is None)
                assert await nodes[1].cache.get("k", lambda: 3, tags=["a"]) == 3
                assert await nodes[0].cache.get("k", lambda: 4, tags=["a"]) == 3

    asyncio.run(run())

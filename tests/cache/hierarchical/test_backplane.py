"""Several nodes on one second level, and what they hear of each other."""

import asyncio

import pytest
from tests.cache.hierarchical.support import (
    Air,
    Doors,
    FakeClock,
    MemoryL2,
    Origin,
    Plane,
    asynchronous,
    idle,
    make,
)

from meshaccel.cache import HierarchicalCache
from meshaccel.cache.level2 import UNKNOWN

Node = tuple[HierarchicalCache[str], Plane]


class Mesh:
    """Two nodes."""

    def __init__(self, **options: float) -> None:
        self.clock = FakeClock()
        self.l2 = MemoryL2(self.clock)
        self.air = Air()
        self.options = options

    async def node(self) -> Node:
        """Return one more node, which listens."""
        plane = self.air.plane()
        cache = make(self.l2, self.clock, backplane=plane, **self.options)
        await cache.__aenter__()
        return cache, plane


@asynchronous
async def test_node_hears_what_others_invalidate() -> None:
    mesh = Mesh(fail_safe=3600)
    (one, _), (two, ear) = await mesh.node(), await mesh.node()
    origin = Origin("old", "new", "newer", "newest", "last")

    async def change_and_hear() -> None:
        assert await one.get("key", origin, tags=["tag"]) == await two.get("key")

    await change_and_hear()
    await one.invalidate_by_tag("tag")
    assert two.get_now("key") == "old"
    ear.deliver()
    assert two.get_now("key") is None
    await change_and_hear()
    await one.delete("key")
    ear.deliver()
    assert two.get_now("key") is None
    await change_and_hear()
    await one.expire_by_tag("tag")
    ear.deliver()
    assert two.get_now("key") is None
    await change_and_hear()
    await one.set("key", "set")
    ear.deliver()
    assert await two.get("key") == "set"
    await one.clear()
    ear.deliver()
    assert two.get_now("key") is None
    assert two.stats().heard == 5


@asynchronous
async def test_messages_carry_the_version() -> None:
    mesh = Mesh()
    (one, _), (_, ear) = await mesh.node(), await mesh.node()
    await one.invalidate_by_tag("tag")
    assert ear.inbox[0].version == mesh.l2.version() != UNKNOWN


@asynchronous
async def test_fetch_under_way_is_outdated_by_what_is_heard() -> None:
    mesh = Mesh()
    (one, _), (two, ear) = await mesh.node(), await mesh.node()
    origin = Origin("old", "new")

    async def fetch() -> str:
        value = await origin()
        if value == "old":
            await one.invalidate_by_tag("tag")
            ear.deliver()
        return str(value)

    assert await two.get("key", fetch, tags=["tag"]) == "old"
    assert two.get_now("key") is None
    assert await two.get("key", fetch, tags=["tag"]) == "new"


@asynchronous
async def test_after_a_gap_everything_is_checked_against_the_second_level() -> None:
    mesh = Mesh(fail_safe=3600)
    (one, _), (two, ear) = await mesh.node(), await mesh.node()
    for key in ("kept", "changed"):
        await one.set(key, key, [key])
        assert await two.get(key) == key
    ear.cut()
    await one.invalidate_by_tag("changed")
    ear.mend()
    assert (two.get_now("kept"), two.get_now("changed")) == (None, None)
    origin = Origin("new")
    assert await two.get("kept", origin) == "kept"  # still in the second level: not fetched
    assert await two.get("changed", origin) == "new"
    assert origin.calls == 1
    origin.error = ConnectionError("down")
    with pytest.raises(ConnectionError):  # what was here before is not even fail-safe's
        await two.get("other", origin)


@asynchronous
async def test_connecting_while_the_second_level_is_asked_fetches_nothing() -> None:
    mesh = Mesh()
    one, _ = await mesh.node()
    await one.set("key", "value", ["tag"])
    doors, plane = Doors(mesh.l2, "read"), mesh.air.plane()
    late = make(doors, mesh.clock, backplane=plane)
    async with late:
        origin = Origin("fetched")
        asking = asyncio.ensure_future(late.get("key", origin, tags=["tag"]))
        await idle()
        plane.mend()
        await doors.open()
        assert await asking == "value"
        assert origin.calls == 0
        assert late.get_now("key") == "value"


@asynchronous
async def test_what_is_fetched_while_connecting_is_there_for_others() -> None:
    mesh = Mesh()
    (one, _), (two, ear) = await mesh.node(), await mesh.node()

    async def fetch() -> str:
        ear.mend()
        return "value"

    assert await two.get("key", fetch, tags=["tag"]) == "value"
    assert two.get_now("key") is None  # it may have missed something
    assert await one.get("key") == "value"  # the second level did not

    async def fetch_old() -> str:
        await one.invalidate_by_tag("tag")
        ear.mend()
        return "old"

    assert await two.get("other", fetch_old, tags=["tag"]) == "old"
    assert await one.get("other") is None  # that was outdated for all


@asynchronous
async def test_deaf_node_asks_the_second_level_again_soon() -> None:
    mesh = Mesh()
    (one, _), (two, ear) = await mesh.node(), await mesh.node()
    await one.set("key", "old", ["tag"])
    ear.cut()
    assert await two.get("key") == "old"
    await one.invalidate_by_tag("tag")
    assert await two.get("key") == "old"  # for deaf_ttl
    mesh.clock.now += 1.1
    assert await two.get("key") is None
    ear.mend()
    await one.set("key", "new")
    assert await two.get("key") == "new"
    mesh.clock.now += 30
    assert two.get_now("key") == "new"


@asynchronous
async def test_backplane_that_fails_concerns_nobody() -> None:
    mesh = Mesh()
    (one, mouth), _ = await mesh.node(), await mesh.node()
    mouth.failing = True
    await one.set("key", "value", ["tag"])
    assert await one.invalidate_by_tag("tag") == 1
    assert one.stats().backplane_errors == 2
    await one.close()
    assert mouth.listener is None


@asynchronous
async def test_nodes_without_a_second_level_still_hear_each_other() -> None:
    air, clock = Air(), FakeClock()
    planes = [air.plane(), air.plane()]
    one, two = (make(None, clock, backplane=plane) for plane in planes)
    async with one, two:
        await two.set("key", "old", ["tag"])
        planes[0].inbox.clear()
        await one.invalidate_by_tag("tag")
        planes[1].deliver()
        assert two.get_now("key") is None
        await two.set("key", "old")
        planes[1].cut()
        assert two.get_now("key") is None

"""Two nodes on one second level, every trip and every fetch held up, let go in random order.

What is checked: a read that starts after a change was acknowledged on that node, or was heard
there, or after the node was told that it may have missed something, gets what was true by then,
or something newer. Unless fetching has failed and old values may take its place: then nothing
that was invalidated, but what was only expired. And the second level holds for nobody, not even
for a node that begins now, what was true before a change that was acknowledged anywhere.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import async_solipsism
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from tests.cache.hierarchical.support import Air, Doors, FakeClock, MemoryL2, Plane, idle

from meshaccel.cache import CachePolicy, FetchContext, HierarchicalCache, TagCache
from meshaccel.cache.codec import MsgpackCodec
from meshaccel.cache.level2 import Wanted
from meshaccel.cache.resilient_l2 import ResilientL2

KEYS = ("a", "b")
OFTEN_A = st.sampled_from("aaab")
NODES = st.integers(0, 1)
TRIPS = ("read", "write", "put", "delete", "invalidate", "expire", "clear")
CHANGES = ("static tag", "dynamic tag", "common tag", "expired tag", "delete", "clear", "set")

Floors = dict[str, int]
"""By key, the number that a read must at least return."""


@dataclass(eq=False)
class Node:
    """A cache with its doors, and what is promised to its readers."""

    cache: HierarchicalCache[int]
    doors: Doors
    plane: Plane
    floors: Floors = field(default_factory=lambda: dict.fromkeys(KEYS, 0))
    hard_floors: Floors = field(default_factory=lambda: dict.fromkeys(KEYS, 0))
    fetching: list[tuple[str, int]] = field(default_factory=list)
    """What is being fetched, and for a read that began at which event."""


@dataclass(eq=False)
class Reading:
    """A read under way."""

    key: str
    floor: int
    hard_floor: int
    task: "asyncio.Future[Any]"


def raise_to(floors: Floors, to: Floors) -> None:
    """Promise more."""
    for key, number in to.items():
        floors[key] = max(floors[key], number)


class Interleavings(RuleBasedStateMachine):
    """Random calls on two nodes, in random states of being done."""

    @initialize(
        stale=st.sampled_from([0.0, 30.0]),
        fail_safe=st.sampled_from([0.0, 100.0]),
        eager=st.sampled_from([None, 0.5]),
        entries=st.sampled_from([1, 100]),
        background_writes=st.booleans(),
        fails=st.booleans(),
        shut=st.lists(st.sampled_from(TRIPS), min_size=1, max_size=4),
    )
    def start(  # noqa: PLR0913 - what may differ
        self,
        *,
        stale: float,
        fail_safe: float,
        eager: float | None,
        entries: int,
        background_writes: bool,
        fails: bool,
        shut: list[str],
    ) -> None:
        """Make two nodes."""
        # In real time, tasks that try again some time later would come between at random.
        self.loop = async_solipsism.EventLoop()
        self.clock = FakeClock()
        self.truth = dict.fromkeys(KEYS, 0)
        self.promised = dict.fromkeys(KEYS, 0), dict.fromkeys(KEYS, 0)
        self.counter = 0
        self.events = 0
        self.fails = fails
        self.failing = self.has_failed = False
        self.readings: list[Reading] = []
        self.changes: list[asyncio.Future[Any]] = []
        self.sets: list[tuple[str, int, asyncio.Future[Any]]] = []
        self.held: list[asyncio.Event] = []
        self.store, air = MemoryL2(self.clock), Air()
        policy = CachePolicy(
            ttl=20.25, stale_while_revalidate=stale, fail_safe=fail_safe, eager=eager, retry_after=3
        )
        self.nodes: list[Node] = []
        for _ in range(2):
            doors, plane = Doors(self.store, *shut), air.plane()
            cache = HierarchicalCache[int](
                TagCache(entries, clock=self.clock.monotonic),
                ResilientL2(doors, timeout=3600),  # who is held waits as long as the test likes
                backplane=plane,
                policy=policy,
                clock=self.clock,
                background_writes=background_writes,
                deaf_ttl=1e-3,
            )
            self.do(cache.__aenter__)
            self.nodes.append(Node(cache, doors, plane))

    def do(self, call: Callable[[], Awaitable[Any]] | None = None) -> Any:
        """Begin a call, if there is one, and run until everything waits."""

        async def run() -> Any:
            task = None if call is None else asyncio.ensure_future(call())
            await idle()
            return task

        task = self.loop.run_until_complete(run())
        self.check()
        self.check_store()
        return task

    def check(self) -> None:
        """Look at the reads that are done."""
        for reading in [each for each in self.readings if each.task.done()]:
            self.readings.remove(reading)
            if reading.task.cancelled():
                continue
            error = reading.task.exception()
            if error is not None:
                assert isinstance(error, ConnectionError)
                assert self.has_failed
                continue
            value = reading.task.result()
            floor = reading.hard_floor if self.has_failed else reading.floor
            assert value is None or value >= floor, (reading.key, value, floor)

    def check_store(self) -> None:
        """Look at what a node that begins now would find in the second level."""
        found = self.loop.run_until_complete(
            self.store.read([Wanted(key, (f"static {key}",)) for key in KEYS])
        )
        for key, entry in zip(KEYS, found.entries, strict=True):
            if entry is not None:
                promised = self.promised[entry.expired][key]
                assert MsgpackCodec().decode(entry.payload) >= promised, (key, entry, promised)

    def fetcher(self, node: Node, key: str) -> Callable[[FetchContext[int]], Awaitable[int]]:
        """Return a function that asks what is true now, and tells it later."""
        this = key, self.events

        async def fetch(context: FetchContext[int]) -> int:
            assert this not in node.fetching, "fetched twice, and nothing has changed meanwhile"
            node.fetching.append(this)
            value, failing = self.truth[key], self.failing
            held = asyncio.Event()
            self.held.append(held)
            try:
                await held.wait()
            finally:
                node.fetching.remove(this)
                if held in self.held:
                    self.held.remove(held)
            if failing:
                raise ConnectionError("the origin is down")
            context.tags |= {f"dynamic {key}", "common"}
            return value

        return fetch

    @rule(node=NODES, key=OFTEN_A, fetches=st.sampled_from([True, True, False]))
    def read(self, node: int, key: str, *, fetches: bool) -> None:
        """Begin to read."""
        at = self.nodes[node]
        fetch: Any = self.fetcher(at, key) if fetches else None
        floor, hard_floor = at.floors[key], at.hard_floors[key]

        async def call() -> Any:
            return await at.cache.get(key, fetch, tags=[f"static {key}"])

        task = self.do(call)
        self.readings.append(Reading(key, floor, hard_floor, task))
        self.check()

    @rule(node=NODES)
    def read_many(self, node: int) -> None:
        """Begin to read all keys at once."""
        at = self.nodes[node]
        floors, hard_floors = dict(at.floors), dict(at.hard_floors)
        held = asyncio.Event()

        async def fetch(keys: list[str]) -> dict[str, int]:
            values, failing = {key: self.truth[key] for key in keys}, self.failing
            self.held.append(held)
            await held.wait()
            if failing:
                raise ConnectionError("the origin is down")
            return values

        def tags_of(key: str, _value: int) -> list[str]:
            return [f"static {key}", f"dynamic {key}", "common"]

        async def call() -> dict[str, int]:
            return await at.cache.get_many(KEYS, fetch, tags_of=tags_of)

        async def part(task: "asyncio.Future[dict[str, int]]", key: str) -> int:
            return (await asyncio.shield(task))[key]

        self.events += 1
        task = self.do(call)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        self.readings += [
            Reading(key, floors[key], hard_floors[key], self.loop.create_task(part(task, key)))
            for key in KEYS
        ]
        self.do()

    @rule(node=NODES, key=OFTEN_A, how=st.sampled_from(CHANGES))
    def change(self, node: int, key: str, how: str) -> None:
        """Change what is true, and begin to tell a cache."""
        at = self.nodes[node]
        keys = KEYS if how in {"common tag", "clear"} else (key,)
        self.counter += 1
        number = self.counter
        self.events += 1
        for each in keys:
            self.truth[each] = number
        # A `set` that is not acknowledged yet may still come after this, with what it was given.
        self.sets = [each for each in self.sets if not each[2].done()]
        promise = {
            each: min([number, *(given for key, given, _ in self.sets if key == each)])
            for each in keys
        }
        hard: Floors = {} if how == "expired tag" else promise
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "static tag": lambda: at.cache.invalidate_by_tag(f"static {key}"),
            "dynamic tag": lambda: at.cache.invalidate_by_tag(f"dynamic {key}", f"static {key}"),
            "common tag": lambda: at.cache.invalidate_by_tag(
                "common", *(f"static {k}" for k in KEYS)
            ),
            "expired tag": lambda: at.cache.expire_by_tag(f"static {key}"),
            "delete": lambda: at.cache.delete(key),
            "clear": at.cache.clear,
            "set": lambda: at.cache.set(key, number, [f"static {key}", f"dynamic {key}", "common"]),
        }

        async def call() -> None:
            await calls[how]()
            self.events += 1
            raise_to(at.floors, promise)
            raise_to(at.hard_floors, hard)
            raise_to(self.promised[0], promise)
            raise_to(self.promised[1], hard)

        task = self.do(call)
        self.changes.append(task)
        if how == "set":
            self.sets.append((key, number, task))

    @precondition(lambda self: any(node.doors.waiting for node in self.nodes))
    @rule(data=st.data())
    def let_a_trip_go_on(self, data: st.DataObject) -> None:
        """Let one of the trips begin, or come back."""
        node = data.draw(st.sampled_from([node for node in self.nodes if node.doors.waiting]))
        _, event = node.doors.waiting.pop(data.draw(st.integers(0, len(node.doors.waiting) - 1)))
        event.set()
        self.do()

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def let_a_fetch_end(self, data: st.DataObject) -> None:
        """Let one of the functions return."""
        self.held.pop(data.draw(st.integers(0, len(self.held) - 1))).set()
        self.do()

    @precondition(lambda self: self.held or any(node.doors.waiting for node in self.nodes))
    @rule()
    def let_all_go_on(self) -> None:
        """Let whatever waits go on, but not what waits after that."""
        self.go_on()

    @rule(node=NODES, key=OFTEN_A)
    def read_to_the_end(self, node: int, key: str) -> None:
        """Read, and let everything go on until that is done."""
        self.read(node, key, fetches=True)
        while self.go_on():
            pass

    @rule(node=NODES, key=OFTEN_A, how=st.sampled_from(CHANGES))
    def change_to_the_end(self, node: int, key: str, how: str) -> None:
        """Change what is true, and let everything go on until that is done."""
        self.change(node, key, how)
        while self.go_on():
            pass

    def go_on(self) -> bool:
        """Let whatever waits go on; return whether there was anything."""
        waiting = [event for node in self.nodes for _, event in node.doors.waiting] + self.held
        for node in self.nodes:
            node.doors.waiting.clear()
        self.held.clear()
        for event in waiting:
            event.set()
        self.do()
        return bool(waiting)

    @precondition(lambda self: self.readings or self.changes)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """Cancel a call."""
        tasks = [each.task for each in self.readings] + self.changes
        self.events += 1
        data.draw(st.sampled_from(tasks)).cancel()
        self.do()

    @precondition(lambda self: any(node.plane.inbox for node in self.nodes))
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        """Let a message arrive."""
        node = data.draw(st.sampled_from([node for node in self.nodes if node.plane.inbox]))
        self.events += 1
        node.plane.deliver()
        if not node.plane.inbox:
            # All that was acknowledged has arrived.
            raise_to(node.floors, self.promised[0])
            raise_to(node.hard_floors, self.promised[1])
        self.do()

    @rule(node=NODES)
    def cut_or_mend(self, node: int) -> None:
        """Lose the connection of a node, or restore it."""
        at = self.nodes[node]
        self.events += 1
        if at.plane.connected:
            at.plane.cut()
        else:
            at.plane.mend()
        raise_to(at.floors, self.promised[0])
        raise_to(at.hard_floors, self.promised[1])
        self.do()

    @rule(seconds=st.sampled_from([1, 7, 15, 50]))
    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.events += 1
        self.clock.now += seconds
        self.loop.run_until_complete(asyncio.sleep(seconds))
        self.do()

    @precondition(lambda self: self.fails)
    @rule()
    def fail_or_work(self) -> None:
        """Let functions fail, or work again."""
        self.events += 1
        self.failing = not self.failing
        self.has_failed = True

    def teardown(self) -> None:
        """Let everything go on until all is done, and nothing is left."""
        if not hasattr(self, "loop"):
            return
        try:
            self.finish()
        finally:
            self.loop.close()

    def finish(self) -> None:
        """Let everything go on until all is done."""
        while self.go_on():
            pass
        assert not self.readings
        assert all(change.done() for change in self.changes)
        for node in self.nodes:
            assert node.cache.stats().under_way == 0
            closing = self.do(node.cache.close)
            while self.go_on():  # what the store was not told of yet
                pass
            assert closing.done()
            node.cache._parts.first.fresh.validate()
            node.cache._parts.first.old.validate()


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    phases=[Phase.reuse, Phase.generate, Phase.shrink],  # explaining takes minutes
)

"""The native cache does what its reference does: same answers, same counts, same order."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from meshaccel.cache import MISS, TagCache
from meshaccel.reference import cache as reference

KEYS = st.sampled_from([f"key{n}" for n in range(9)])
TAGS = st.lists(st.sampled_from("uvwxyz"), max_size=4)
# Clocks move by whole seconds. The wheel finds out within 16 ms, a reference at once.
SPANS = st.none() | st.sampled_from([0.5, 1.5, 7.5, 100.5, 100_000.5, 1e12])


class CacheMachine(RuleBasedStateMachine):
    """Random use of both caches side by side."""

    @initialize(
        max_entries=st.integers(0, 12),
        max_bytes=st.none() | st.integers(0, 60),
        ttl=SPANS,
        idle_ttl=SPANS,
        jitter=st.sampled_from([0.0, 0.001]),
    )
    def start(self, **options: Any) -> None:
        """Make both caches alike."""
        self.now = 0.0
        self.counter = 0
        self.flights: list[tuple[Any, Any]] = []
        clock = lambda: self.now  # noqa: E731 - reads what the rules set
        self.native: Any = TagCache(**options, clock=clock, seed=3)
        self.twin: Any = reference.TagCache(**options, clock=clock, seed=3)

    def both(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call both caches; they agree."""
        answers = [getattr(c, method)(*arguments, **options) for c in (self.native, self.twin)]
        assert answers[0] == answers[1]
        return answers[0]

    @rule(key=KEYS, tags=TAGS, ttl=SPANS, idle_ttl=SPANS, size=st.integers(0, 30))
    def store(self, key: str, tags: list[str], **options: Any) -> None:
        """Store without a flight."""
        self.counter += 1
        self.both("set", key, self.counter, tags, **options)

    @rule(keys=st.lists(KEYS, max_size=30))
    def fill(self, keys: list[str]) -> None:
        """Use the cache as most do."""
        for key in keys:
            if self.both("get", key, MISS) is MISS:
                self.both("set", key, key, [key[-1]], size=4)

    @rule()
    def take_off(self) -> None:
        """Begin a flight in both."""
        self.flights.append((self.native.flight(), self.twin.flight()))

    @precondition(lambda self: self.flights)
    @rule(data=st.data(), key=KEYS, tags=TAGS)
    def land(self, data: st.DataObject, key: str, tags: list[str]) -> None:
        """Store in a flight, under way or not."""
        native, twin = data.draw(st.sampled_from(self.flights))
        assert native.epoch == twin.epoch
        assert native.outlived(tags) == twin.outlived(tags)
        self.counter += 1
        answers = [
            cache.set(key, self.counter, tags, since=flight, size=5)
            for cache, flight in ((self.native, native), (self.twin, twin))
        ]
        assert answers[0] == answers[1]

    @precondition(lambda self: self.flights)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        """End a flight, maybe again."""
        for flight in data.draw(st.sampled_from(self.flights)):
            flight.end()

    @rule(keys=st.lists(KEYS, max_size=5))
    def read_many(self, keys: list[str]) -> None:
        """Read several keys at once."""
        self.both("get_many", keys, MISS)

    @rule(key=KEYS)
    def look(self, key: str) -> None:
        """Look without using."""
        self.both("__contains__", key)
        self.both("ttl", key)

    @rule(key=KEYS, ttl=SPANS, idle_ttl=SPANS)
    def touch(self, key: str, **options: Any) -> None:
        """Give a new lifetime."""
        self.both("touch", key, **options)

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        """Drop one entry."""
        self.both("delete", key)

    @rule(tags=TAGS)
    def invalidate(self, tags: list[str]) -> None:
        """Drop by tags."""
        before = len(self.native)
        assert self.both("invalidate_by_tag", *tags) == before - len(self.native)

    @rule()
    def sweep(self) -> None:
        """Drop what has expired."""
        self.both("sweep")

    @rule()
    def clear(self) -> None:
        """Drop everything."""
        self.both("clear")

    @rule(seconds=st.sampled_from([1, 2, 10, 1000, 1_000_000]))
    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.now += seconds

    @invariant()
    def same_entries_in_the_same_order(self) -> None:
        """They hold the same, would evict the same, and have counted the same."""
        if hasattr(self, "native"):
            self.native.validate()
            self.twin.validate()
            self.both("keys")
            self.both("__len__")
            self.both("stats")
            for tag in "uvwxyz":
                native, twin = self.native.keys_by_tag(tag), self.twin.keys_by_tag(tag)
                assert sorted(native) == sorted(twin)
            assert self.native.epoch == self.twin.epoch


TestCaches = CacheMachine.TestCase
TestCaches.settings = settings(max_examples=150, stateful_step_count=60)

"""The tag cache holds what a naive one holds, and its tag index never more than its entries."""

from contextlib import ExitStack

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from meshaccel.cache import Flight, TagCache

CAPACITY = 4
KEYS = st.sampled_from("abcdefg")
TAGS = st.lists(st.sampled_from("uvwxyz"), max_size=4)


def index_of(cache: TagCache[int]) -> dict[str, set[str]]:
    """Return the tag index that the entries call for."""
    index: dict[str, set[str]] = {}
    for key, (_, tags) in cache._entries.items():
        for tag in tags:
            index.setdefault(tag, set()).add(key)
    return index


def test_least_recently_used_leaves_first() -> None:
    cache = TagCache[int](2)
    cache.set("a", 1, ["t"])
    cache.set("b", 2, ["t"])
    assert cache.get("a") == 1
    cache.set("c", 3, ["t"])
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)
    assert cache._members == {"t": {"a", "c"}}


def test_overwriting_counts_as_use_and_drops_old_tags() -> None:
    cache = TagCache[int](2)
    cache.set("a", 1, ["old"])
    cache.set("b", 2, [])
    cache.set("a", 3, ["new"])
    cache.set("c", 4, [])
    assert (cache.get("a"), cache.get("b")) == (3, None)
    assert cache.invalidate_by_tag("old") == 0
    assert cache.invalidate_by_tag("new", "new", "unknown") == 1
    assert cache.get("a") is None


def test_tag_given_twice_is_one_tag() -> None:
    cache = TagCache[int](2)
    cache.set("a", 1, ["t", "t"])
    assert cache.invalidate_by_tag("t") == 1
    assert cache._members == {}


def test_entry_with_several_tags_is_dropped_once() -> None:
    cache = TagCache[int](2)
    cache.set("a", 1, ["t", "u"])
    assert cache.invalidate_by_tag("t", "u") == 1
    assert len(cache) == 0


@pytest.mark.parametrize("tags", [[], ["t"]])
def test_flight_is_outlived_by_clear(tags: list[str]) -> None:
    cache = TagCache[int](2)
    with cache.flight() as flight:
        cache.clear()
        assert not cache.set("a", 1, tags, since=flight)
    assert cache.get("a") is None
    with cache.flight() as flight:
        assert cache.set("a", 1, tags, since=flight)


def test_flight_that_fails_is_over() -> None:
    cache = TagCache[int](2)
    with pytest.raises(LookupError), cache.flight():
        raise LookupError
    assert not cache._flights


def test_cache_without_room_keeps_nothing() -> None:
    cache = TagCache[int](0)
    cache.set("a", 1, ["t"])
    assert (len(cache), cache._members) == (0, {})


class TagCacheMachine(RuleBasedStateMachine):
    """Random use of a cache beside a list of entries, least recently used first."""

    flights: Bundle[tuple[Flight, set[str]]] = Bundle("flights")

    def __init__(self) -> None:
        super().__init__()
        self.cache = TagCache[int](CAPACITY)
        self.model: dict[str, tuple[int, frozenset[str]]] = {}
        self.open: list[tuple[Flight, set[str]]] = []
        self.contexts = ExitStack()
        self.counter = 0

    @rule(target=flights)
    def take_off(self) -> tuple[Flight, set[str]]:
        """Begin a flight that lasts to the end; its set says what changed meanwhile."""
        flight = (self.contexts.enter_context(self.cache.flight()), set[str]())
        self.open.append(flight)
        return flight

    @rule(key=KEYS, tags=TAGS)
    def store(self, key: str, tags: list[str]) -> None:
        """Store without a flight."""
        self.counter += 1
        assert self.cache.set(key, self.counter, tags)
        self._keep(key, tags)

    @rule(key=KEYS, tags=TAGS, flight=flights)
    def land(self, key: str, tags: list[str], flight: tuple[Flight, set[str]]) -> None:
        """Store what was computed in a flight."""
        self.counter += 1
        fresh = "*" not in flight[1] and not flight[1] & set(tags)
        assert self.cache.set(key, self.counter, tags, since=flight[0]) == fresh
        if fresh:
            self._keep(key, tags)

    @rule(key=KEYS)
    def get(self, key: str) -> None:
        """Read, and make the entry the most recently used."""
        value = self.cache.get(key)
        assert value == (self.model[key][0] if key in self.model else None)
        if key in self.model:
            self.model[key] = self.model.pop(key)

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        """Drop one entry."""
        assert self.cache.delete(key) == (self.model.pop(key, None) is not None)

    @rule(tags=TAGS)
    def invalidate(self, tags: list[str]) -> None:
        """Drop by tags."""
        hit = [key for key, entry in self.model.items() if entry[1] & set(tags)]
        assert self.cache.invalidate_by_tag(*tags) == len(hit)
        for key in hit:
            del self.model[key]
        for _, changed in self.open:
            changed.update(tags)

    @rule()
    def clear(self) -> None:
        """Drop everything."""
        self.cache.clear()
        self.model.clear()
        for _, changed in self.open:
            changed.add("*")

    @invariant()
    def same_entries_in_the_same_order(self) -> None:
        """The cache holds what the model holds."""
        assert [(key, entry[0]) for key, entry in self.cache._entries.items()] == [
            (key, entry[0]) for key, entry in self.model.items()
        ]
        assert len(self.cache) == len(self.model) <= CAPACITY

    @invariant()
    def index_is_exact(self) -> None:
        """Every tag of every entry is indexed, and nothing else."""
        assert self.cache._members == index_of(self.cache)

    def teardown(self) -> None:
        """End all flights."""
        self.contexts.close()
        assert not self.cache._flights

    def _keep(self, key: str, tags: list[str]) -> None:
        self.model.pop(key, None)
        self.model[key] = (self.counter, frozenset(tags))
        if len(self.model) > CAPACITY:
            del self.model[next(iter(self.model))]


TestTagCache = TagCacheMachine.TestCase
TestTagCache.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)

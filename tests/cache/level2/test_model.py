"""Random use of each store, beside a sequential model of what a second level is."""

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    multiple,
    rule,
    run_state_machine_as_test,
)
from tests.cache.level2.stores import RedisStore, SqliteStore, Store
from tests.cache.level2.support import entry, present
from tests.valkey import Valkey

from meshaccel.cache.level2 import UNKNOWN, Level2, StoredEntry, Version, Wanted

KEYS = st.sampled_from(["k", "\udc80"])
TAGS = st.lists(st.sampled_from(["a", "b", "\udc80"]), max_size=2).map(tuple)
SPANS = st.sampled_from([float("inf"), float("inf"), 300.0, 100.0, -1.0])


@dataclass
class Model:
    """What is remembered, for ever."""

    number: int = 0
    invalidated: dict[str, int] = field(default_factory=dict)
    expired: dict[str, int] = field(default_factory=dict)
    gone: dict[str, int] = field(default_factory=dict)
    floor: int = 0
    entries: dict[str, StoredEntry] = field(default_factory=dict)

    def find(self, key: str, tags: tuple[str, ...], now: float) -> StoredEntry | None:
        """Return what counts."""
        found = self.entries.get(key)
        if found is None or found.kept_until <= now or found.version.number < self.floor:
            return None
        known = {*tags, *found.tags}
        number = found.version.number
        if any(self.invalidated.get(tag, 0) > number for tag in known):
            return None
        expired = any(self.expired.get(tag, 0) > number for tag in known)
        return StoredEntry(
            payload=found.payload,
            tags=found.tags,
            version=found.version,
            fresh_until=found.fresh_until,
            kept_until=found.kept_until,
            expired=expired,
        )

    def refuses(self, key: str, entry: StoredEntry) -> bool:
        """Whether it would be stale at once."""
        number = entry.version.number
        return (
            number < self.floor
            or self.gone.get(key, 0) > number
            or any(self.invalidated.get(tag, 0) > number for tag in entry.tags)
        )


class Level2Machine(RuleBasedStateMachine):
    """A store and the model, side by side; reads and writes by two clients."""

    store_for: ClassVar[Any]
    versions = Bundle("versions")

    @initialize(target=versions)
    def start(self) -> Version:
        """Open it twice."""
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.store: Store = self.store_for(Path(self.folder.name))
        self.nodes: list[Level2] = [self.run(self.store.open()) for _ in range(2)]
        self.model = Model()
        self.payloads = 0
        now: Version = self.run(present(self.nodes[0]))
        self.incarnation = now.incarnation
        return now

    def run(self, call: Any) -> Any:
        """Run a coroutine."""
        return self.runner.run(call)

    def took(self, version: Version) -> Version:
        """Check that a change took the next number."""
        self.model.number += 1
        assert version == Version(self.incarnation, self.model.number)
        return version

    def made(self, version: Version, tags: tuple[str, ...], span: float) -> StoredEntry:
        """An entry like no other."""
        self.payloads += 1
        payload = b"%d" % self.payloads
        return entry(payload, version, *tags, kept_until=self.store.clock.now + span)

    @rule(node=st.integers(0, 1), key=KEYS, tags=TAGS, span=SPANS, since=st.none() | versions)
    def write(
        self, node: int, key: str, tags: tuple[str, ...], span: float, since: Version | None
    ) -> None:
        """What was computed just now, or at some time before."""
        version = since or Version(self.incarnation, self.model.number)
        new = self.made(version, tags, span)
        stored = self.run(self.nodes[node].write(key, new))
        there = self.model.entries.get(key)
        if self.model.refuses(key, new):
            assert not stored or span < 0
            return
        if there is not None and there.version.number > version.number:
            # One that no longer counts may have been removed, or not.
            if span > 0 and self.model.find(key, (), self.store.clock.now) is not None:
                assert not stored
            if not stored or span < 0:
                return
        assert stored
        if span > 0:
            self.model.entries[key] = new

    @rule(target=versions, node=st.integers(0, 1), key=KEYS, tags=TAGS, span=SPANS)
    def put(self, node: int, key: str, tags: tuple[str, ...], span: float) -> Version:
        """The newest."""
        new = self.made(UNKNOWN, tags, span)
        version = self.took(self.run(self.nodes[node].put(key, new)))
        self.model.gone[key] = version.number
        self.model.entries[key] = StoredEntry(
            payload=new.payload,
            tags=tags,
            version=version,
            fresh_until=new.fresh_until,
            kept_until=new.kept_until,
        )
        return version

    @rule(target=versions, node=st.integers(0, 1), keys=st.lists(KEYS, max_size=2))
    def delete(self, node: int, keys: list[str]) -> Version:
        """Forget keys."""
        version = self.took(self.run(self.nodes[node].delete(keys)))
        for key in keys:
            self.model.entries.pop(key, None)
            self.model.gone[key] = version.number
        return version

    @rule(target=versions, node=st.integers(0, 1), tags=TAGS)
    def invalidate(self, node: int, tags: tuple[str, ...]) -> Version:
        """By tag."""
        version = self.took(self.run(self.nodes[node].invalidate(tags)))
        self.model.invalidated.update(dict.fromkeys(tags, version.number))
        return version

    @rule(target=versions, node=st.integers(0, 1), tags=TAGS)
    def expire(self, node: int, tags: tuple[str, ...]) -> Version:
        """By tag."""
        version = self.took(self.run(self.nodes[node].expire(tags)))
        self.model.expired.update(dict.fromkeys(tags, version.number))
        return version

    @rule(target=versions, node=st.integers(0, 1), seldom=st.integers(0, 5))
    def clear(self, node: int, seldom: int) -> Any:
        """All."""
        if seldom:
            return multiple()
        version = self.took(self.run(self.nodes[node].clear()))
        self.model.floor = version.number
        return version

    @rule(seconds=st.sampled_from([1.0, 150.0]))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.store.clock.now += seconds

    @rule(
        target=versions,
        node=st.integers(0, 1),
        wanted=st.lists(st.tuples(KEYS, st.just(()) | TAGS), min_size=1, max_size=3),
    )
    def read(self, node: int, wanted: list[tuple[str, tuple[str, ...]]]) -> Version:
        """Several keys, with tags of the reader's."""
        reading = self.run(self.nodes[node].read([Wanted(*one) for one in wanted]))
        assert reading.version == Version(self.incarnation, self.model.number)
        now = self.store.clock.now
        assert list(reading.entries) == [self.model.find(*one, now) for one in wanted]
        version: Version = reading.version
        return version

    def teardown(self) -> None:
        """Close both."""
        for node in self.nodes:
            self.run(node.close())
        self.runner.close()
        self.folder.cleanup()


QUICK = settings(
    deadline=None,
    max_examples=80,
    stateful_step_count=40,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_stores_do_what_the_model_does(kind: str, valkey_server: Valkey) -> None:
    class Machine(Level2Machine):
        @staticmethod
        def store_for(folder: Path) -> Store:
            if kind == "sqlite":
                return SqliteStore(folder / "l2.db", max_notes=100_000)
            return RedisStore(valkey_server, max_notes=100_000)

    run_state_machine_as_test(Machine, settings=QUICK)

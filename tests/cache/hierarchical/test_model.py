"""One call at a time, the cache answers as its reference does; on one level and on two."""

import asyncio
from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from tests.cache.hierarchical.support import FakeClock, MemoryL2, idle

from meshaccel.cache import CachePolicy, HierarchicalCache, TagCache
from meshaccel.reference import hierarchical_cache as reference

TAGS_OF = {"a": ["x"], "b": ["x", "y"], "c": ["z"], "d": []}
KEYS = st.sampled_from(sorted(TAGS_OF))
TAGS = st.lists(st.sampled_from("xyz"), max_size=2)
SPANS = st.sampled_from([0.0, 5.25, 20.25])


class CacheMachine(RuleBasedStateMachine):
    """Random use of a cache and its reference."""

    @initialize(
        with_l2=st.booleans(),
        stale=SPANS,
        fail_safe=SPANS,
        negative=SPANS,
        eager=st.sampled_from([None, 0.5]),
    )
    def start(
        self, *, with_l2: bool, stale: float, fail_safe: float, negative: float, eager: float | None
    ) -> None:
        """Make both alike."""
        self.clock = FakeClock()
        self.loop = asyncio.new_event_loop()
        self.counter = 0
        self.failing = False
        policy = CachePolicy(
            ttl=10.125,
            stale_while_revalidate=stale,
            fail_safe=fail_safe,
            negative_ttl=negative,
            retry_after=2.5,
            eager=eager,
            negative=(LookupError,),
        )
        l2 = MemoryL2(self.clock) if with_l2 else None
        l1 = TagCache[Any](1000, clock=self.clock.monotonic)
        self.cache = HierarchicalCache[Any](l1, l2, policy=policy, clock=self.clock)
        self.twin = reference.HierarchicalCache[Any](policy, self.clock.monotonic)

    def teardown(self) -> None:
        """Nothing is left to be done."""
        if hasattr(self, "loop"):
            assert self.cache.stats().under_way == 0
            self.loop.close()

    def run(self, operation: Callable[[], Any]) -> Any:
        """Return what a call returns or raises, when all it started has been done."""

        async def run() -> Any:
            try:
                return await operation()
            except (LookupError, OSError) as error:
                return str(error)
            finally:
                await idle()

        return self.loop.run_until_complete(run())

    def fetcher(self) -> Callable[[], Any]:
        """Return a function that fetches another value each time, or fails."""
        self.counter += 1
        answer, failing = self.counter, self.failing

        def fetch() -> int:
            if failing:
                raise (LookupError if answer % 2 else OSError)(f"error {answer}")
            return answer

        return fetch

    @rule(key=KEYS)
    def look(self, key: str) -> None:
        """Look without fetching."""
        assert self.run(lambda: self.cache.get(key)) == self.twin.get(key)

    @rule(key=KEYS)
    def read(self, key: str) -> None:
        """Read."""
        fetch, tags = self.fetcher(), TAGS_OF[key]
        try:
            expected = self.twin.get(key, fetch, tags)
        except (LookupError, OSError) as error:
            expected = str(error)
        assert self.run(lambda: self.cache.get(key, fetch, tags=tags)) == expected

    @rule(key=KEYS)
    def store(self, key: str) -> None:
        """Set."""
        self.counter += 1
        self.twin.set(key, self.counter, TAGS_OF[key])
        self.run(lambda: self.cache.set(key, self.counter, TAGS_OF[key]))

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        """Delete."""
        self.twin.delete(key)
        self.run(lambda: self.cache.delete(key))

    @rule(tags=TAGS)
    def invalidate(self, tags: list[str]) -> None:
        """Invalidate."""
        self.twin.invalidate_by_tag(*tags)
        self.run(lambda: self.cache.invalidate_by_tag(*tags))

    @rule(tags=TAGS)
    def expire(self, tags: list[str]) -> None:
        """Expire."""
        self.twin.expire_by_tag(*tags)
        self.run(lambda: self.cache.expire_by_tag(*tags))

    @rule()
    def clear(self) -> None:
        """Clear."""
        self.twin.clear()
        self.run(self.cache.clear)

    @rule(seconds=st.sampled_from([1, 3, 7, 15]))
    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.clock.now += seconds

    @rule()
    def fail_or_work(self) -> None:
        """Let functions fail, or work again."""
        self.failing = not self.failing


TestCache = CacheMachine.TestCase
TestCache.settings = settings(max_examples=150, stateful_step_count=40)

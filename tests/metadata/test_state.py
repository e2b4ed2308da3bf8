"""Any sequence of operations: the native pool and the reference stay in step."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from tests.metadata.test_properties import plain_of
from tests.metadata.values import exact, values

from meshaccel.errors import MetadataError
from meshaccel.metadata import MetadataPool
from meshaccel.reference import metadata as reference

LIMIT = 40


class Pools(RuleBasedStateMachine):
    """A pool and its model. Keys are pairs of theirs."""

    keys: Bundle[tuple[int, int]] = Bundle("keys")

    @initialize(bits=st.sampled_from([32, 4, 0]), limited=st.booleans())
    def start(self, bits: int, limited: bool) -> None:  # noqa: FBT001
        """Make both."""
        most = LIMIT if limited else None
        self.native = MetadataPool(max_nodes=most, max_string=100, hash_bits=bits)
        self.model = reference.MetadataPool(max_nodes=most, max_string=100)
        self.views: list[tuple[Any, str]] = []

    def both(self, act: str, native: tuple[Any, ...], model: tuple[Any, ...]) -> Any:
        """Do the same to both; return what they return, or None if both refuse alike."""
        try:
            expected = getattr(self.model, act)(*model)
        except MetadataError as error:
            with pytest.raises(type(error)):
                getattr(self.native, act)(*native)
            return None
        return getattr(self.native, act)(*native), expected

    @rule(target=keys, value=values)
    def intern(self, value: Any) -> Any:
        """Intern a value in both."""
        return self.both("intern", (value,), (value,)) or (0, -1)

    @rule(target=keys, key=keys, value=values)
    def reintern(self, key: tuple[int, int], value: Any) -> Any:
        """Let a value take the place of another one."""
        return self.both("reintern", (key[0], value), (key[1], value)) or (0, -1)

    @rule(key=keys)
    def release(self, key: tuple[int, int]) -> None:
        """Release a key, known or not."""
        self.both("release", (key[0],), (key[1],))

    @rule(key=keys)
    def get(self, key: tuple[int, int]) -> None:
        """Look at a value."""
        found = self.both("get", (key[0],), (key[1],))
        if found:
            native, expected = map(plain_of, found)
            assert exact(native) == exact(expected)

    @rule(key=keys)
    def intern_a_view(self, key: tuple[int, int]) -> None:
        """Intern a view within a list, and let it go."""
        found = self.both("get", (key[0],), (key[1],))
        if found:
            native, expected = self.both("intern", ([found[0]],), ([found[1]],)) or (0, -1)
            self.both("release", (native,), (expected,))

    @invariant()
    def they_agree(self) -> None:
        """They hold equally much."""
        stats = self.native.stats()
        got = (stats.values, stats.references, stats.nodes)
        assert got == (len(self.model), self.model.references(), self.model.nodes())


TestPools = Pools.TestCase
TestPools.settings = settings(max_examples=60, stateful_step_count=30)

"""A view within a value is the value it shows, and costs as little as a string."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.metadata.test_properties import HASH_BITS, plain_of
from tests.metadata.values import exact, values

from meshaccel.errors import MetadataDepthError, PoolFull
from meshaccel.metadata import MetadataPool
from meshaccel.reference import metadata as reference

DEEP = 200
"""Levels of two parts each: whoever reads all 2**200 of them does not come back."""


def embedding(value: Any, pool: Any, chance: random.Random, keys: list[int]) -> Any:
    """Return an equal value, some parts of which are views; their keys are appended."""
    if isinstance(value, dict):
        value = {key: embedding(item, pool, chance, keys) for key, item in value.items()}
    elif isinstance(value, list):
        value = [embedding(item, pool, chance, keys) for item in value]
    if chance.random() < 0.6:
        keys.append(pool.intern(value))
        return pool.get(keys[-1])
    return value


@pytest.mark.parametrize("bits", HASH_BITS)
@given(st.lists(values, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_views_are_what_they_show(bits: int, many: list[Any], chance: random.Random) -> None:
    pool, plain, model = MetadataPool(hash_bits=bits), MetadataPool(), reference.MetadataPool()
    keys: list[int] = []
    embedded = [embedding(value, pool, chance, keys) for value in many]
    digests = [pool.digest(value) for value in embedded]
    assert digests == [plain.digest(value) for value in many]
    held = [pool.intern({"value": value}) for value in embedded]
    for key, value in zip(held, many, strict=True):
        assert pool.intern({"value": value}) == key == pool.reintern(key, {"value": value})
        pool.release(key)
        assert exact(plain_of(pool.get(key))) == exact({"value": value})
        assert pool.get(key) == {"value": value}
    # All that views were made of goes before what they are in, or after it.
    del embedded
    chance.shuffle(keys)
    for key in keys:
        pool.release(key)
    for value in many:
        plain.intern({"value": value})
        model.intern({"value": value})
    stats, expected = pool.stats(), plain.stats()
    assert (stats.values, stats.references, stats.nodes) == (
        len(model),
        model.references(),
        model.nodes(),
    )
    assert (stats.bytes, stats.plain_bytes) == (expected.bytes, expected.plain_bytes)
    chance.shuffle(held)
    for key in held:
        pool.release(key)
    assert (pool.stats().nodes, pool.stats().bytes, pool.stats().plain_bytes) == (0, 0, 0)


@pytest.mark.parametrize("bits", HASH_BITS)
def test_what_is_in_a_value_many_times_is_not_read_many_times(bits: int) -> None:
    pool = MetadataPool(hash_bits=bits)
    view = pool.get(pool.intern({"text": "leaf", "number": 0.5}))
    keys = []
    for level in range(DEEP):
        parts = {"one": view, "other": [view], "level": level}
        keys.append(pool.intern(parts))
        assert pool.intern(dict(reversed(parts.items()))) == keys[-1]
        assert pool.reintern(keys[-1], parts) == keys[-1]
        view = pool.get(keys[-1])
        assert view == parts
        assert view != {**parts, "level": -1}
    assert view["other"][0] == view["one"]
    # A leaf of five nodes; a dict and a list for each level, and the three keys.
    assert pool.stats().nodes == 5 + 2 * DEEP + 3
    for key in keys:
        pool.release(key)
        pool.release(key)
    held = pool.stats()
    assert held.values == 1
    assert held.nodes == 5 + 2 * DEEP + 3


def test_a_view_keeps_what_was_put_around_it_only_as_long_as_it_is_there() -> None:
    pool = MetadataPool()
    inner = pool.get(pool.intern({"text": "leaf"}))
    page = pool.intern({"agents": [inner] * 1000, "first": inner})
    pool.release(page)
    assert pool.stats().nodes == 3
    page = pool.intern([inner, inner])
    view = pool.get(page)
    pool.release(page)
    del inner
    assert view == [{"text": "leaf"}, {"text": "leaf"}]
    assert view.to_json() == b'[{"text":"leaf"},{"text":"leaf"}]'


def test_views_of_another_pool_are_copied() -> None:
    here, there = MetadataPool(), MetadataPool()
    view = there.get(there.intern({"a": [1.5, "b"]}))
    key = here.intern([view, view])
    assert here.intern([{"a": [1.5, "b"]}] * 2) == key
    nodes = here.stats().nodes
    del view, there
    assert here.get(key) == [{"a": [1.5, "b"]}] * 2
    assert here.stats().nodes == nodes


@pytest.mark.parametrize("bits", HASH_BITS)
@given(st.lists(values, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_parts_that_are_one_object_are_what_copies_are(
    bits: int, parts: list[Any], chance: random.Random
) -> None:
    """Each level refers to those before it, so that all of them come again in many places."""
    shared: list[Any] = [*parts, list(range(20)), {str(number): number for number in range(20)}]
    for level in range(6):
        some = [chance.choice(shared) for _ in range(3)]
        shared.append(some if level % 2 else dict(zip("abc", some, strict=True)))
    value = [*shared, shared[-1]]
    pool = MetadataPool(hash_bits=bits)
    key = pool.intern(value)
    assert exact(plain_of(pool.get(key))) == exact(value)
    unshared = unfolded(value)
    assert pool.intern(unshared) == key == pool.reintern(key, value) == pool.reintern(key, unshared)
    assert pool.get(key) == value == pool.get(key)
    assert pool.get(key) != [*value[:-1], [shared[-1]]]
    assert pool.digest(value) == pool.get(key).digest()
    pool.release(key)
    pool.release(key)
    assert pool.stats().nodes == 0


def unfolded(value: Any) -> Any:
    """Return a copy of which no two parts are one object."""
    if isinstance(value, dict):
        return {key: unfolded(item) for key, item in value.items()}
    return [unfolded(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    "level", [lambda below: [below, below], lambda below: {"a": below, "b": below}]
)
def test_parts_that_are_one_object_are_read_once(level: Any) -> None:
    value: Any = ["leaf"]
    for _ in range(DEEP):
        value = level(value)
    pool = MetadataPool(max_nodes=DEEP + 10, max_bytes=100_000)
    key = pool.intern(value)
    assert pool.intern(value) == key == pool.reintern(key, value)
    view = pool.get(key)
    assert view == value
    assert view != level(value)
    full = MetadataPool(max_nodes=DEEP)
    with pytest.raises(PoolFull):
        full.intern(value)
    assert full.stats().nodes == 0


def test_depth_counts_wherever_a_part_comes_again() -> None:
    tall: Any = list(range(20))
    for _ in range(5):
        tall = [tall]
    pool = MetadataPool(max_depth=10)
    pool.intern([tall, [[[tall]]]])
    with pytest.raises(MetadataDepthError):
        pool.intern([tall, [[[[tall]]]]])
    again = [tall, tall]
    with pytest.raises(MetadataDepthError):
        pool.intern([again, [[[again]]]])
    pool.intern([again, [[again]]])

"""A view within a value is the value it shows, and costs as little as a string."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.metadata.test_properties import HASH_BITS, plain_of
from tests.metadata.values import exact, values

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

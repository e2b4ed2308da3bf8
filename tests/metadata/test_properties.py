"""The native pool does what the reference does, for any values, however they are spelt."""

import copy
import pickle
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.metadata.values import ODD, exact, json_values, respelt, values

from meshaccel.metadata import MetadataPool
from meshaccel.reference import metadata as reference

HASH_BITS = (32, 4, 0)
"""With few bits nearly all hashes collide, and every answer must stay right."""


@pytest.mark.parametrize("bits", HASH_BITS)
@given(st.lists(values, max_size=8))
@example([list(ODD), {str(index): value for index, value in enumerate(ODD)}, *ODD])
def test_equal_values_and_only_they_have_equal_keys(bits: int, many: list[Any]) -> None:
    pool = MetadataPool(hash_bits=bits)
    model = reference.MetadataPool()
    keys = [pool.intern(value) for value in many]
    expected = [model.intern(value) for value in many]
    for key, same in zip(keys, expected, strict=True):
        assert [other == key for other in keys] == [other == same for other in expected]
    stats = pool.stats()
    assert (stats.values, stats.references, stats.nodes) == (
        len(model),
        model.references(),
        model.nodes(),
    )
    for key in keys:
        pool.release(key)
    stats = pool.stats()
    assert (stats.values, stats.nodes, stats.bytes, stats.plain_bytes) == (0, 0, 0, 0)


@pytest.mark.parametrize("bits", HASH_BITS)
@given(values, st.integers())
def test_spelling_makes_no_difference(bits: int, value: Any, seed: int) -> None:
    pool = MetadataPool(hash_bits=bits)
    other = respelt(value, seed)
    key = pool.intern(value)
    assert pool.intern(other) == key
    assert pool.reintern(key, other) == key
    assert pool.digest(other) == pool.digest(value)
    assert pool.stats().references == 2


@given(values)
def test_what_comes_out_is_what_went_in(value: Any) -> None:
    pool = MetadataPool()
    view = pool.get(pool.intern(value))
    plain = plain_of(view)
    assert exact(plain) == exact(value)
    assert exact(plain_of(pickle.loads(pickle.dumps(view)))) == exact(value)  # noqa: S301
    assert pool.digest(view) == pool.digest(value)


def plain_of(view: Any) -> Any:
    """The value that was interned."""
    for name in ("to_dict", "to_list"):
        if hasattr(view, name):
            return getattr(view, name)()
    return view


@given(st.dictionaries(st.text(), values))
def test_keys_keep_the_order_of_the_first_dict(value: dict[str, Any]) -> None:
    pool = MetadataPool()
    backwards = dict(reversed(list(value.items())))
    view = pool.get(pool.intern(value))
    assert pool.get(pool.intern(backwards)) is not None
    assert list(view) == list(value) == list(view.to_dict())


@given(values)
def test_nothing_is_shared_with_the_caller(value: Any) -> None:
    pool = MetadataPool()
    given_, before = copy.deepcopy(value), exact(value)
    key = pool.intern(given_)
    wreck(given_)
    first = plain_of(pool.get(key))
    assert exact(first) == before
    wreck(first)
    assert exact(plain_of(pool.get(key))) == before


def wreck(value: Any) -> None:
    """Change every list and dict within a value."""
    if isinstance(value, dict):
        for item in value.values():
            wreck(item)
        value.clear()
        value["wrecked"] = True
    elif isinstance(value, list):
        for item in value:
            wreck(item)
        value[:] = ["wrecked"]


@given(values, values)
def test_views_compare_and_hash_as_the_pool_does(one: Any, two: Any) -> None:
    native, other, model = MetadataPool(), MetadataPool(), reference.MetadataPool()
    equal = model.intern(one) == model.intern(two)
    first, second = native.get(native.intern([one])), native.get(native.intern([two]))
    foreign = other.get(other.intern([two]))
    assert (first == second) == (first == [two]) == ([two] == first) == (first == foreign) == equal
    assert (two in first) == equal
    if equal:
        assert hash(first) == hash(second) == hash(foreign)
        assert len({first, second, foreign}) == 1


@settings(max_examples=300)
@given(values)
def test_digests_are_those_of_the_reference(value: Any) -> None:
    model, pool = reference.MetadataPool(), MetadataPool()
    expected = (model.digest(value), model.digest(value, "sha256"))
    assert (pool.digest(value), pool.digest(value, "sha256")) == expected
    view = pool.get(pool.intern({"": value}))
    assert view.digest() == model.digest({"": value})
    assert view.digest("sha256") == model.digest({"": value}, "sha256")


@pytest.mark.parametrize("bits", HASH_BITS)
@given(st.lists(json_values, max_size=5))
def test_json_is_interned_as_what_it_says(bits: int, many: list[Any]) -> None:
    import json  # noqa: PLC0415

    pool = MetadataPool(hash_bits=bits)
    for value in many * 2:
        text = json.dumps(value)
        key = pool.intern_json(text)
        assert key == pool.intern_json(text.encode()) == pool.intern(json.loads(text))
        assert exact(json.loads(pool.get(pool.intern({"v": value})).to_json())) == exact(
            {"v": value}
        )

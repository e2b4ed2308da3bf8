"""What a pool refuses it refuses with a word on why, and nothing has changed."""

import pickle
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.metadata.values import NAN

from meshaccel.errors import (
    InvalidMetadataJsonError,
    MetadataDepthError,
    MetadataError,
    MetadataTypeError,
    NoJsonFormError,
    PoolFull,
    UnknownMetadataKeyError,
)
from meshaccel.metadata import MetadataPool
from meshaccel.reference import metadata as reference

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "path", "words"),
    [
        ({1: 2}, (), "at the top: a dict has a key of type int"),
        ({"a": [{}, {None: 1}]}, ("a", 1), "at ['a'][1]: a dict has a key of type NoneType"),
        ({"a": [b"x"]}, ("a", 0), "at ['a'][0]: bytes"),
        ({"a": {"b": NOW}}, ("a", "b"), "datetime"),
        ([{1, 2}], (0,), "set"),
        (object(), (), "object"),
    ],
)
def test_types_that_have_no_place(value: object, path: tuple[object, ...], words: str) -> None:
    pool = MetadataPool()
    kept = pool.intern({"kept": [1.5]})
    before = pool.stats()
    acts: list[Callable[[object], object]] = [
        pool.intern,
        pool.digest,
        lambda value: pool.reintern(kept, value),
    ]
    for act in acts:
        with pytest.raises(MetadataTypeError) as caught:
            act(value)
        assert caught.value.path == path
        assert words in str(caught.value)
        assert isinstance(caught.value, TypeError)
        again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301
        assert str(again) == str(caught.value)
    assert pool.stats() == before


def test_strict_pools_take_no_tuples() -> None:
    with pytest.raises(MetadataTypeError, match=r"\['a'\]: tuple"):
        MetadataPool(strict=True).intern({"a": (1, 2)})
    pool = MetadataPool()
    assert pool.intern((1, (2,))) == pool.intern([1, [2]])


def nested(depth: int) -> Any:
    value: Any = 0.5
    for level in range(depth):
        value = [value] if level % 2 else {"deeper": value}
    return value


def test_depth_is_limited() -> None:
    pool = MetadataPool()
    assert pool.get(pool.intern(nested(1000))).digest() == pool.digest(nested(1000))
    before = pool.stats()
    for value in (nested(1001), nested(1_000_000)):
        with pytest.raises(MetadataDepthError, match="deeper than 1000"):
            pool.intern(value)
        with pytest.raises(RecursionError):
            pool.digest(value)
    assert pool.stats() == before


def test_depth_that_is_allowed_needs_no_stack() -> None:
    """In a thread with the smallest stack, 100,000 levels go in, out, and away."""
    depth = 100_000
    failed: list[BaseException] = []

    def live() -> None:
        try:
            pool = MetadataPool(max_depth=depth)
            value = nested(depth)
            key = pool.intern(value)
            assert pool.reintern(key, value) == key
            view = pool.get(key)
            assert view == value
            assert len(view.to_json()) > depth
            assert pickle.loads(pickle.dumps(view)) == view  # noqa: S301
            assert view.digest() == pool.digest(value)
            view.to_list()
            pool.release(key)
            del view
            assert pool.stats().nodes == 0
        except BaseException as error:  # noqa: BLE001 (reported below)
            failed.append(error)

    before = threading.stack_size(256 * 1024)
    thread = threading.Thread(target=live)
    thread.start()
    thread.join()
    threading.stack_size(before)
    assert not failed, failed


def test_a_cycle_is_too_deep() -> None:
    pool = MetadataPool()
    loop: list[Any] = [1]
    loop.append({"self": loop})
    with pytest.raises(MetadataDepthError):
        pool.intern(loop)
    assert pool.stats().nodes == 0
    assert pool.get(pool.intern([1])) != loop


@pytest.mark.parametrize(
    ("limits", "value", "limit"),
    [
        ({"max_nodes": 10}, {"a": list("bcdefghijkl")}, "max_nodes"),
        ({"max_bytes": 1000}, {"a": ["x" * 5000]}, "max_bytes"),
        ({"max_bytes": 1500}, {"a": [[n / 7] for n in range(100)]}, "max_bytes"),
        ({"max_bytes": 1000}, {str(n): None for n in range(40)}, "max_bytes"),
        ({"max_string": 10}, {"a": ["1234567890", "12345678901"]}, "max_string"),
        ({"max_string": 10}, {"12345678901": 1}, "max_string"),
        ({"max_string": 10}, 2**100, "max_string"),
    ],
)
def test_a_full_pool_is_what_it_was(limits: dict[str, Any], value: Any, limit: str) -> None:
    pool = MetadataPool(**limits)
    kept = pool.intern({"kept": ["1", 2.5]})
    before = pool.stats()
    for act in (pool.intern, lambda value: pool.reintern(kept, value)):
        with pytest.raises(PoolFull, match=limit) as caught:
            act(value)
        assert (caught.value.limit, caught.value.allowed) == (limit, limits[limit])
    assert pool.stats() == before
    assert pool.intern({"kept": ["1", 2.5]}) == kept
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301
    assert str(again) == str(caught.value)


def test_a_pool_holds_as_much_as_it_says() -> None:
    pool = MetadataPool(max_bytes=100_000, memo_bytes=0)

    def flood() -> None:
        for number in range(10_000):
            pool.intern({"number": number / 7})

    with pytest.raises(PoolFull):
        flood()
    assert 99_000 < pool.stats().bytes <= 100_000


def test_keys_of_nothing() -> None:
    pool, other = MetadataPool(), MetadataPool()
    key = pool.intern({"a": 1})
    pool.intern({"a": 1})
    pool.release(key)
    pool.release(key)
    foreign = other.intern({"a": 1})
    for unknown in (key, foreign, 0, -1, 2**64, 2**64 - 1):
        with pytest.raises(UnknownMetadataKeyError) as caught:
            pool.release(unknown)
        assert isinstance(caught.value, KeyError)
        assert str(unknown) in str(caught.value)
        with pytest.raises(KeyError):
            pool.get(unknown)
        with pytest.raises(KeyError):
            pool.reintern(unknown, {})
        pool.release(unknown, missing="ignore")
        assert pool.get(unknown, {}) == {}
        assert pool.get(unknown, None) is None
        assert unknown not in pool
    with pytest.raises(TypeError, match="str"):
        pool.get("key")  # type: ignore[call-overload]
    assert pool.stats().nodes == 0


def test_a_key_is_never_used_again() -> None:
    pool = MetadataPool()
    seen = set()
    for number in range(1000):
        key = pool.intern({"number": number % 3})
        assert key not in seen
        seen.add(key)
        pool.release(key)


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"nul", b"[1,]", b"{'a': 1}", b"1 2", b"NaN", b'"\\ud800"', b"\xff", b"[" * 300],
)
def test_what_is_no_json(text: bytes) -> None:
    pool = MetadataPool()
    with pytest.raises(InvalidMetadataJsonError, match="byte") as caught:
        pool.intern_json(text)
    assert isinstance(caught.value, ValueError)
    assert pool.stats().nodes == 0


def test_json_obeys_the_limits() -> None:
    pool = MetadataPool(max_depth=2, max_nodes=3)
    with pytest.raises(MetadataDepthError):
        pool.intern_json(b"[[[]]]")
    with pytest.raises(PoolFull):
        pool.intern_json(b'["a","b","c","d"]')
    with pytest.raises(TypeError, match="int"):
        pool.intern_json(5)  # type: ignore[arg-type]
    assert pool.stats().nodes == 0


@pytest.mark.parametrize("value", [NAN, float("inf"), "\ud800", {"\udfff": 1}])
def test_what_json_cannot_express(value: object) -> None:
    pool = MetadataPool()
    with pytest.raises(NoJsonFormError):
        pool.get(pool.intern([value])).to_json()


@pytest.mark.parametrize("sign", [1, -1])
def test_integers_are_written_as_long_as_they_are_read(sign: int) -> None:
    """To write a million digits would take minutes, in which nobody else is served."""
    for pool in (MetadataPool(), reference.MetadataPool()):
        longest = sign * (10**4300 - 1)
        view = pool.get(pool.intern([longest]))
        assert pool.get(pool.intern_json(view.to_json())) == [longest]
        for longer in (sign * 10**4300, sign * 10**1_000_000):
            view = pool.get(pool.intern([longer]))
            assert view == [longer]
            with pytest.raises(NoJsonFormError, match="more than 4,300 digits"):
                view.to_json()


def test_every_refusal_is_a_metadata_error() -> None:
    for kind in (MetadataTypeError, MetadataDepthError, PoolFull, NoJsonFormError):
        assert issubclass(kind, MetadataError)

"""Views are mappings and sequences that nobody can change."""

import copy
import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from unittest import mock

import frozendict
import msgspec
import orjson
import pytest

from meshaccel.metadata import (
    MetadataList,
    MetadataPool,
    MetadataView,
    json_default,
    msgspec_hook,
    orjson_default,
)

RECORD: dict[str, Any] = {
    "name": "weather",
    "tools": [{"name": "now", "tags": ["a", "b"]}, {"name": "later", "tags": []}],
    "größe": 1.5,
    "\ud800": None,
}


@pytest.fixture
def pool() -> MetadataPool:
    return MetadataPool()


@pytest.fixture
def record(pool: MetadataPool) -> MetadataView:
    view = pool.get(pool.intern(RECORD))
    assert isinstance(view, MetadataView)
    return view


def test_a_view_is_a_mapping(record: MetadataView) -> None:
    assert isinstance(record, Mapping)
    assert len(record) == 4
    assert list(record) == list(RECORD)
    assert record["name"] == "weather"
    assert record["\ud800"] is None
    assert record.get("größe") == 1.5
    assert record.get("absent", 7) == 7
    assert "tools" in record
    assert "absent" not in record
    assert 5 not in record  # type: ignore[comparison-overlap]
    assert record.keys() & {"name", "x"} == {"name"}
    assert dict(record.items())["tools"] == RECORD["tools"]
    assert next(iter(record.values())) == "weather"
    for key in ("absent", 5, None, ("a",)):
        with pytest.raises(KeyError):
            record[key]  # type: ignore[index]
    match record:
        case {"name": str(name), "tools": [first, *_]}:
            assert (name, first["name"]) == ("weather", "now")
        case _:
            pytest.fail("a view matches as a dict does")


def test_a_dict_of_many_keys(pool: MetadataPool) -> None:
    many = {f"key {number}": number for number in range(1000)}
    view = pool.get(pool.intern(many))
    assert all(view[key] == value for key, value in many.items())
    assert "key 1000" not in view
    assert view == dict(reversed(list(many.items())))


def test_a_list_is_a_sequence(record: MetadataView) -> None:
    tools = record["tools"]
    assert isinstance(tools, MetadataList)
    assert isinstance(tools, Sequence)
    assert len(tools) == 2
    assert tools[0]["name"] == tools[-2]["name"] == "now"
    assert tools[:1] == [{"name": "now", "tags": ["a", "b"]}]
    assert [tool["name"] for tool in tools] == ["now", "later"]
    assert [tool["name"] for tool in reversed(tools)] == ["later", "now"]
    assert {"name": "later", "tags": ()} in tools
    assert tools.index({"tags": [], "name": "later"}) == 1
    assert tools.count({"tags": []}) == 0
    for index in (2, -3, 10**30):
        with pytest.raises(IndexError):
            tools[index]
    with pytest.raises(TypeError, match="str"):
        tools["name"]  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="not in the list"):
        tools.index("later")
    with pytest.raises(ValueError, match="not in the list"):
        tools.index(tools[0], 1)


def test_an_index_fails_with_its_own_error(pool: MetadataPool) -> None:
    class Index:
        def __init__(self, number: int | None) -> None:
            self.number = number

        def __index__(self) -> int:
            if self.number is None:
                raise ZeroDivisionError("its own")
            return self.number

    view = pool.get(pool.intern(["a", "b"]))
    assert view[Index(-1)] == "b"
    with pytest.raises(IndexError):
        view[Index(10**30)]
    with pytest.raises(ZeroDivisionError, match="its own"):
        view[Index(None)]


def test_equality_is_strict(pool: MetadataPool) -> None:
    view = pool.get(pool.intern({"a": [1, 0.0]}))
    assert view == {"a": [1, 0.0]} == view
    assert view == {"a": (1, 0.0)}
    lists: list[object] = [[1.0, 0.0], [True, 0.0], [1, -0.0], [1], [1, 0.0, 2], {}]
    for other in (*({"a": items} for items in lists), {}, [], 5):
        assert view != other
        assert other != view
    assert view != {"a": object()}
    assert view == mock.ANY


def test_paths(record: MetadataView) -> None:
    assert record.get_path("tools", 0, "tags", -1) == "b"
    assert record.get_path("tools", 1) == record["tools"][1]
    assert record.get_path() == record
    assert record["tools"].get_path(1, "name") == "later"
    missing: list[tuple[str | int, ...]] = [("absent",), ("name", "x"), ("tools", "x")]
    for path in missing:
        with pytest.raises(KeyError):
            record.get_path(*path)
    outside: list[tuple[str | int, ...]] = [
        ("tools", 5),
        ("tools", 10**30),
        ("tools", -(10**30)),
        (0,),
    ]
    for path in outside:
        with pytest.raises(IndexError):
            record.get_path(*path)
    with pytest.raises(TypeError):
        record.get_path(1.5)  # type: ignore[arg-type]


def test_copies_and_pickles(record: MetadataView) -> None:
    assert copy.copy(record) is copy.deepcopy(record) is record
    tools = record["tools"]
    assert copy.copy(tools) is copy.deepcopy(tools) is tools
    for view in (record, tools):
        again = pickle.loads(pickle.dumps(view))  # noqa: S301
        assert again == view
        assert hash(again) == hash(view)
    assert list(pickle.loads(pickle.dumps(record))) == list(RECORD)  # noqa: S301


def test_pickles_that_are_not_ours(record: MetadataView) -> None:
    restore, (packed,) = record.__reduce__()
    for cut in range(len(packed)):
        with pytest.raises(ValueError, match="no packed metadata"):
            restore(packed[:cut])
    for forged in (packed + b"n", b"s\x01\xff", b"mi", b"e", b"x", b"s" + b"\xff" * 10):
        with pytest.raises(ValueError, match="no packed metadata"):
            restore(forged)
    fits, padded = b"I\x01\x01", b"I\x0a" + b"\x01" * 9 + b"\x00"
    for forged in (b"I\x00", fits, b"I\x08" + b"\x01" * 8, padded, b"I\x0a" + b"\xff" * 10):
        with pytest.raises(ValueError, match="no packed metadata"):
            restore(b"l" + forged + b"e")
    assert restore(b"lI\x09" + b"\x00" * 7 + b"\x80\x00e") == [2**63]
    twice = b"ms\x01ans\x01ate"
    assert restore(twice) == {"a": True}


def test_nobody_can_change_a_view(record: MetadataView) -> None:
    tools = record["tools"]
    for act in ("record['name'] = 1", "del record['name']", "record.x = 1", "tools[0] = 1"):
        with pytest.raises((TypeError, AttributeError)):
            exec(act, {"record": record, "tools": tools})  # noqa: S102
    with pytest.raises(TypeError):
        type("Sub", (MetadataView,), {})


def test_a_view_outlives_its_key(pool: MetadataPool) -> None:
    key = pool.intern({"a": {"b": ["c"]}})
    inner = pool.get(key)["a"]
    pool.release(key)
    assert key not in pool
    assert inner == {"b": ["c"]}
    assert pool.stats().nodes == 4
    again = pool.intern(inner)
    assert pool.get(again) is not inner
    pool.release(again)
    del inner
    assert pool.stats().nodes == 0


def test_a_view_outlives_its_pool() -> None:
    pool = MetadataPool()
    inner = pool.get(pool.intern(RECORD))["tools"]
    del pool
    assert inner.to_list() == RECORD["tools"]


def test_views_go_into_pools(pool: MetadataPool, record: MetadataView) -> None:
    key = pool.intern({"of": record, "also": [record["tools"]]})
    assert pool.get(key) == {"of": RECORD, "also": [RECORD["tools"]]}
    assert pool.get(key)["of"] == record
    nodes = pool.stats().nodes
    pool.intern(RECORD)
    assert pool.stats().nodes == nodes
    other = MetadataPool()
    assert other.get(other.intern({"of": record})) == {"of": RECORD}


def test_encoders_take_views(pool: MetadataPool) -> None:
    plain = {"a": [1, 2.5, {"é": 'x"'}], "b": None}
    view = pool.get(pool.intern(plain))
    holder = {"view": view, "list": view["a"]}
    expected = {"view": plain, "list": plain["a"]}
    assert json.loads(view.to_json()) == plain
    assert json.loads(json.dumps(holder, default=json_default)) == expected
    assert json.loads(orjson.dumps(holder, default=orjson_default)) == expected
    assert json.loads(msgspec.json.encode(holder, enc_hook=msgspec_hook)) == expected
    for hook in (json_default, orjson_default, msgspec_hook):
        with pytest.raises(TypeError, match="object"):
            hook(object())


def test_repr(pool: MetadataPool) -> None:
    view = pool.get(pool.intern({"a": [1]}))
    assert repr(view) == "MetadataView({'a': [1]})"
    assert repr(view["a"]) == "MetadataList([1])"
    assert "1 values" in repr(pool)
    assert "nodes=3" in repr(pool.stats())


@dataclass
class Point:
    """What no pool knows."""

    x: int


def test_a_default_hook_converts_what_is_not_plain() -> None:
    asked: list[object] = []

    def convert(value: object) -> object:
        asked.append(value)
        if isinstance(value, Point):
            return {"x": value.x, "inner": frozenset()} if value.x else {"x": 0}
        if isinstance(value, frozenset):
            return []
        return value

    pool = MetadataPool(default=convert)
    points = [Point(1), Point(0)]
    key = pool.intern({"points": points})
    assert pool.get(key) == {"points": [{"x": 1, "inner": []}, {"x": 0}]}
    assert asked == [points[0], frozenset(), points[1]]
    assert pool.digest([Point(0)]) == pool.digest([{"x": 0}])
    with pytest.raises(TypeError, match=r"\['a'\]: object"):
        pool.intern({"a": object()})


def test_errors_of_a_hook_come_through() -> None:
    def refuse(value: object) -> object:
        raise ZeroDivisionError(value)

    pool = MetadataPool(default=refuse)
    with pytest.raises(ZeroDivisionError):
        pool.intern([1, {2}])
    assert pool.stats().nodes == 0


def test_frozendicts_are_dicts(pool: MetadataPool) -> None:
    frozen = frozendict.frozendict({"a": frozendict.frozendict({"b": 1})})
    assert pool.get(pool.intern(frozen)) == {"a": {"b": 1}}


def test_plain_scalars_have_keys_too(pool: MetadataPool) -> None:
    for value in (None, True, 5, 2.5, "text", 2**100):
        key = pool.intern(value)
        got = pool.get(key)
        assert got == value
        assert type(got) is type(value)
        pool.release(key)
    assert pool.stats().nodes == 0

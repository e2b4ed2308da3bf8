"""Documents that nobody may change."""

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import msgspec
import orjson
import pytest

from meshaccel.frozen import FrozenDict, FrozenList

PLAIN = {"a": [1, {"b": 2}], "c": {}, "d": []}


def frozen() -> Any:
    inner = FrozenList([1, FrozenDict({"b": 2})])
    return FrozenDict({"a": inner, "c": FrozenDict(), "d": FrozenList()})


def _ior(found: Any) -> None:
    found |= {"x": 1}


def _iadd(found: Any) -> None:
    found += [1]


def _imul(found: Any) -> None:
    found *= 2


DICT_CHANGES: list[Callable[[Any], object]] = [
    lambda found: found.__setitem__("a", 1),
    lambda found: found.__delitem__("a"),
    lambda found: found.update(x=1),
    lambda found: found.setdefault("a", 1),
    lambda found: found.setdefault("x", 1),
    lambda found: found.pop("a"),
    lambda found: found.pop("x", None),
    lambda found: found.popitem(),
    lambda found: found.clear(),
    lambda found: found.__init__({"x": 1}),
    lambda found: found.__init__(),
    lambda found: setattr(found, "x", 1),
    _ior,
]
LIST_CHANGES: list[Callable[[Any], object]] = [
    lambda found: found.__setitem__(0, 1),
    lambda found: found.__setitem__(slice(None), []),
    lambda found: found.__delitem__(slice(None)),
    lambda found: found.append(1),
    lambda found: found.extend([1]),
    lambda found: found.insert(0, 1),
    lambda found: found.pop(),
    lambda found: found.remove(1),
    lambda found: found.clear(),
    lambda found: found.sort(key=str),
    lambda found: found.reverse(),
    lambda found: found.__init__([1]),
    lambda found: found.__init__(),
    lambda found: setattr(found, "x", 1),
    _iadd,
    _imul,
]


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize("change", DICT_CHANGES)
def test_no_change_to_a_dict(change: Callable[[Any], object], *, empty: bool) -> None:
    found = frozen()["c"] if empty else frozen()
    before = repr(found)
    with pytest.raises((TypeError, AttributeError)):
        change(found)
    assert repr(found) == before


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize("change", LIST_CHANGES)
def test_no_change_to_a_list(change: Callable[[Any], object], *, empty: bool) -> None:
    found = frozen()["d"] if empty else frozen()["a"]
    before = repr(found)
    with pytest.raises((TypeError, AttributeError)):
        change(found)
    assert repr(found) == before


def test_every_method_that_changes_is_refused() -> None:
    """Whatever a later Python adds to dict and list shows up here."""
    harmless = {"copy", "count", "fromkeys", "get", "index", "items", "keys", "values"}
    for kind, base in ((FrozenDict, dict), (FrozenList, list)):
        for name in dir(base):
            if not name.startswith("_") and name not in harmless:
                with pytest.raises(TypeError, match="read-only"):
                    getattr(kind(), name)()


def test_the_refusal_says_what_to_do() -> None:
    with pytest.raises(TypeError, match=r"FrozenDict is shared and read-only.*copy\.deepcopy"):
        frozen()["a"] = 1


def test_it_is_equal_to_and_prints_like_the_plain_one() -> None:
    assert frozen() == PLAIN
    assert (PLAIN == frozen()) is True  # noqa: SIM300 - asked from the other side
    assert repr(frozen()) == repr(PLAIN)
    for found in (frozen(), frozen()["a"]):
        with pytest.raises(TypeError, match="unhashable"):
            hash(found)


def test_it_is_serialised_like_the_plain_one() -> None:
    assert json.dumps(frozen()) == json.dumps(PLAIN)
    assert json.dumps(frozen(), indent=1) == json.dumps(PLAIN, indent=1)
    assert orjson.dumps(frozen()) == orjson.dumps(PLAIN)
    assert msgspec.json.encode(frozen()) == msgspec.json.encode(PLAIN)
    assert msgspec.msgpack.encode(frozen()) == msgspec.msgpack.encode(PLAIN)


def kinds(document: Any) -> set[type]:
    """The types of all containers."""
    if not isinstance(document, (dict, list)):
        return set()
    inner = document.values() if isinstance(document, dict) else document
    return {type(document)}.union(*map(kinds, inner))


def test_deep_copies_and_pickles_are_plain_at_every_level() -> None:
    made = [copy.deepcopy(frozen())]
    made += [
        pickle.loads(pickle.dumps(frozen(), protocol))  # noqa: S301
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    ]
    for document in made:
        assert document == PLAIN
        assert kinds(document) == {dict, list}
        document["a"].append(1)


def test_a_deep_copy_keeps_what_is_one_object_one() -> None:
    one = FrozenDict(x=FrozenList())
    both = copy.deepcopy(FrozenList([one, one]))
    assert both[0] is both[1]


def test_shallow_copies_are_plain_at_the_top() -> None:
    for document in (copy.copy(frozen()), frozen().copy(), frozen() | {}):
        assert type(document) is dict
        assert document == PLAIN
        document["x"] = document["a"]
    for document in (copy.copy(frozen()["a"]), frozen()["a"].copy(), frozen()["a"] + []):
        assert type(document) is list
        document.append(1)

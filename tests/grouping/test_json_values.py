"""Values of columns without a JSON policy, on their way into a response."""

import enum
import json
import math
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshaccel.errors import JsonValueError
from meshaccel.frozen import FrozenDict, FrozenList
from meshaccel.reference.json_values import write_value

from .json_column import write

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(),
    st.text(st.characters()),
    st.text(st.sampled_from('a"\\/\b\f\n\r\t\x00\x1f\x7f\u2028é€\U0001f600'), max_size=80),
    st.uuids(),
    st.dates(),
    st.times(),
    st.datetimes(timezones=st.none() | st.just(UTC)),
    st.binary(max_size=2),
    st.decimals(allow_nan=False, places=1),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)


def outcome(write: Callable[..., str], *arguments: Any) -> object:
    try:
        return json.loads(write(*arguments), parse_float=lambda text: repr(float(text)))
    except JsonValueError as error:
        return error.args


def both(value: object, default: Any = None) -> object:
    """What both make of it, which must be the same."""
    native = outcome(write, value, "text", default)
    assert native == outcome(write_value, value, "documents.document", default)
    return native


@given(values)
def test_values_as_in_the_reference(value: object) -> None:
    both(value)
    both(value, str)
    both(value, lambda other: [other.__class__.__name__, None])


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_strings_are_written_as_json_does(text: str) -> None:
    assert write(text, "text") == json.dumps(text, ensure_ascii=False)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_read_back_as_the_same(number: float) -> None:
    back = json.loads(write(number, "text"))
    assert math.copysign(1, back) == math.copysign(1, number)
    assert type(back) is float
    assert back == number


class Colour(enum.StrEnum):
    """Text."""

    RED = "red\n"


class Level(enum.IntEnum):
    """An integer."""

    LOW = 1


class Number(int):
    """An integer that prints as something else."""

    def __repr__(self) -> str:
        return "a lie"


class Real(float):
    """A float that prints as something else."""

    def __repr__(self) -> str:
        return "a lie"


class Uid(UUID):
    """As drivers have them."""


class Moment(datetime):
    """As drivers have them."""


Point = namedtuple("Point", "x y")  # noqa: PYI024


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2**63, 2**63),
        (-(2**63), -(2**63)),
        (10**4000, 10**4000),
        (Number(7), 7),
        (Number(2**80), 2**80),
        (Real(1.5), "1.5"),
        (Colour.RED, "red\n"),
        (Level.LOW, 1),
        ({Colour.RED: Level.LOW}, {"red\n": 1}),
        (Point(1, 2), [1, 2]),
        (FrozenDict(a=FrozenList([1])), {"a": [1]}),
        (UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (Uid(int=5), "00000000-0000-0000-0000-000000000005"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3, tzinfo=UTC), "2026-01-02T03:00:00+00:00"),
        (Moment(2026, 1, 2), "2026-01-02T00:00:00"),
        (time(1, 2, 3, 4), "01:02:03.000004"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_subclasses_and_well_known_types(value: object, expected: object) -> None:
    assert both(value) == expected


def test_an_ordered_dict_keeps_its_own_order() -> None:
    value = OrderedDict(a=1, b=2)
    value.move_to_end("a")
    assert write(value, "text") == '{"b":2,"a":1}'


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (math.nan, "float"),
        (math.inf, "float"),
        (-math.inf, "float"),
        ("\ud800", "str"),
        ({"\udfff": 1}, "str"),
        (b"1", "bytes"),
        (Decimal(1), "Decimal"),
        (timedelta(1), "timedelta"),
        ({1}, "set"),
        (10**5000, "int"),
        ({1: 2}, "dict with a key of type int"),
        ({None: 2}, "dict with a key of type NoneType"),
        ([1, {"a": (object(),)}], "object"),
    ],
    ids=lambda value: repr(value)[:24] if not isinstance(value, int) else "",
)
def test_values_without_json_form(value: object, name: str) -> None:
    assert both(value) == ("documents.document", name)


def test_default_makes_plain_values() -> None:
    assert both({"a": Decimal("1.5"), "b": {1}}, str) == {"a": "1.5", "b": "{1}"}
    assert both(b"ab", list) == [97, 98]
    assert both({2, 1}, lambda found: tuple(sorted(found))) == [1, 2]


def test_what_default_raises_comes_through() -> None:
    error = LookupError("mine")

    def refuse(_: object) -> object:
        raise error

    with pytest.raises(LookupError) as caught:
        write([1, object()], "text", refuse)
    assert caught.value is error


def nested(depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


def test_depth_is_limited_as_for_reading() -> None:
    assert both(nested(200)) == nested(200)
    for value in (nested(201), nested(100_000)):
        arguments = both(value)
        assert isinstance(arguments, tuple)
        assert arguments[1].endswith(" nested deeper than 200 levels")


def test_a_cycle_ends_in_an_error() -> None:
    cycle: list[Any] = []
    cycle.append({"a": cycle})
    assert both(cycle) == ("documents.document", "list nested deeper than 200 levels")
    assert both(object(), lambda value: value) == (
        "documents.document",
        "object nested deeper than 200 levels",
    )


def test_a_value_may_change_while_it_is_written() -> None:
    value: Any = {"a": object(), "b": [object(), 1, 2]}

    def meddle(_: object) -> object:
        value["b"].clear()
        for n in range(100):
            value[f"new{n}"] = n
        return "x"

    assert json.loads(write(value, "text", meddle)) == {"a": "x", "b": []}

"""Nothing that comes from an agent acts on a terminal, and JSON keeps its values."""

import json
import unicodedata

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshaccel.cli.output import json_text, safe
from meshaccel.cli.tables import ago

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.text(st.characters(codec=None)))
def test_escaped_text_has_nothing_that_acts(text: str) -> None:
    """No controls, no overrides of direction, no invisible characters, no line breaks."""
    shown = safe(text)
    assert all(unicodedata.category(char)[0] != "C" for char in shown)
    assert not {"\u2028", "\u2029"} & set(shown)
    assert safe(shown) == shown


@pytest.mark.parametrize("text", ["plain", "déjà vu", "日本語", "👍", "a\u3000b", "[bold]"])
def test_ordinary_text_stays(text: str) -> None:
    assert safe(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("\x9b31m", r"\x9b31m"),
        ("a\r\nb", r"a\r\nb"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_acts_is_shown_escaped(text: str, shown: str) -> None:
    assert safe(text) == shown


@given(JSON, st.sampled_from([-1, 2]))
def test_json_is_ascii_of_the_same_value(value: object, indent: int) -> None:
    text = json_text(msgspec.json.encode(value), indent=indent)
    assert json.loads(text) == value
    assert text.isascii()
    assert "\x7f" not in text


def test_json_numbers_keep_their_digits() -> None:
    """Layout is all that changes: programs may compare texts."""
    assert json_text(b'{"a":1.00,"b":123456789012345678901}', indent=-1) == (
        '{"a":1.00,"b":123456789012345678901}'
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0s ago"), (3.9, "3s ago"), (60, "1m ago"), (7199, "1h ago"), (200_000, "2d ago")],
)
def test_times_past_are_told_in_their_largest_unit(seconds: float, text: str) -> None:
    assert ago(seconds) == text

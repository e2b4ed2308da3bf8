"""Durations as Go and people write them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshaccel.cli.durations import LONGEST_S, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("20", 20),
        ("0.5", 0.5),
        ("0", 0),
        ("90s", 90),
        ("1h", 3600),
        ("5m", 300),
        ("1h30m", 5400),
        ("250ms", 0.25),
        ("1.5h", 5400),
        (".5s", 0.5),
        ("1m0.5s", 60.5),
        ("3us", 3e-6),
        ("3µs", 3e-6),
        ("7ns", 7e-9),
        ("0s", 0),
        ("+1m", 60),
        (" 10s ", 10),
    ],
)
def test_go_and_plain_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not a duration"),
        ("soon", "is not a duration"),
        ("1 h", "is not a duration"),
        ("1d", "is not a duration"),
        ("1h30", "is not a duration"),
        ("1e3", "is not a duration"),
        ("nan", "is not a duration"),
        ("inf", "is not a duration"),
        ("٣s", "is not a duration"),
        ("-1s", "is negative"),
        ("-0.5", "is negative"),
        ("1000000h", "longer than 100 years"),
        ("9" * 400, "longer than 100 years"),
    ],
)
def test_what_is_no_duration_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_duration(text)


@given(st.integers(0, 800_000), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_parts_add_up(hours: int, minutes: int, seconds: int, milliseconds: int) -> None:
    """Whatever Go's Duration.String() prints is read back."""
    text = f"{hours}h{minutes}m{seconds}.{milliseconds:03}s"
    expected = hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
    assert parse_duration(text) == pytest.approx(expected)


@given(st.text())
def test_any_text_is_seconds_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert 0 <= parse_duration(text) <= LONGEST_S

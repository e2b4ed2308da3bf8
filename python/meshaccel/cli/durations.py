"""Durations as operators write them: ``90s``, ``1h30m``, ``250ms`` as in Go, or plain seconds."""

import re

import click

_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
_NUMBER = r"(?:\d+\.?\d*|\.\d+)"
_PART = re.compile(rf"({_NUMBER})({'|'.join(_SECONDS)})", re.ASCII)
_DURATION = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)
_PLAIN = re.compile(_NUMBER, re.ASCII)

LONGEST_S = 100 * 365 * 86_400.0
"""Far below what event loops and Go's durations can hold."""


def parse_duration(text: str) -> float:
    """Return seconds.

    Raises:
        ValueError: it is no duration, is negative, or is longer than ``LONGEST_S``.
    """
    unsigned = text.strip().removeprefix("+")
    if unsigned.startswith("-"):
        raise ValueError(f"{text!r} is negative")
    if _PLAIN.fullmatch(unsigned):
        seconds = float(unsigned)
    elif _DURATION.fullmatch(unsigned):
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(unsigned))
    else:
        raise ValueError(f"{text!r} is not a duration such as 20s, 1h30m, 250ms or 20 (seconds)")
    if seconds > LONGEST_S:
        raise ValueError(f"{text!r} is longer than 100 years")
    return seconds


def duration(text: str) -> float:
    """Return the seconds of an option's value that must be more than zero."""
    seconds = duration_or_zero(text)
    if not seconds:
        raise click.BadParameter("must be more than zero.")
    return seconds


def duration_or_zero(text: str) -> float:
    """Return the seconds of an option's value."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from error

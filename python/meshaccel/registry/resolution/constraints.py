"""Version constraints, with the semantics of Masterminds/semver v3.

Its corner cases are part of the contract, as for versions: ``^*`` and ``<=*`` mean 0.0.x only,
``~0.0.0`` means anything, and a pre-release matches only a group of comparators of which one
names a pre-release.
"""

import re
from collections.abc import Callable
from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple

from meshaccel.registry.resolution.versions import (
    MAX_LENGTH,
    SUFFIX_PATTERN,
    Version,
    parse_version,
)

_SPACE = r"[\t\n\f\r ]"
# The "|" belongs to the library's grammar: such a number is read, then refused as a number.
_PART = r"[0-9|xX*]++"  # possessive: what may follow is never part of it
_PARTIAL = rf"v?({_PART})(?:\.({_PART}))?(?:\.({_PART}))?{SUFFIX_PATTERN}"
_OPERATOR = r"=[<>]?|!=|[<>]=?|~>?|\^"
_COMPARATOR = re.compile(rf"{_SPACE}*(?:({_OPERATOR}){_SPACE}*)?{_PARTIAL}{_SPACE}*")
_HYPHEN_RANGE = re.compile(
    rf"{_SPACE}*(?P<low>{_PARTIAL}){_SPACE}+-{_SPACE}+(?P<high>{_PARTIAL}){_SPACE}*",
)
_WILDCARDS: Final = frozenset({None, "x", "X", "*"})


class Precision(IntEnum):
    """How many numbers a comparator gives before its first wildcard or its end."""

    ANY = 0
    MAJOR = 1
    MINOR = 2
    FULL = 3


class Comparator(NamedTuple):
    """An operator and a possibly partial version, whose missing numbers are 0."""

    operator: str
    version: Version
    precision: Precision

    def holds(self, version: Version) -> bool:
        """Whether the version satisfies this comparator, pre-release rule aside."""
        return _OPERATORS[self.operator](version, self.version, self.precision)


class Constraint(NamedTuple):
    """A parsed constraint: at least one group must hold, and in it every comparator."""

    text: str
    groups: tuple[tuple[Comparator, ...], ...] | None

    def matches(self, text: str) -> bool:
        """Whether a version text satisfies the constraint. O(comparators).

        An unparseable version or constraint leaves plain equality of the two texts.
        """
        version = parse_version(text)
        if version is None or self.groups is None:
            return text == self.text
        return any(_group_holds(group, version) for group in self.groups)


def parse_constraint(text: str) -> Constraint:
    """Parse a version constraint. O(length squared) with length bounded, cached.

    Groups are separated by ``||``, the comparators of a group by commas or spaces;
    ``1.2 - 3`` stands for ``>=1.2, <=3``.
    """
    return _parse_constraint(text) if len(text) <= MAX_LENGTH else Constraint(text, None)


@lru_cache(maxsize=1024)
def _parse_constraint(text: str) -> Constraint:
    rewritten = text
    for match in _HYPHEN_RANGE.finditer(text):
        bounds = f">= {match['low']}, <= {match['high']} "
        rewritten = rewritten.replace(match[0], bounds, 1)
    groups: list[tuple[Comparator, ...]] = []
    for part in rewritten.split("||"):
        group = _parse_group(part)
        if group is None:
            return Constraint(text, None)
        groups.append(group)
    return Constraint(text, tuple(groups))


def _parse_group(text: str) -> tuple[Comparator, ...] | None:
    comparators: list[Comparator] = []
    position = 0
    while True:
        match = _COMPARATOR.match(text, position)
        if match is None or (comparator := _parse_comparator(match)) is None:
            return None
        comparators.append(comparator)
        position = match.end()
        if position == len(text):
            return tuple(comparators)
        if text[position] == ",":
            position += 1
        elif not text[position - 1].isspace():
            return None


def _parse_comparator(match: re.Match[str]) -> Comparator | None:
    operator, *numbers, suffix = match.groups()
    given = [number for number in numbers if number is not None]
    precision = next((i for i, number in enumerate(numbers) if number in _WILDCARDS), 3)
    core = ".".join(given[:precision] or ["0"])
    version = parse_version(core if suffix is None else f"{core}-{suffix}")
    if version is None:
        return None
    return Comparator(operator or "=", version, Precision(precision))


def _group_holds(group: tuple[Comparator, ...], version: Version) -> bool:
    if version.is_prerelease and not any(term.version.is_prerelease for term in group):
        return False
    return all(comparator.holds(version) for comparator in group)


def _not_equal(version: Version, bound: Version, precision: Precision) -> bool:
    if precision is Precision.MAJOR:
        return version.major != bound.major
    if precision is Precision.MINOR:
        return version[:2] != bound[:2] or version.pre != bound.pre
    return version != bound


def _greater(version: Version, bound: Version, precision: Precision) -> bool:
    if precision in (Precision.MAJOR, Precision.MINOR):  # ">1.2" starts at 1.3.0
        return version[:precision] > bound[:precision]
    return version > bound


def _less_or_equal(version: Version, bound: Version, precision: Precision) -> bool:
    if precision is Precision.FULL:
        return version <= bound
    if precision is Precision.MAJOR:
        return version.major <= bound.major
    return version[:2] <= bound[:2]


def _tilde(version: Version, bound: Version, precision: Precision) -> bool:
    if version < bound:
        return False
    if precision in (Precision.ANY, Precision.FULL) and bound[:3] == (0, 0, 0):
        return True
    if precision is Precision.MAJOR:
        return version.major == bound.major
    return version[:2] == bound[:2]


def _equal(version: Version, bound: Version, precision: Precision) -> bool:
    return version == bound if precision is Precision.FULL else _tilde(version, bound, precision)


def _caret(version: Version, bound: Version, precision: Precision) -> bool:
    if version < bound:
        return False
    if bound.major > 0 or precision is Precision.MAJOR:
        return version.major == bound.major
    if bound.minor > 0 or precision is Precision.MINOR:
        return version[:2] == bound[:2]
    return version[:3] == bound[:3]


_OPERATORS: Final[dict[str, Callable[[Version, Version, Precision], bool]]] = {
    "=": _equal,
    "!=": _not_equal,
    ">": _greater,
    "<": lambda version, bound, _: version < bound,
    ">=": lambda version, bound, _: version >= bound,
    "=>": lambda version, bound, _: version >= bound,
    "<=": _less_or_equal,
    "=<": _less_or_equal,
    "~": _tilde,
    "~>": _tilde,
    "^": _caret,
}

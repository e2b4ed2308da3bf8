"""Semantic versions and version constraints, with the semantics of Masterminds/semver v3.

Upstream decides with that Go library, so its corner cases are part of the contract: versions
may be partial (``1.2``) and may start with ``v``; ``^*`` and ``<=*`` mean 0.0.x only; numbers
end at 64 bits; a pre-release matches only a group of comparators that names a pre-release.
No Python package agrees with it on all of these.
"""

import re
from collections.abc import Callable
from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple

MAX_LENGTH: Final = 1024
"""Longer texts count as unparseable: bounds the work and the memory of the caches."""

_MAX_NUMBER: Final = 2**64 - 1

_SPACE = r"[\t\n\f\r ]"
_IDENTIFIERS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_SUFFIX = rf"(?:-({_IDENTIFIERS}))?(?:\+{_IDENTIFIERS})?"
_VERSION = re.compile(rf"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?{_SUFFIX}")

# The "|" belongs to the library's grammar: such a number is read, then refused as a number.
_PART = r"[0-9|xX*]+"
_PARTIAL = rf"v?({_PART})(?:\.({_PART}))?(?:\.({_PART}))?{_SUFFIX}"
_COMPARATOR = re.compile(
    rf"{_SPACE}*(=[<>]?|!=|[<>]=?|~>?|\^)?{_SPACE}*{_PARTIAL}{_SPACE}*",
)
_HYPHEN_RANGE = re.compile(
    rf"{_SPACE}*(?P<low>{_PARTIAL}){_SPACE}+-{_SPACE}+(?P<high>{_PARTIAL}){_SPACE}*",
)
_WILDCARDS: Final = frozenset({None, "x", "X", "*"})

Identifier = tuple[int, int, str]
"""Orders pre-release identifiers: numbers by value, then words by bytes, then a release."""

_RELEASE: Final[tuple[Identifier, ...]] = ((2, 0, ""),)


class Version(NamedTuple):
    """A parsed version; tuple order is precedence (build metadata is not part of it)."""

    major: int
    minor: int
    patch: int
    pre: tuple[Identifier, ...] = _RELEASE

    @property
    def is_prerelease(self) -> bool:
        """Whether the version comes before its release, as ``1.0.0-rc.1`` does."""
        return self.pre != _RELEASE


VersionKey = tuple[bool, Version | str]


def version_key(text: str) -> VersionKey:
    """Sort key of a version: unparseable ones come first, ordered by their bytes."""
    version = parse_version(text)
    return (False, text) if version is None else (True, version)


def parse_version(text: str) -> Version | None:
    """Parse a full or partial version; ``None`` if it is not one. O(length), cached."""
    return _parse_version(text) if len(text) <= MAX_LENGTH else None


@lru_cache(maxsize=4096)
def _parse_version(text: str) -> Version | None:
    match = _VERSION.fullmatch(text)
    if match is None:
        return None
    *numbers, suffix = match.groups()
    major, minor, patch = (int(number or 0) for number in numbers)
    pre = _RELEASE if suffix is None else _parse_prerelease(suffix)
    if pre is None or max(major, minor, patch) > _MAX_NUMBER:
        return None
    return Version(major, minor, patch, pre)


def _parse_prerelease(text: str) -> tuple[Identifier, ...] | None:
    identifiers: list[Identifier] = []
    for identifier in text.split("."):
        if not identifier.isdecimal():
            identifiers.append((1, 0, identifier))
        elif identifier.startswith("0") and identifier != "0":
            return None
        elif int(identifier) > _MAX_NUMBER:
            identifiers.append((1, 0, identifier))  # too large for a number: compared as a word
        else:
            identifiers.append((0, int(identifier), ""))
    return tuple(identifiers)


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

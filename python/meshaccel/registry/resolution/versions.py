"""Semantic versions and their precedence, as Masterminds/semver v3 has them.

Upstream decides with that Go library, so its corner cases are part of the contract: versions
may be partial (``1.2``), may start with ``v`` and may have leading zeros; numbers end at 64
bits. No Python package agrees with it on all of these.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple

MAX_LENGTH: Final = 256
"""Longer texts count as unparseable: bounds the work and the memory of the caches."""

_MAX_NUMBER: Final = 2**64 - 1

_IDENTIFIERS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
SUFFIX_PATTERN: Final = rf"(?:-({_IDENTIFIERS}))?(?:\+{_IDENTIFIERS})?"
"""A pre-release, captured, and build metadata, both optional."""

_VERSION = re.compile(rf"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?{SUFFIX_PATTERN}")

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

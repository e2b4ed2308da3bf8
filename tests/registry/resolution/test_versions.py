"""Which texts are versions, and how versions rank."""

from itertools import pairwise

import pytest

from meshaccel.registry.resolution import parse_version, version_key
from meshaccel.registry.resolution.versions import MAX_LENGTH

ASCENDING = [
    *["", "1.0.0.0", "a1", "latest"],  # not versions: by bytes, below every version
    *["0.0.0", "0.0.1-0", "0.0.1", "0.2", "0.10", "1-alpha", "1.0.0-alpha.1"],
    *["1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-beta.A"],
    *["1.0.0-rc.1", "1", "1.0.1", "v2", "10.0.0"],
]


def test_precedence() -> None:
    """Version keys sort as semantic versions do, and what is no version comes first."""
    keys = [version_key(text) for text in ASCENDING]
    assert all(lower < higher for lower, higher in pairwise(keys))


@pytest.mark.parametrize("text", ["1.0.0+a", "v1", "1.0", "01.0.0", "1.0.0+b.c"])
def test_spellings_of_one_version(text: str) -> None:
    """Build metadata, prefix, leading zeros and missing numbers do not make a difference."""
    assert version_key(text) == version_key("1.0.0")


@pytest.mark.parametrize(
    "text", ["", "V1", " 1", "1\n", "1..0", "1.0.0-", "1.0.0-01", "1.2.3.4", "x"]
)
def test_not_a_version(text: str) -> None:
    """What Masterminds/semver refuses is no version."""
    assert parse_version(text) is None


def test_overlong_texts_are_not_parsed() -> None:
    """Beyond the length limit a text is no version, whatever it means."""
    assert parse_version("1.0.0+" + "a" * (MAX_LENGTH - 6)) is not None
    assert parse_version("1.0.0+" + "a" * MAX_LENGTH) is None
    assert parse_version("0" * (MAX_LENGTH - 1) + "1") == parse_version("1")

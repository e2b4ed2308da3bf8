"""Which versions satisfy which constraints, held against upstream's answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshaccel.registry.resolution import parse_constraint, parse_version
from meshaccel.registry.resolution.versions import MAX_LENGTH

# Constraint, versions it matches, versions it does not: 196 pairs, each asked of upstream's
# registry 3.7.1 as a dependency on a tool of that version.
TABLE = [
    ("=1.2.3", "1.2.3 v1.2.3 1.2.3+build", "1.2.4 1.2.3-rc.1"),
    ("1.2.3", "1.2.3", "1.2.30"),
    ("v1.2.3", "1.2.3", "1.2.4"),
    ("1.2", "1.2.0 1.2.9", "1.3.0 1.2.0-rc.1"),
    ("=1", "1.0.0 1.9.9", "2.0.0 0.9.0"),
    ("!=1.2.3", "1.2.4", "1.2.3 1.2.4-rc.1"),
    ("!=1.2", "1.3.0", "1.2.0 1.2.9"),
    ("!=1.x", "2.0.0", "1.5.0"),
    ("!=1.2-rc.1", "1.2.0", "1.2.0-rc.1"),
    ("!=*", "0.0.1 1.0.0", "0.0.0"),
    (">1.2.3", "1.2.4", "1.2.3 2.0.0-rc.1"),
    (">1.2", "1.3.0", "1.2.9"),
    (">1", "2.0.0", "1.9.9"),
    (">*", "0.0.1", "0.0.0"),
    ("<1.2.3", "1.2.2", "1.2.3 1.2.3-rc.1"),
    ("<1.2", "1.1.9", "1.2.0"),
    ("<2", "1.9.9", "2.0.0"),
    ("<*", "", "0.0.0 1.0.0"),
    (">=1.2.3", "1.2.3 2.0.0", "1.2.2"),
    ("=>1.2", "1.2.0", "1.1.9"),
    (">= 1", "1.0.0 v3", "0.9.9"),
    (">=*", "0.0.0", "0.1.0-rc.1"),
    ("<=1.2.3", "1.2.3", "1.2.4"),
    ("=<1.2", "1.2.9", "1.3.0"),
    ("<=1", "1.9.9", "2.0.0"),
    ("<=*", "0.0.9", "0.1.0 1.0.0"),
    ("~1.2.3", "1.2.3 1.2.9", "1.2.2 1.3.0"),
    ("~>1.2", "1.2.0 1.2.9", "1.3.0"),
    ("~1", "1.9.9", "2.0.0 0.9.9"),
    ("~0.0.0", "5.0.0 0.0.1", ""),
    ("~0.0", "0.0.9", "0.1.0"),
    ("~*", "9.9.9", ""),
    ("^1.2.3", "1.2.3 1.9.0", "1.2.2 2.0.0"),
    ("^1", "1.0.0 1.9.9", "2.0.0"),
    ("^0.2.3", "0.2.3 0.2.9", "0.3.0 1.2.3"),
    ("^0.2", "0.2.0 0.2.9", "0.3.0"),
    ("^0.0.3", "0.0.3", "0.0.4 0.1.3"),
    ("^0.0", "0.0.9", "0.1.0"),
    ("^0", "0.9.9", "1.0.0"),
    ("^*", "0.0.0", "0.0.1 1.0.0"),
    ("^x.2.3", "0.0.0", "1.2.3"),
    ("*", "0.0.0 9.9.9", "1.0.0-rc.1"),
    ("x", "1.0.0", ""),
    ("X.5", "2.0.0", ""),
    ("1.x", "1.9.0", "2.0.0"),
    ("1.X.3", "1.9.0", "2.0.3"),
    ("1.2.*", "1.2.9", "1.3.0"),
    ("*-0", "1.0.0 1.0.0-rc.1", ""),
    ("1.2 - 3", "1.2.0 3.9.9", "1.1.9 4.0.0"),
    ("1.2.3 - 2.3.4", "1.2.3 2.3.4", "2.3.5"),
    ("1-2", "1.0.0 1.0.0-2", ""),
    ("1.0 - 1.5 2.0 - 2.5", "", "1.2.0 2.2.0"),
    ("1 - 2 || 4 - 5", "1.5.0 4.5.0", "3.0.0"),
    (">=1.0.0 <2.0.0", "1.5.0", "2.0.0"),
    (">=1.0.0,<2.0.0", "1.0.0", "0.9.0"),
    (">=1 , <3 , !=2", "1.5.0", "2.5.0"),
    (">1<3", "", "2.0.0"),
    ("^1 || ^3", "1.1.0 3.3.3", "2.0.0"),
    ("<1||>=2", "0.5.0 2.0.0", "1.5.0"),
    (">=3.0.0-alpha", "3.0.0-alpha 3.0.0-beta 3.0.0 4.0.0-rc.1", "2.9.9"),
    ("^1.0.0-beta.2", "1.0.0-beta.2 1.0.0-beta.10 1.5.0", "1.0.0-beta 2.0.0-rc.1 2.0.0"),
    ("~1.2.3-0", "1.2.3-alpha 1.2.4-rc.1", "1.3.0"),
    (">=1.0.0-0 <2.0.0", "1.5.0-rc.1 2.0.0-rc.1", ""),
    (">=1 || >=2.0.0-0", "2.5.0-rc.1", "1.5.0-rc.1"),
    ("=1.0.0-rc.1", "1.0.0-rc.1 1.0.0-rc.1+b", "1.0.0"),
    ("1.2-rc.1", "1.2.0-rc.1 1.2.5", "1.2.0-beta"),
    ("<2.0.0-99999999999999999999", "2.0.0-9", "2.0.0-a"),
    ("=1.0.0+a", "1.0.0 1.0.0+b", ""),
    (">=1.0.0+a", "1.0.0", ""),
    ("18446744073709551615.0.0", "18446744073709551615.0.0", ""),
    ("18446744073709551616.0.0", "18446744073709551616.0.0", "1.0.0"),
    ("01.02.03", "1.2.3", ""),
    ("=1.0.0-01", "", "1.0.0-01 1.0.0-1"),
    ("1.2.3.4", "1.2.3.4", "1.2.3"),
    ("latest", "latest", "Latest 1.0.0"),
    ("==1.0.0", "==1.0.0", "1.0.0"),
    ("1.0.0,", "", "1.0.0"),
    ("1|2", "1|2", "1.0.0"),
    ("1.0.0 ||", "", "1.0.0"),
    ("~=1.0", "", "1.0.0"),
    ("1.0.0;", "", "1.0.0"),
]

PAIRS = [
    pytest.param(constraint, version, expected, id=f"{version} in {constraint}")
    for constraint, matching, others in TABLE
    for versions, expected in ((matching, True), (others, False))
    for version in versions.split()
]

numbers = st.sampled_from(["0", "1", "2", "10", "x", "*"])
versions = st.lists(numbers, min_size=1, max_size=3).map(".".join)
prereleases = st.sampled_from(["", "", "-0", "-alpha", "-alpha.1", "-rc.2"])
operators = st.sampled_from(["", "=", "!=", ">", "<", ">=", "<=", "~", "^"])
comparators = st.builds("{}{}{}".format, operators, versions, prereleases)
texts = st.text("0123456789.x*-+ |,<>=~^v!\n", max_size=12)


@pytest.mark.parametrize(("constraint", "version", "expected"), PAIRS)
def test_matches_as_upstream(constraint: str, version: str, *, expected: bool) -> None:
    """Each pair of the table has upstream's verdict."""
    assert parse_constraint(constraint).matches(version) is expected


def test_overlong_texts_are_not_parsed() -> None:
    """Beyond the length limit only equal texts match, whatever the text means."""
    padded = "1.0.0+" + "a" * MAX_LENGTH
    assert parse_constraint(padded).matches(padded)
    assert not parse_constraint(f">=1{' ' * MAX_LENGTH}").matches("1.0.0")


def test_hostile_constraints_take_bounded_time() -> None:
    """The longest constraints that make a backtracking parser suffer are refused at once."""
    for text in (" " * MAX_LENGTH, "1 " * (MAX_LENGTH // 2 - 1) + "!", "1" * MAX_LENGTH):
        assert not parse_constraint(text).matches("1.0.0")


@given(left=st.lists(comparators, min_size=1, max_size=2), right=comparators, version=versions)
def test_comma_is_and_double_bar_is_or(left: list[str], right: str, version: str) -> None:
    """For released versions a constraint means what its parts mean together."""
    version = version.replace("x", "0").replace("*", "0")
    both = ", ".join(left)
    every = all(parse_constraint(part).matches(version) for part in left)
    either = every or parse_constraint(right).matches(version)
    assert parse_constraint(both).matches(version) == every
    assert parse_constraint(f"{both} || {right}").matches(version) == either


@given(constraint=texts | comparators, version=texts | versions)
def test_any_text_has_a_verdict(constraint: str, version: str) -> None:
    """Nothing raises, and without a meaning on both sides only equality matches."""
    parsed = parse_constraint(constraint)
    verdict = parsed.matches(version)
    if parsed.groups is None or parse_version(version) is None:
        assert verdict == (constraint == version)

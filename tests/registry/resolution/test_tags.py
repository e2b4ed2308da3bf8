"""Scores of wanted tag terms against offered tags."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshaccel.models import TagTerm
from meshaccel.registry.resolution import tag_score

TAGS = ("a", "b", "c", "+a", "-a", "")
plain_terms = st.builds(str.__add__, st.sampled_from(["", "+", "-"]), st.sampled_from(TAGS))
terms = st.lists(plain_terms | st.lists(plain_terms, max_size=3).map(tuple), max_size=4)
offers = st.lists(st.sampled_from(TAGS), max_size=4)


@pytest.mark.parametrize(
    ("wanted", "offered", "score"),
    [
        ([], "a", 0),
        (["a"], "a b", 5),
        (["a", "b"], "a b", 10),
        (["a", "b"], "a", None),
        (["A"], "a", None),
        (["+a"], "a", 10),
        (["+a"], "b", 0),
        (["-a"], "b", 0),
        (["-a"], "a", None),
        (["+a", "-a"], "a", None),
        (["", "+", "-"], "a", 0),
        (["a", "a"], "a", 10),
        (["++a"], "+a", 10),
        (["--a"], "-a", None),
        ([("a", "b")], "b", 5),
        ([("a", "+b")], "a b", 10),
        ([("+b", "a")], "a b", 10),
        ([("a", "b")], "a b", 5),
        ([("a", "b")], "c", None),
        ([("a", "-b")], "a b", None),
        ([("a", "-b")], "a", 5),
        ([("-a", "-b")], "c", None),
        ([("+a",)], "b", None),
        ([("",)], "a", None),
        ([()], "a", 0),
        (["a", ("b", "c"), "+d"], "a c d", 20),
    ],
)
def test_score(wanted: list[TagTerm], offered: str, score: int | None) -> None:
    """Every pair was answered alike by upstream's registry (3.7.1)."""
    assert tag_score(wanted, offered.split()) == score


@given(wanted=terms, offered=offers)
def test_agrees_with_the_definition(wanted: list[TagTerm], offered: list[str]) -> None:
    """Exclusions first, then one sum: the score as one would define it in prose."""
    groups = [term if isinstance(term, tuple) else (term,) for term in wanted]
    present = set(offered) - {""}
    excluded = {member[1:] for group in groups for member in group if member.startswith("-")}
    expected: int | None = 0
    for term, group in zip(wanted, groups, strict=True):
        gains = [10 for m in group if m.startswith("+") and m[1:] in present]
        gains += [5 for m in group if not m.startswith(("+", "-")) and m in present]
        optional = isinstance(term, str) and (not term or term[0] in "+-")
        if not gains and not optional and group:
            expected = None
        if expected is not None:
            expected += max(gains, default=0)
    assert tag_score(wanted, offered) == (None if excluded & present else expected)


@given(wanted=terms, offered=offers)
def test_order_and_repetition_of_offers_do_not_matter(
    wanted: list[TagTerm], offered: list[str]
) -> None:
    """A tool that repeats or reorders its tags scores the same."""
    assert tag_score(wanted, offered) == tag_score(wanted, [*reversed(offered), *offered])

"""Selectors: their text, and what they select."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshaccel import InvalidRequestError, Selector
from meshaccel.discovery.selector import Facts

TEXT = st.text(min_size=1, max_size=8).filter(lambda text: text == text.strip())
SELECTORS = st.builds(
    Selector,
    namespace=st.none() | TEXT,
    status=st.none() | st.sampled_from(["healthy", "unhealthy"]),
    labels=st.dictionaries(TEXT, TEXT, max_size=3),
    capabilities=st.lists(TEXT, max_size=3, unique=True).map(tuple),
)


@given(SELECTORS)
def test_text_says_it_all(selector: Selector) -> None:
    """Whatever is in a name or a value: commas, equals signs, percent signs, other scripts."""
    read = Selector.parse(str(selector))
    assert str(read) == str(selector)
    assert (read.namespace, read.status) == (selector.namespace, selector.status)
    assert read.labels == selector.labels
    assert read.capabilities == tuple(sorted(selector.capabilities))
    assert bool(read) == bool(str(selector))


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("", ""),
        (",", ""),
        (" namespace = eu ", "namespace=eu"),
        ("capability=b,capability=a,capability=b", "capability=a,capability=b"),
        ("label.a=1,namespace=eu,label.a=1", "namespace=eu,label.a=1"),
        ("label.a%2Cb=c%3Dd", "label.a%2Cb=c%3Dd"),
    ],
)
def test_one_meaning_one_text(text: str, canonical: str) -> None:
    """So that readers who mean the same share what is kept for them."""
    assert str(Selector.parse(text)) == canonical


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("namespace", "'namespace' is not a NAME=VALUE"),
        ("namespace=", "'namespace=' is not a NAME=VALUE"),
        ("colour=red", "'colour' is none of namespace, status, capability, label.NAME"),
        ("namespace=a,namespace=b", "'namespace' cannot be two things at once"),
    ],
)
def test_malformed(text: str, complaint: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        Selector.parse(text)
    assert str(caught.value) == f"selector: {complaint}"


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("", True),
        ("namespace=eu,status=healthy,label.tier=gold,capability=x", True),
        ("capability=z,capability=y", True),
        ("namespace=us", False),
        ("status=unhealthy", False),
        ("label.tier=lead", False),
        ("label.other=gold", False),
        ("capability=z", False),
        ("namespace=eu,capability=z", False),
    ],
)
def test_what_is_selected(text: str, *, selected: bool) -> None:
    facts = Facts("eu", "healthy", {"tier": "gold", "zone": "b"}, ("x", "y"))
    assert Selector.parse(text).matches(facts) == selected

"""Choosing one candidate: filters, ranking and ties."""

from functools import cmp_to_key

from hypothesis import given
from hypothesis import strategies as st

from meshaccel.models import Candidate, Dependency, TagTerm, Tool
from meshaccel.registry.resolution import parse_constraint, select, tag_score, version_key

Tags = tuple[str, ...]


def candidate(
    agent_id: str, version: str | None = None, tags: Tags = (), name: str = "f"
) -> Candidate:
    tool = Tool(function_name=name, capability="c", version=version, tags=tags)
    return Candidate(agent_id, f"http://{agent_id}", tool)


def chosen(dependency: Dependency, *candidates: Candidate) -> str | None:
    best = select(dependency, candidates)
    return None if best is None else best.agent_id


def test_no_candidate() -> None:
    """Without candidates, or without matching ones, nothing is selected."""
    assert select(Dependency(capability="c"), []) is None
    assert select(Dependency(capability="c", tags=("x",)), [candidate("a")]) is None
    assert select(Dependency(capability="c", version=">1"), [candidate("a")]) is None


def test_tags_outrank_version_and_version_outranks_agent_id() -> None:
    """A better tag score beats any version, a higher version any agent id."""
    old, new = candidate("z", "1.0.0", ("a", "b")), candidate("a", "9.0.0", ("a",))
    assert chosen(Dependency(tags=("a", "+b")), new, old) == "z"
    assert chosen(Dependency(tags=("a",)), old, new) == "a"
    assert chosen(Dependency(), candidate("a", "1.9.0"), candidate("z", "1.10.0")) == "z"


def test_unparseable_versions_rank_last() -> None:
    """What is no version loses against any version, and ranks by its text among its kind."""
    assert chosen(Dependency(), candidate("a", "zzz"), candidate("z", "0.0.1-a")) == "z"
    assert chosen(Dependency(), candidate("a", "x"), candidate("z", "y")) == "z"


def test_agent_ids_by_bytes() -> None:
    """The last difference between agents is the byte order of their ids."""
    ids = ["b", "é", "a-1", "Z", "a.1", "\U0001f600", "\uffff"]
    assert chosen(Dependency(), *map(candidate, ids)) == min(ids, key=str.encode)


def test_functions_of_one_agent_in_declared_order() -> None:
    """Of two equal functions of one agent the one declared first is taken."""
    best = select(Dependency(), [candidate("a", name="z"), candidate("a", name="b")])
    assert best is not None
    assert best.tool.function_name == "z"


def test_version_defaults() -> None:
    """A tool without a version counts as 1.0.0, for constraints and for ranking."""
    for absent in (None, ""):
        assert chosen(Dependency(version="=1.0.0"), candidate("a", absent)) == "a"
        assert chosen(Dependency(), candidate("a", absent), candidate("b", "1.0.1")) == "b"
        assert chosen(Dependency(version=""), candidate("a", "odd"), candidate("b", absent)) == "b"


def test_prereleases_compete_unless_constrained() -> None:
    """Without a constraint a pre-release may win, with a plain one it does not match."""
    two = candidate("a", "2.0.0-rc.1"), candidate("b", "1.0.0")
    assert chosen(Dependency(), *two) == "a"
    assert chosen(Dependency(version=">=1"), *two) == "b"


def test_schema_and_eligibility_are_conditions_too() -> None:
    """A candidate that fails the schema or the caller's condition leaves the next best."""
    first = Candidate(
        "a", "", Tool(version="2.0.0", output_schema_hash="odd", output_schema_canonical={})
    )
    others = [candidate("b", "1.5.0"), candidate("c", "1.0.0")]
    strict = Dependency(match_mode="strict", expected_schema_hash="h")
    typed = Candidate(
        "d", "", Tool(version="0.1.0", output_schema_hash="h", output_schema_canonical={})
    )
    assert chosen(strict, first, *others, typed) == "d"
    spared = select(Dependency(), [first, *others], lambda c: c.agent_id not in {"a", "b"})
    assert spared is not None
    assert spared.agent_id == "c"


def test_eligibility_is_asked_of_winners_only() -> None:
    """The costly condition is not evaluated for candidates that cannot win."""
    asked: list[str] = []

    def note(asked_of: Candidate) -> bool:
        asked.append(asked_of.agent_id)
        return True

    select(Dependency(), [candidate("a"), *(candidate(f"b{i}") for i in range(100))], note)
    assert asked == ["a"]


tags = st.lists(st.sampled_from("abc"), max_size=3).map(tuple)
terms = st.lists(
    st.sampled_from(["a", "+b", "-c", "+c", ("a", "+b"), ("b", "-c")]), max_size=3
).map(tuple)
candidates = st.lists(
    st.builds(
        candidate,
        agent_id=st.sampled_from("pqr"),
        version=st.sampled_from([None, "1.0.0", "1.1", "2.0.0-rc.1", "2.0.0", "odd"]),
        tags=tags,
        name=st.sampled_from("fgh"),
    ),
    max_size=8,
)
constraints = st.sampled_from([None, "", "^1", ">=2.0.0-0", "odd", "*"])


@given(wanted=terms, constraint=constraints, offered=candidates)
def test_is_the_first_of_a_full_sort(
    wanted: tuple[TagTerm, ...], constraint: str | None, offered: list[Candidate]
) -> None:
    """The single pass finds what filtering everything and sorting it finds."""

    def version(one: Candidate) -> str:
        return one.tool.version or "1.0.0"

    def score(one: Candidate) -> int | None:
        return tag_score(wanted, one.tool.tags or ())

    def compare(one: Candidate, other: Candidate) -> int:
        mine, theirs = ((score(c) or 0, version_key(version(c))) for c in (one, other))
        if mine != theirs:
            return -1 if mine > theirs else 1
        return (one.agent_id > other.agent_id) - (one.agent_id < other.agent_id)

    matching = [
        one
        for one in offered
        if score(one) is not None
        and (not constraint or parse_constraint(constraint).matches(version(one)))
    ]
    expected = next(iter(sorted(matching, key=cmp_to_key(compare))), None)
    assert select(Dependency(tags=wanted, version=constraint), offered) is expected

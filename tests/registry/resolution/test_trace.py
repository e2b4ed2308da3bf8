"""Tracing one dependency: it tells what ``select`` did, and never at length.

The words are compared with upstream's in ``tests/conformance/scenarios/events.json``.
"""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from meshaccel.models import Candidate, Dependency, Tool
from meshaccel.registry.resolution import Availability, Trace, explain, is_subset, select
from meshaccel.registry.resolution.faults import MAX_REASONS, MAX_TEXT, differences
from meshaccel.registry.resolution.trace import MAX_IDS

STAGES = ["health", "capability_match", "tags", "version", "schema", "tiebreaker"]


def candidate(agent_id: str, name: str = "f", **fields: Any) -> Candidate:
    return Candidate(agent_id, f"http://{agent_id}", Tool(function_name=name, **fields))


def trace(dependency: Dependency, *healthy: Candidate, down: tuple[Candidate, ...] = ()) -> Trace:
    return explain(dependency, healthy, down, Availability({"cap": healthy, "need": ()}))


words = st.sampled_from(["a", "b", "c", ""])
terms = st.tuples(st.sampled_from(["", "+", "-"]), words).map("".join)
required = st.just(Dependency(capability="need", required=True))
schemas = st.recursive(
    st.fixed_dictionaries(
        {}, optional={"type": st.sampled_from(["string", "number", ["integer"]])}
    ),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["object", "array", ["object", "null"]]),
            "required": st.lists(words, max_size=3),
            "properties": st.dictionaries(words, inner, max_size=3) | st.none(),
            "items": inner | st.none(),
        },
    ),
    max_leaves=8,
)
hashes = st.sampled_from([None, "", "1", "2"])
candidates = st.builds(
    candidate,
    st.sampled_from(["p", "q", "r"]),
    st.sampled_from(["f", "g"]),
    tags=st.lists(words, max_size=3).map(tuple) | st.none(),
    version=st.sampled_from([None, "", "1.0.0", "2.1.0", "odd"]),
    dependencies=st.none() | st.tuples(required),
    output_schema_canonical=schemas | st.none(),
    output_schema_hash=hashes,
)
dependencies = st.builds(
    Dependency,
    capability=st.just("cap"),
    tags=st.lists(terms | st.lists(terms, max_size=2).map(tuple), max_size=3).map(tuple)
    | st.none(),
    version=st.sampled_from([None, "", ">=1", "<2", "odd"]),
    match_mode=st.sampled_from([None, "", "strict", "subset", "odd"]),
    expected_schema=schemas | st.none(),
    expected_schema_hash=hashes,
)


@given(dependencies, st.lists(candidates, max_size=6), st.lists(candidates, max_size=2))
def test_a_trace_leads_to_what_is_selected(
    dependency: Dependency, healthy: list[Candidate], down: list[Candidate]
) -> None:
    availability = Availability({"cap": healthy, "need": ()})
    found = explain(dependency, healthy, down, availability)
    assert found.chosen is select(
        dependency, healthy, lambda one: availability.is_available(one.tool)
    )
    assert found.evicted == any(stage.get("evicted") for stage in found.stages)


@given(dependencies, st.lists(candidates, max_size=6), st.lists(candidates, max_size=2))
def test_every_candidate_is_accounted_for(
    dependency: Dependency, healthy: list[Candidate], down: list[Candidate]
) -> None:
    """What a stage keeps and drops is what the one before kept; the trace ends with nobody left."""
    found = explain(dependency, healthy, down, Availability({"cap": healthy, "need": ()}))
    left = sorted(f"{one.agent_id}:{one.tool.function_name}" for one in [*healthy, *down])
    for stage in found.stages:
        evicted = [entry["id"] for entry in stage.get("evicted", ())]
        assert sorted([*stage["kept"], *evicted]) == left
        left = sorted(stage["kept"])
    names = [stage["stage"] for stage in found.stages]
    assert names == STAGES[: len(names)]
    assert bool(left) == (names == STAGES) == (found.chosen is not None)


@given(schemas, schemas)
def test_schemas_differ_where_one_does_not_serve(expected: Any, produced: Any) -> None:
    assert is_subset(expected, produced) == (not list(differences(expected, produced)))


def test_unhealthy_and_unavailable_candidates() -> None:
    needy = Dependency(capability="need", required=True)
    stuck = candidate("stuck", dependencies=(needy,))
    found = trace(Dependency(capability="cap"), stuck, down=(candidate("gone"),))
    assert found.stages == (
        {
            "stage": "health",
            "kept": [],
            "evicted": [
                {"id": "gone:f", "reason": "Unhealthy", "details": {"status": "unhealthy"}},
                {
                    "id": "stuck:f",
                    "reason": "Unavailable",
                    "details": {"reason": "required dep 'need' unresolved"},
                },
            ],
        },
    )


def test_nobody_offers_it() -> None:
    found = trace(Dependency(capability="cap"))
    assert found == Trace(({"stage": "health", "kept": []},), evicted=False, chosen=None)


def test_of_ten_thousand_candidates_few_are_listed() -> None:
    """The others are counted; the choice comes first although it is the last of all."""
    count = 10_000
    healthy = [candidate(f"p{n:05}", version=f"1.{n}.0", tags=("t",)) for n in range(count)]
    down = tuple(candidate(f"q{n}") for n in range(count))
    found = trace(Dependency(capability="cap", version=">=1.100"), *healthy, down=down)
    health, _, _, version, _, tiebreaker = found.stages
    assert health["omitted"] == {"kept": count - MAX_IDS, "evicted": count - MAX_IDS}
    assert version["omitted"] == {"kept": count - 100 - MAX_IDS, "evicted": 100 - MAX_IDS}
    assert tiebreaker["omitted"] == {"kept": count - 100 - MAX_IDS}
    assert tiebreaker["kept"] == [f"p{count - 1 - n:05}:f" for n in range(MAX_IDS)]
    assert tiebreaker["chosen"] == "p09999:f"
    assert len(msgspec.json.encode(found.stages)) < 20_000


def test_nothing_that_agents_write_is_repeated_at_length() -> None:
    """Neither long texts nor long lists make a trace long, whatever it is about."""
    long, many = "x" * 100_000, [f"t{n}" for n in range(10_000)]
    wide = {"type": [*many], "required": [long, *many]}
    spec = Dependency(tags=(*many, long), version=long, match_mode="subset", expected_schema=wide)
    given_schema = {"type": long}
    for dependency, tool in (
        (Dependency(tags=spec.tags), {}),
        (Dependency(tags=(tuple(many),)), {}),
        (Dependency(tags=(f"-{long}",)), {"tags": (long,)}),
        (Dependency(version=long), {"version": long * 2}),
        (
            Dependency(match_mode="subset", expected_schema=wide, expected_schema_hash=long),
            {"output_schema_canonical": given_schema, "output_schema_hash": long * 2},
        ),
    ):
        found = trace(dependency, candidate("p", long, **tool))
        assert found.chosen is None
        assert len(msgspec.json.encode(found.stages)) < 2 * MAX_REASONS * (MAX_TEXT + 100)


def test_schemas_of_any_depth() -> None:
    expected: dict[str, Any] = {"type": "string"}
    produced: dict[str, Any] = {"type": "null"}
    for _ in range(5000):
        expected, produced = {"items": expected}, {"items": produced}
    (difference,) = differences(expected, produced)
    assert difference["kind"] == "type_mismatch"
    assert difference["path"].endswith("…")

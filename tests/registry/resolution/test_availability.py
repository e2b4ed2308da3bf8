"""Whether tools can work, transitively, and what is said when they cannot."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshaccel.models import Candidate, Dependency, TagTerm, Tool
from meshaccel.registry.resolution import Availability, Lookup, missing_capabilities


def needs(capability: str, *tags: TagTerm, version: str | None = None) -> Dependency:
    return Dependency(capability=capability, tags=tags, version=version, required=True)


def tool(capability: str, *dependencies: Dependency, tags: tuple[str, ...] = ()) -> Tool:
    return Tool(capability=capability, dependencies=dependencies or None, tags=tags)


def mesh(*tools: Tool, **named: Tool) -> dict[str, list[Candidate]]:
    lookup: dict[str, list[Candidate]] = {}
    agents = {**{f"agent-{i}": one for i, one in enumerate(tools)}, **named}
    for agent_id, one in agents.items():
        lookup.setdefault(one.capability or "", []).append(Candidate(agent_id, "", one))
    return lookup


def test_optional_dependencies_never_matter() -> None:
    """Only required dependencies that name a capability count."""
    optional = Dependency(capability="nowhere")
    declined = Dependency(capability="nowhere", required=False)
    nameless = (Dependency(required=True), Dependency(capability="", required=True))
    fine = tool("a", optional, declined, *nameless)
    assert Availability({}).is_available(fine)
    assert Availability({}).unavailable_reason(fine) is None
    assert Availability({}).is_available(Tool(capability="a"))


def test_chain() -> None:
    """A missing leaf makes everything above it unavailable."""
    top, middle, leaf = tool("top", needs("middle")), tool("middle", needs("leaf")), tool("leaf")
    assert Availability(mesh(top, middle, leaf)).is_available(top)
    broken = Availability(mesh(top, middle))
    assert not broken.is_available(top)
    assert not broken.is_available(middle)


def test_any_available_match_is_enough() -> None:
    """An unavailable provider does not matter beside an available one that matches."""
    top = tool("top", needs("middle"))
    stuck, free = tool("middle", needs("nowhere")), tool("middle", tags=("x",))
    assert Availability(mesh(stuck, free)).is_available(top)
    assert not Availability(mesh(stuck, free)).is_available(tool("top", needs("middle", "-x")))


def test_shared_providers() -> None:
    """Two providers may meet one dependency, and one provider two different ones."""
    top = tool("top", needs("middle", "x"), needs("middle", "+x"))
    middle = [tool("middle", needs("leaf"), tags=("x",)) for _ in range(2)]
    leaf = [tool("leaf", needs("root")), tool("root")]
    availability = Availability(mesh(top, *middle, *leaf))
    assert availability.is_available(top)
    assert all(availability.is_available(one) for one in middle)


def test_functions_are_judged_apart() -> None:
    """Of one agent's functions for a capability, only those that lack something are out."""
    good, bad = tool("c"), tool("c", needs("nowhere"))
    availability = Availability({"c": [Candidate("p", "", good), Candidate("p", "", bad)]})
    assert availability.is_available(good)
    assert not availability.is_available(bad)


def test_cycle_is_unavailable_unless_there_is_a_way_out() -> None:
    """Tools that only hold each other up are unavailable; one outside provider frees them."""
    a, b = tool("a", needs("b")), tool("b", needs("a"))
    assert not Availability(mesh(a, b)).is_available(a)
    assert not Availability(mesh(tool("s", needs("s")))).is_available(tool("s", needs("s")))
    for order in ((a, b, tool("b")), (tool("b"), b, a)):
        availability = Availability(mesh(*order))
        assert availability.is_available(b)
        assert availability.is_available(a)


@pytest.mark.parametrize("closed", [False, True])
def test_long_chains(*, closed: bool) -> None:
    """A chain of ten thousand is decided without recursion, and so is one that is a cycle."""
    links = [tool(f"c{i}", needs(f"c{i + 1}")) for i in range(10_000)]
    last = tool("c10000", needs("c0")) if closed else tool("c10000")
    availability = Availability(mesh(*links, last))
    assert availability.is_available(links[0]) is not closed
    assert availability.is_available(links[5_000]) is not closed


def test_replicas_share_the_work() -> None:
    """A thousand replicas on a thousand replicas are decided without comparing all pairs."""
    upper = [tool("upper", needs("lower")) for _ in range(1_000)]
    lower = [tool("lower", needs("nowhere")) for _ in range(1_000)]
    started = time.perf_counter()
    availability = Availability(mesh(*upper, *lower))
    assert not any(availability.is_available(one) for one in upper)
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize(
    ("dependency", "reason"),
    [
        (needs("none"), "unresolved"),
        (needs("none", "x", "+y", ("p", "q")), "unresolved (no provider matches tags=[x +y])"),
        (needs("have", ("p", "q")), "unresolved"),
        (needs("have", "z"), "unresolved (no provider matches tags=[z])"),
        (needs("have", version=">=2"), "unresolved (no provider matches version >=2)"),
        (
            Dependency(
                capability="have", required=True, tags=("z",), version="^1", match_mode="subset"
            ),
            "unresolved (no provider matches tags=[z], version ^1, schema=subset)",
        ),
        (
            Dependency(capability="have", required=True, match_mode="strict"),
            "unavailable (provider p unavailable)",
        ),
        (needs("was"), "unavailable (provider gone unhealthy)"),
        (needs("was", "z"), "unresolved (no provider matches tags=[z])"),
        (needs("stuck"), "unavailable (provider s unavailable)"),
        (needs("both"), "unavailable (provider gone unhealthy)"),
    ],
)
def test_reasons(dependency: Dependency, reason: str) -> None:
    """The texts are upstream's: unhealthy before unavailable, constraints if none matches."""
    stuck = needs("nowhere")
    lookup = mesh(p=tool("have"), s=tool("stuck", stuck), s2=tool("both", stuck))
    unhealthy = {name: [Candidate("gone", "", tool(name))] for name in ("was", "both")}
    shown = Availability(lookup, unhealthy).unavailable_reason(tool("top", dependency))
    assert shown == f"required dep '{dependency.capability}' {reason}"


def test_first_unmet_dependency_is_explained() -> None:
    """Met dependencies are passed over, and only the first of the others is named."""
    top = tool("top", needs("have"), needs("x"), needs("y"))
    assert Availability(mesh(tool("have"))).unavailable_reason(top) == "required dep 'x' unresolved"


def test_missing_capabilities_level_by_level() -> None:
    """Asking with what was loaded last walks the required edges until nothing is missing."""
    stored = mesh(
        tool("a", needs("b"), needs("c"), Dependency(capability="optional")),
        tool("b", needs("d")),
        tool("d", needs("a")),
    )
    lookup: Lookup = {"a": stored["a"]}
    added = [candidate.tool for candidate in stored["a"]]
    levels = []
    while names := missing_capabilities(added, lookup):
        levels.append(sorted(names))
        level = {name: stored.get(name, []) for name in names}
        lookup = {**lookup, **level}
        added = [candidate.tool for candidates in level.values() for candidate in candidates]
    assert levels == [["b", "c"], ["d"]]


edges = st.builds(needs, st.sampled_from("abcdx"), st.sampled_from(["+p", "p", "q", "-q"]))
meshes = st.lists(
    st.builds(
        lambda name, wants, tags: tool(name, *wants, tags=tags),
        st.sampled_from("abcd"),
        st.lists(edges, max_size=2),
        st.sampled_from([(), ("p",), ("q",), ("p", "q")]),
    ),
    max_size=8,
)


@given(tools=meshes, data=st.data())
def test_agrees_with_repeated_rounds(tools: list[Tool], data: st.DataObject) -> None:
    """Whatever is asked first, verdicts are those of adding tools until nothing changes."""

    def offers(provider: Tool, dependency: Dependency) -> bool:
        (term,) = dependency.tags or ("",)
        tags = provider.tags or ()
        assert isinstance(term, str)
        wanted = {"p": "p" in tags, "q": "q" in tags, "-q": "q" not in tags}.get(term, True)
        return provider.capability == dependency.capability and wanted

    able: list[Tool] = []
    for _ in tools:
        able = [
            one
            for one in tools
            if all(any(offers(p, d) for p in able) for d in one.dependencies or ())
        ]
    availability = Availability(mesh(*tools))
    for one in data.draw(st.permutations(tools)):
        assert availability.is_available(one) is any(one is other for other in able)
        assert (availability.unavailable_reason(one) is None) is availability.is_available(one)

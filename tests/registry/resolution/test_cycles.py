"""Cycles of required dependencies at registration."""

from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshaccel.models import Dependency, Tool
from meshaccel.registry.resolution import cycle_message, find_required_cycle, required_edges

Edges = dict[str, set[str]]


def graph(text: str) -> Edges:
    edges: Edges = {}
    for edge in text.split():
        source, target = edge.split(">")
        edges.setdefault(source, set()).add(target)
    return edges


def test_required_edges() -> None:
    """Edges come from required dependencies between names; functions of one name add up."""

    def tool(capability: str | None, *names: str | None, required: bool = True) -> Tool:
        wanted = tuple(Dependency(capability=name, required=required) for name in names)
        return Tool(capability=capability, dependencies=wanted)

    tools = [tool("a", "b", "c", None, ""), tool("a", "d"), tool("b", "x", required=False)]
    assert required_edges([*tools, tool(None, "y"), Tool(capability="z")]) == graph("a>b a>c a>d")


@pytest.mark.parametrize(
    ("declared", "stored", "message"),
    [
        ("s>s", "", "s → s"),
        ("a>b", "b>c c>a", "a → b → c → a"),
        ("a>b", "b>c c>a aa>c", "a → b → c → a"),
        ("a>b", "b>c c>a 0>c", "c → a → b → c"),
        ("é>a", "a>é", "a → é → a"),
        ("a>c a>b", "b>a c>a", "a → b → a"),
    ],
)
def test_cycle_is_worded_as_upstream(declared: str, stored: str, message: str) -> None:
    """The walk starts at the first name by bytes; the loop starts where the walk entered it."""
    cycle = find_required_cycle(graph(declared), graph(stored))
    assert cycle is not None
    assert cycle_message(cycle) == f"required dependency cycle: {message}"


def test_nothing_declared_closes_no_cycle() -> None:
    """An agent that requires nothing is not refused for a cycle of others."""
    assert find_required_cycle({}, graph("a>b b>a")) is None


def test_acyclic_graphs_pass() -> None:
    """Diamonds and shared targets are not cycles."""
    assert find_required_cycle(graph("a>b a>c"), graph("b>d c>d d>e")) is None


def test_long_cycle() -> None:
    """A cycle of ten thousand names is found without recursion."""
    stored = {f"{i:05}": {f"{i + 1:05}"} for i in range(10_000)}
    assert find_required_cycle(graph("x>00000"), stored) is None
    cycle = find_required_cycle({"10000": {"00000"}}, stored)
    assert cycle is not None
    assert len(cycle) == 10_002
    assert cycle[0] == cycle[-1] == "00000"


graphs = st.dictionaries(st.sampled_from("abcdé"), st.sets(st.sampled_from("abcdéx")), max_size=5)


@given(declared=graphs, stored=graphs)
def test_agrees_with_topological_sorting(declared: Edges, stored: Edges) -> None:
    """A cycle is reported exactly if there is one, and what is reported is one."""
    merged = {name: declared.get(name, set()) | stored.get(name, set()) for name in "abcdé"}
    try:
        TopologicalSorter(merged).prepare()
        cyclic = False
    except CycleError:
        cyclic = bool(declared)
    cycle = find_required_cycle(declared, stored)
    assert (cycle is not None) is cyclic
    if cycle is not None:
        assert cycle[0] == cycle[-1]
        assert len(set(cycle)) == len(cycle) - 1
        assert all(target in merged[source] for source, target in pairwise(cycle))

"""Tools selected for language models, and the providers that run them."""

from typing import Any

import msgspec
import pytest

from meshaccel.models import Candidate, Dependency, LlmProviderRequest, Tool
from meshaccel.registry.resolution import (
    LlmFilter,
    llm_provider_dependency,
    parse_llm_filter,
    select_llm_provider,
    select_llm_tools,
)


def offer(
    agent_id: str,
    name: str,
    capability: str,
    version: str | None = None,
    tags: str = "",
    **more: Any,
) -> Candidate:
    fields = {"input_schema": {"type": "object"}, **more}
    tool = Tool(
        function_name=name,
        capability=capability,
        version=version,
        tags=tuple(tags.split()),
        **fields,
    )
    return Candidate(agent_id, f"http://{agent_id}", tool)


MESH = [
    offer("z", "t1", "ca", "1.0.0", "x"),
    offer("z", "t2", "cb", "1.0.0", "x y"),
    offer("z", "t3", "ca", "3.0.0", "x y"),
    offer("z", "bare", "ca", "9.0.0", "x y", input_schema=None),
    offer("a", "t1", "ca", "2.0.0", "x y z"),
    offer("a", "t4", "ca", "3.0.0", "x y z"),
    offer("a", "own", "cc", "odd"),
]
LOOKUP = {name: [c for c in MESH if c.tool.capability == name] for name in ("ca", "cb", "cc")}


def selected(*entries: Any, mode: Any = "all", agent_id: str = "asker") -> str:
    wanted = parse_llm_filter({"filter": list(entries), "filter_mode": mode})
    assert wanted is not None
    tools = select_llm_tools(wanted, agent_id, LOOKUP, MESH)
    return " ".join(f"{tool.endpoint[7:]}.{tool.name}" for tool in tools)


ALL = "z.t1 z.t2 z.t3 a.t4 a.own"


@pytest.mark.parametrize(
    ("entries", "result"),
    [
        ([], ""),
        (["ca"], "z.t1 z.t3 a.t4"),
        (["cb", "ca"], "z.t2 z.t1 z.t3 a.t4"),
        (["ca", "ca", {"capability": "ca"}], "z.t1 z.t3 a.t4"),
        ([{"capability": "ca", "version": ">=2"}], "z.t3 a.t1 a.t4"),
        ([{"capability": "ca", "version": ""}], "z.t1 z.t3 a.t4"),
        ([{"version": "odd"}], "a.own"),
        ([{"tags": ["y"]}], "z.t2 z.t3 a.t1 a.t4"),
        ([{"tags": ["+y", "+z", "x"]}], "a.t1 a.t4 z.t2 z.t3"),
        ([{"tags": ["-x"]}], "a.own"),
        ([{"tags": [["y", "q"], 5, None]}], ALL),
        ([{"tags": ["y", ["q"]]}], "z.t2 z.t3 a.t1 a.t4"),
        ([{"tags": "y"}], ALL),
        ([{}], ALL),
        (["*"], ALL),
        ([{"capability": None, "version": 2}], ALL),
        ([{"capability": "*"}], ""),
        ([{"capability": ""}], ""),
        ([""], ""),
        (["CA"], ""),
    ],
)
def test_entries(entries: list[Any], result: str) -> None:
    """Entries add up in their order, one function name once; as upstream selects."""
    assert selected(*entries) == result


def test_modes() -> None:
    """``*`` takes all but the asker's own, whatever the entries; an unknown mode is ``all``."""
    assert selected("nope", mode="*", agent_id="z") == "a.t1 a.t4 a.own"
    assert selected(5, mode="*", agent_id="a") == "z.t1 z.t2 z.t3"
    assert selected("*", agent_id="a") == ALL
    for mode in ("bogus", None, 3):
        assert selected("ca", mode=mode) == "z.t1 z.t3 a.t4"


def test_best_match() -> None:
    """One per capability: highest version, then most tags; by tags if one has no version."""
    assert selected("ca", mode="best_match") == "a.t4"
    assert selected("cb", "ca", mode="best_match") == "z.t2 a.t4"
    odd = [offer("a", "f", "c", "odd", "t"), offer("b", "g", "c", "2.0.0"), offer("c", "h", "c")]
    wanted = LlmFilter((Dependency(capability="c"),), "best_match")
    (best,) = select_llm_tools(wanted, "", {"c": odd}, ())
    assert best.name == "f"


@pytest.mark.parametrize(
    "raw",
    [
        *({}, {"filter": None}, {"filter": "ca"}, {"filter": {"capability": "ca"}}),
        *({"filter_mode": "*"}, {"filter": [5]}, {"filter": ["ca", None]}, {"filter": [["ca"]]}),
    ],
)
def test_void_filters(raw: dict[str, Any]) -> None:
    """A filter that is no list, or lists what is neither name nor object, says nothing."""
    assert parse_llm_filter(raw) is None


def test_capabilities_to_load() -> None:
    """A filter tells which capabilities it chooses from, or that it needs all."""

    def capabilities(*entries: Any, mode: str = "all") -> frozenset[str] | None:
        wanted = parse_llm_filter({"filter": list(entries), "filter_mode": mode})
        assert wanted is not None
        return wanted.capabilities

    assert capabilities("a", {"capability": "b"}) == frozenset("ab")
    assert capabilities() == frozenset()
    assert capabilities("a", {"tags": ["x"]}) is None
    assert capabilities("a", mode="*") is None


def test_tool_on_the_wire() -> None:
    """All seven fields are there, empty or not, under upstream's names."""
    bare = offer("a", "f", "c", input_schema={}, kwargs={"x": 1})
    tools = select_llm_tools(LlmFilter((Dependency(capability="c"),), "all"), "", {"c": [bare]}, ())
    assert msgspec.to_builtins(tools) == (
        {
            "name": "f",
            "capability": "c",
            "description": "",
            "endpoint": "http://a",
            "inputSchema": {},
            "tags": (),
            "version": "1.0.0",
        },
    )


PROVIDERS = [
    offer("p3", "serve", "llm", "1.0.0", "a"),
    offer("p1", "serve", "llm", "1.0.0", "a"),
    offer("p2", "s1", "llm", "2.0.0", "a"),
    offer("p2", "s0", "llm", "2.0.0", "a"),
    offer("p4", "serve", "llm", "odd", "a b"),
    offer("p0", "serve", "llm", "9.0.0", "a b", input_schema=None),
]


@pytest.mark.parametrize(
    ("spec", "agent_and_function"),
    [
        ({}, "p3 serve"),
        ({"tags": []}, "p3 serve"),
        ({"tags": [None]}, "p3 serve"),
        ({"tags": [""]}, "p2 s1"),
        ({"tags": ["a"]}, "p2 s1"),
        ({"tags": ["+b"]}, "p4 serve"),
        ({"tags": ["a"], "version": "<2"}, "p1 serve"),
        ({"version": ">=2"}, "p2 s1"),
        ({"version": "odd"}, "p4 serve"),
        ({"tags": ["zzz"]}, None),
        ({"version": "9"}, None),
    ],
)
def test_provider(spec: dict[str, Any], agent_and_function: str | None) -> None:
    """With tags the best, without the first registered; only with an input schema."""
    wanted = llm_provider_dependency(LlmProviderRequest(capability="llm", **spec))
    assert wanted is not None
    provider = select_llm_provider(wanted, PROVIDERS)
    found = None if provider is None else f"{provider.agent_id} {provider.name}"
    assert found == agent_and_function


@pytest.mark.parametrize("raw", [{}, {"capability": ""}, {"tags": ("a",)}])
def test_provider_needs_a_capability(raw: dict[str, Any]) -> None:
    """Without the name of a capability nothing is asked for."""
    assert llm_provider_dependency(LlmProviderRequest(**raw)) is None


@pytest.mark.parametrize(
    ("kwargs", "vendor"),
    [(None, "unknown"), ({}, "unknown"), ({"vendor": 7}, "unknown"), ({"vendor": "v"}, "v")],
)
def test_provider_on_the_wire(kwargs: dict[str, Any] | None, vendor: str) -> None:
    """The vendor is the text in kwargs; empty tags and kwargs are left out."""
    wanted = Dependency(capability="llm")
    found = select_llm_provider(wanted, [offer("a", "f", "llm", kwargs=kwargs)])
    assert msgspec.to_builtins(found) == {
        "name": "f",
        "endpoint": "http://a",
        "agent_id": "a",
        "capability": "llm",
        "status": "available",
        "vendor": vendor,
        "version": "1.0.0",
        **({"kwargs": kwargs} if kwargs else {}),
    }

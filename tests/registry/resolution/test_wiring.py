"""The wiring of whole agents."""

from typing import Any

import msgspec

from meshaccel.models import Candidate, Dependency, LlmProviderRequest, Tool
from meshaccel.registry.resolution import Demand, Resolver, Wiring, demand_of

EMPTY = {"agent_id": "", "endpoint": "", "function_name": "", "status": "unresolved"}
ECHO = Tool(function_name="serve", capability="echo", input_schema={}, kwargs={"task": False})
LOOKUP = {"echo": [Candidate("p", "http://p", ECHO)]}


def wire(*tools: Tool, agent_id: str = "consumer") -> dict[str, Any]:
    everything = [candidate for candidates in LOOKUP.values() for candidate in candidates]
    wiring = Resolver(LOOKUP, everything).resolve_agent(agent_id, tools)
    decoded: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(wiring))
    return decoded


def function(name: str | None, *capabilities: str | None, **more: Any) -> Tool:
    wanted = tuple(Dependency(capability=capability) for capability in capabilities)
    return Tool(function_name=name, dependencies=wanted, **more)


def test_nothing_to_wire() -> None:
    """The two maps agents read first are there even if empty, the third is not."""
    assert wire() == {"dependencies_resolved": {}, "llm_tools": {}}
    assert wire(Tool(function_name="f"), function("g")) == wire()


def test_entries_are_aligned_with_the_declaration() -> None:
    """Unresolved dependencies keep their place, with empty strings and their capability."""
    resolved = {
        "agent_id": "p",
        "capability": "echo",
        "endpoint": "http://p",
        "function_name": "serve",
        "status": "available",
        "kwargs": {"task": False},
    }
    answer = wire(function("f", "absent", "echo", None, ""))
    assert answer["dependencies_resolved"] == {
        "f": [
            {**EMPTY, "capability": "absent"},
            resolved,
            {**EMPTY, "capability": ""},
            {**EMPTY, "capability": ""},
        ]
    }


def test_empty_kwargs_are_left_out() -> None:
    """A provider without kwargs, or with empty ones, has no such field in the entry."""
    for tool in (Tool(function_name="f"), Tool(function_name="f", kwargs={})):
        provider = Candidate("p", "", tool)
        wiring = Resolver({"c": [provider]}).resolve_agent("a", [function("g", "c")])
        assert "kwargs" not in msgspec.to_builtins(wiring.dependencies_resolved["g"][0])


def test_unavailable_provider_is_passed_over() -> None:
    """The best provider loses to the next if its own required dependency is not met."""
    broken = Dependency(capability="nowhere", required=True)
    best = Candidate("best", "", Tool(capability="c", version="9.0.0", dependencies=(broken,)))
    lookup = {"c": [best, Candidate("next", "", Tool(capability="c"))], "nowhere": []}
    wiring = Resolver(lookup).resolve_agent("a", [function("f", "c")])
    assert wiring.dependencies_resolved["f"][0].agent_id == "next"


def test_own_requirements_do_not_stop_the_wiring() -> None:
    """A function that lacks a required dependency still gets the others."""
    missing = Dependency(capability="absent", required=True)
    tool = Tool(function_name="f", dependencies=(missing, Dependency(capability="echo")))
    statuses = [entry["status"] for entry in wire(tool)["dependencies_resolved"]["f"]]
    assert statuses == ["unresolved", "available"]


def test_function_names() -> None:
    """A function without a name is skipped, one without a capability is not."""
    answer = wire(function(None, "echo"), function("", "echo"), function("f", "echo"))
    assert list(answer["dependencies_resolved"]) == ["f"]


def test_function_declared_twice() -> None:
    """Dependencies add up; the later filter and the later provider found count."""
    answer = wire(
        function(
            "f",
            "echo",
            llm_filter={"filter": []},
            llm_provider=LlmProviderRequest(capability="echo"),
        ),
        function(
            "f",
            "absent",
            llm_filter={"filter": ["echo"]},
            llm_provider=LlmProviderRequest(capability="x"),
        ),
        function("f", llm_filter={"filter": 5}, llm_provider=LlmProviderRequest()),
    )
    declared = [entry["capability"] for entry in answer["dependencies_resolved"]["f"]]
    assert declared == ["echo", "absent"]
    assert [tool["name"] for tool in answer["llm_tools"]["f"]] == ["serve"]
    assert answer["llm_providers"]["f"]["agent_id"] == "p"


def test_llm_functions() -> None:
    """A valid filter has an entry even if it selects nothing, a provider only if found."""
    answer = wire(
        Tool(function_name="none", llm_filter={"filter": []}),
        Tool(function_name="all", llm_filter={"filter": [], "filter_mode": "*"}),
        Tool(
            function_name="void",
            llm_filter={"filter": None},
            llm_provider=LlmProviderRequest(capability="x"),
        ),
    )
    assert {name: len(tools) for name, tools in answer["llm_tools"].items()} == {
        "none": 0,
        "all": 1,
    }
    assert "llm_providers" not in answer
    own = wire(Tool(function_name="f", llm_filter={"filter": [], "filter_mode": "*"}), agent_id="p")
    assert own["llm_tools"] == {"f": []}


def test_demand() -> None:
    """What to load: capabilities of dependencies, filters and providers, or everything."""
    tools = [
        function("f", "a", None, ""),
        Tool(
            function_name="g",
            llm_filter={"filter": ["b"]},
            llm_provider=LlmProviderRequest(capability="c"),
        ),
        Tool(function_name="h", llm_filter={"filter": 5}, llm_provider=LlmProviderRequest()),
    ]
    assert demand_of(tools) == Demand(frozenset("abc"), everything=False)
    star = Tool(function_name="i", llm_filter={"filter": ["*"]})
    assert demand_of([star]) == Demand(frozenset(), everything=True)


def test_wiring_can_be_compared() -> None:
    """Equal wirings are equal values: a registry signals an agent only when its own changed."""
    tools = [function("f", "echo")]
    first, second = (Resolver(LOOKUP).resolve_agent("a", tools) for _ in range(2))
    assert first == second
    assert first != Resolver({}).resolve_agent("a", tools)
    assert isinstance(first, Wiring)

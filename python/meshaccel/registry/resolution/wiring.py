"""The wiring of a whole agent: who serves each dependency of each of its functions."""

from collections.abc import Hashable, Iterable, Sequence
from typing import Literal

from msgspec import Struct

from meshaccel.models import Candidate, Dependency, JsonObject, ToolSummary
from meshaccel.registry.resolution.availability import Availability
from meshaccel.registry.resolution.llm import (
    LlmFilter,
    LlmProvider,
    LlmTool,
    llm_provider_dependency,
    parse_llm_filter,
    select_llm_provider,
    select_llm_tools,
)
from meshaccel.registry.resolution.selection import Lookup, select


class ResolvedDependency(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One entry of ``dependencies_resolved``; agents need the five strings in every entry."""

    agent_id: str
    capability: str
    endpoint: str
    function_name: str
    status: Literal["available", "unresolved"]
    kwargs: JsonObject | None = None


class Wiring(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What an agent is told, by function name; fields and entries are those of the wire.

    ``dependencies_resolved`` has one entry per declared dependency, in declared order.
    """

    dependencies_resolved: dict[str, tuple[ResolvedDependency, ...]]
    llm_tools: dict[str, tuple[LlmTool, ...]]
    llm_providers: dict[str, LlmProvider] = {}


class Demand(Struct, frozen=True):
    """What must be loaded before an agent can be wired."""

    capabilities: frozenset[str]
    everything: bool
    """Whether a function wants tools of any capability: then all candidates are needed."""


def demand_of(tools: Iterable[ToolSummary]) -> Demand:
    """Tell which candidates the wiring of these tools chooses from.

    What those candidates require in turn is told by ``missing_capabilities``.
    """
    names: set[str] = set()
    everything = False
    for tool in tools:
        names.update(d.capability for d in tool.dependencies or () if d.capability)
        wanted = _llm_provider(tool)
        if wanted is not None and wanted.capability:
            names.add(wanted.capability)
        llm_filter = _llm_filter(tool)
        if llm_filter is not None:
            names.update(llm_filter.capabilities or ())
            everything = everything or llm_filter.capabilities is None
    return Demand(frozenset(names), everything)


class Resolver:
    """Wires agents from one snapshot of candidates; verdicts are shared between agents.

    ``lookup`` holds all that ``demand_of`` and ``missing_capabilities`` name (absent means:
    nobody provides it), ``everything`` all candidates if the demand says so.
    """

    def __init__(self, lookup: Lookup, everything: Sequence[Candidate] = ()) -> None:
        self._lookup = lookup
        self._everything = everything
        self._availability = Availability(lookup)
        self._resolved: dict[Hashable, ResolvedDependency] = {}

    def resolve_agent(self, agent_id: str, tools: Iterable[ToolSummary]) -> Wiring:
        """Wire every function of an agent. O(dependencies x candidates of each).

        An agent may be wired to itself. A function declared twice has the dependencies of
        both declarations, and the filter and the provider of the later one that has any.
        """
        dependencies: dict[str, tuple[ResolvedDependency, ...]] = {}
        llm_tools: dict[str, tuple[LlmTool, ...]] = {}
        llm_providers: dict[str, LlmProvider] = {}
        for tool in tools:
            name = tool.function_name
            if not name:
                continue
            if tool.dependencies:
                resolved = tuple(map(self._resolve, tool.dependencies))
                dependencies[name] = dependencies.get(name, ()) + resolved
            selected = self._select_llm_tools(agent_id, tool)
            if selected is not None:
                llm_tools[name] = selected
            provider = self._select_llm_provider(tool)
            if provider is not None:
                llm_providers[name] = provider
        return Wiring(
            dependencies_resolved=dependencies, llm_tools=llm_tools, llm_providers=llm_providers
        )

    def _resolve(self, dependency: Dependency) -> ResolvedDependency:
        if dependency.match_mode:
            return self._look_up(dependency)  # a schema is no key
        # What many functions or agents want alike is looked for once.
        key = (dependency.capability, dependency.tags, dependency.version)
        resolved = self._resolved.get(key)
        if resolved is None:
            resolved = self._resolved[key] = self._look_up(dependency)
        return resolved

    def _look_up(self, dependency: Dependency) -> ResolvedDependency:
        capability = dependency.capability or ""
        # An empty name stands for a declaration that names nothing: nobody provides it.
        candidates = self._lookup.get(capability, ()) if capability else ()
        provider = select(dependency, candidates, self._is_eligible)
        if provider is None:
            return ResolvedDependency(
                agent_id="",
                capability=capability,
                endpoint="",
                function_name="",
                status="unresolved",
            )
        return ResolvedDependency(
            agent_id=provider.agent_id,
            capability=capability,
            endpoint=provider.endpoint,
            function_name=provider.tool.function_name or "",
            status="available",
            kwargs=provider.tool.kwargs or None,
        )

    def _is_eligible(self, candidate: Candidate) -> bool:
        return self._availability.is_available(candidate.tool)

    def _select_llm_tools(self, agent_id: str, tool: ToolSummary) -> tuple[LlmTool, ...] | None:
        wanted = _llm_filter(tool)
        if wanted is None:
            return None
        return select_llm_tools(wanted, agent_id, self._lookup, self._everything)

    def _select_llm_provider(self, tool: ToolSummary) -> LlmProvider | None:
        wanted = _llm_provider(tool)
        if wanted is None or not wanted.capability:
            return None
        return select_llm_provider(wanted, self._lookup.get(wanted.capability, ()))


def _llm_filter(tool: ToolSummary) -> LlmFilter | None:
    return None if tool.llm_filter is None else parse_llm_filter(tool.llm_filter)


def _llm_provider(tool: ToolSummary) -> Dependency | None:
    return None if tool.llm_provider is None else llm_provider_dependency(tool.llm_provider)

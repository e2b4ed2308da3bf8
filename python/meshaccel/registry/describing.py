"""What ``GET /agents`` shows: records, who can work, and what each agent was told."""

from collections.abc import Iterator, Sequence
from typing import Literal

from msgspec import Struct

from meshaccel.clock import rfc3339
from meshaccel.models import (
    DEFAULT_TOOL_VERSION,
    Agent,
    Candidate,
    JsonObject,
    LlmProviderRequest,
    ToolSummary,
)
from meshaccel.registry.derived import Fleet
from meshaccel.registry.resolution import (
    AGENT_UNHEALTHY,
    Availability,
    LlmFilter,
    LlmTool,
    ResolvedDependency,
    Wiring,
    llm_provider_dependency,
    parse_llm_filter,
)
from meshaccel.registry.sessions import Sessions

ResolutionStatus = Literal["available", "unavailable", "unresolved"]
"""``unavailable``: the agent was told of a provider that is not healthy any more."""


class CapabilityInfo(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A tool in the listing."""

    name: str
    function_name: str
    version: str
    tags: tuple[str, ...]
    description: str
    available: bool
    unavailable_reason: str | None = None
    task: bool = False
    llm_filter: JsonObject | None = None
    llm_provider: LlmProviderRequest | None = None


class DependencyResolution(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a tool was told of one of its dependencies."""

    function_name: str
    capability: str
    status: ResolutionStatus
    tags: tuple[str, ...] = ()
    mcp_tool: str | None = None
    provider_agent_id: str | None = None
    endpoint: str | None = None


class LlmToolResolution(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a tool was told of one entry of its ``llm_filter``."""

    function_name: str
    status: ResolutionStatus
    filter_capability: str | None = None
    filter_tags: tuple[str, ...] = ()
    filter_mode: str
    mcp_tool: str | None = None
    provider_agent_id: str | None = None
    provider_capability: str | None = None
    endpoint: str | None = None


class LlmProviderResolution(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a tool was told of its ``llm_provider``."""

    function_name: str
    required_capability: str
    status: ResolutionStatus
    required_tags: tuple[str, ...] = ()
    mcp_tool: str | None = None
    provider_agent_id: str | None = None
    endpoint: str | None = None


class AgentInfo(Struct, frozen=True, kw_only=True):
    """An agent in the listing. Every field is always there: clients rely on it."""

    id: str
    name: str
    agent_type: str
    runtime: str
    status: str
    version: str
    description: str
    namespace: str
    endpoint: str
    a2a_consumer: bool
    a2a_producer: bool
    created_at: str
    total_dependencies: int
    dependencies_resolved: int
    capabilities: tuple[CapabilityInfo, ...]
    dependency_resolutions: tuple[DependencyResolution, ...]
    llm_tool_resolutions: tuple[LlmToolResolution, ...] | None
    llm_provider_resolutions: tuple[LlmProviderResolution, ...] | None


def needs_fleet(tools: Sequence[ToolSummary]) -> bool:
    """Whether the listing of these tools depends on what others offer now."""
    return any(
        tool.llm_filter is not None
        or any(dependency.required for dependency in tool.dependencies or ())
        for tool in tools
    )


class Lister:
    """Describes agents as of one snapshot of offers."""

    def __init__(self, fleet: Fleet, sessions: Sessions) -> None:
        self._sessions = sessions
        self._availability: Availability = fleet.availability()
        self._candidates = {
            (candidate.endpoint, candidate.tool.function_name): candidate
            for candidate in _candidates(fleet)
        }

    def describe(self, agent: Agent, tools: Sequence[ToolSummary], told: Wiring) -> AgentInfo:
        """Describe one agent with its tools, given what it was told."""
        record = agent.record
        dependencies = tuple(self._dependencies(tools, told))
        llm_tools = tuple(self._llm_tools(tools, told))
        llm_providers = tuple(self._llm_providers(tools, told))
        return AgentInfo(
            id=record.id,
            name=record.name,
            agent_type=record.agent_type,
            runtime=record.runtime or "",
            status=agent.status,
            version=record.version or "",
            description=record.description or "",
            namespace=record.namespace,
            endpoint=record.endpoint,
            a2a_consumer=record.a2a_consumer,
            a2a_producer=record.a2a_producer,
            created_at=rfc3339(agent.created_at_us),
            total_dependencies=len(dependencies),
            dependencies_resolved=sum(entry.status != "unresolved" for entry in dependencies),
            capabilities=tuple(self._capability(agent, tool) for tool in tools if tool.capability),
            dependency_resolutions=dependencies,
            llm_tool_resolutions=llm_tools or None,
            llm_provider_resolutions=llm_providers or None,
        )

    def _capability(self, agent: Agent, tool: ToolSummary) -> CapabilityInfo:
        reason = (
            self._availability.unavailable_reason(tool)
            if agent.status == "healthy"
            else AGENT_UNHEALTHY
        )
        return CapabilityInfo(
            name=tool.capability or "",
            function_name=tool.function_name or "",
            version=tool.version or DEFAULT_TOOL_VERSION,
            tags=tool.tags or (),
            description=tool.description or "",
            available=reason is None,
            unavailable_reason=reason,
            task=(tool.kwargs or {}).get("task") is True,
            llm_filter=tool.llm_filter,
            llm_provider=tool.llm_provider,
        )

    def _dependencies(
        self, tools: Sequence[ToolSummary], told: Wiring
    ) -> Iterator[DependencyResolution]:
        entries = {name: iter(resolved) for name, resolved in told.dependencies_resolved.items()}
        for tool in tools:
            for dependency in tool.dependencies or ():
                resolved = next(entries.get(tool.function_name or "", iter(())), _NOTHING)
                tags = tuple(tag for tag in dependency.tags or () if isinstance(tag, str))
                yield DependencyResolution(
                    function_name=tool.function_name or "",
                    capability=dependency.capability or "",
                    status=self._status(resolved.agent_id),
                    tags=tags,
                    mcp_tool=resolved.function_name or None,
                    provider_agent_id=resolved.agent_id or None,
                    endpoint=resolved.endpoint or None,
                )

    def _llm_tools(self, tools: Sequence[ToolSummary], told: Wiring) -> Iterator[LlmToolResolution]:
        for tool in tools:
            wanted = parse_llm_filter(tool.llm_filter) if tool.llm_filter else None
            if wanted is not None:
                selected = told.llm_tools.get(tool.function_name or "", ())
                yield from self._llm_filter(tool.function_name or "", wanted, selected)

    def _llm_filter(
        self, function_name: str, wanted: LlmFilter, selected: Sequence[LlmTool]
    ) -> Iterator[LlmToolResolution]:
        for entry in wanted.entries:
            matching: list[LlmTool | None] = [
                tool for tool in selected if entry.capability in (None, tool.capability)
            ]
            tags = tuple(tag for tag in entry.tags or () if isinstance(tag, str))
            for tool in matching or [None]:
                provider = self._candidates.get((tool.endpoint, tool.name)) if tool else None
                yield LlmToolResolution(
                    function_name=function_name,
                    status=self._status(provider.agent_id if provider else ""),
                    filter_capability=entry.capability,
                    filter_tags=tags,
                    filter_mode=wanted.mode,
                    mcp_tool=tool.name if tool else None,
                    provider_agent_id=provider.agent_id if provider else None,
                    provider_capability=tool.capability if tool else None,
                    endpoint=tool.endpoint if tool else None,
                )

    def _llm_providers(
        self, tools: Sequence[ToolSummary], told: Wiring
    ) -> Iterator[LlmProviderResolution]:
        for tool in tools:
            wanted = llm_provider_dependency(tool.llm_provider) if tool.llm_provider else None
            if wanted is None:
                continue
            provider = told.llm_providers.get(tool.function_name or "")
            yield LlmProviderResolution(
                function_name=tool.function_name or "",
                required_capability=wanted.capability or "",
                status=self._status(provider.agent_id if provider else ""),
                required_tags=tuple(tag for tag in wanted.tags or () if isinstance(tag, str)),
                mcp_tool=provider.name if provider else None,
                provider_agent_id=provider.agent_id if provider else None,
                endpoint=provider.endpoint if provider else None,
            )

    def _status(self, provider_id: str) -> ResolutionStatus:
        if not provider_id:
            return "unresolved"
        session = self._sessions.get(provider_id)
        return "available" if session is not None and session.healthy else "unavailable"


_NOTHING = ResolvedDependency(
    agent_id="", capability="", endpoint="", function_name="", status="unresolved"
)


def _candidates(fleet: Fleet) -> Iterator[Candidate]:
    for offers in fleet.offers.values():
        yield from offers.healthy
        yield from offers.unhealthy
    yield from fleet.everything

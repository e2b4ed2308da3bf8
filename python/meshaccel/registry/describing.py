"""How an agent is listed: its record, who of its tools can work, and what it was told."""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from meshaccel.clock import rfc3339
from meshaccel.models import DEFAULT_TOOL_VERSION, Agent, Candidate, ToolSummary
from meshaccel.registry.agent_info import (
    AgentInfo,
    CapabilityInfo,
    DependencyResolution,
    LlmProviderResolution,
    LlmToolResolution,
    ResolutionStatus,
)
from meshaccel.registry.changes import agent_tag, told_tag
from meshaccel.registry.fleets import Fleet
from meshaccel.registry.records import Record
from meshaccel.registry.resolution import (
    AGENT_UNHEALTHY,
    LlmFilter,
    LlmTool,
    ResolvedDependency,
    Wiring,
    llm_provider_dependency,
    parse_llm_filter,
)
from meshaccel.registry.sessions import Sessions

_NO_FLEET = Fleet({}, (), all_tools=False)


class Description(Struct, frozen=True):
    """An agent described, and the tags of all that it was described from."""

    info: AgentInfo
    tags: list[str]


def needs_fleet(record: Record, told: Wiring | None) -> bool:
    """Whether the listing of an agent that was ``told`` so depends on what others offer now."""
    return told is None or any(
        tool.llm_filter is not None
        or any(dependency.required for dependency in tool.dependencies or ())
        for tool in record.tools
    )


class Lister:
    """Describes agents as of one snapshot of offers."""

    def __init__(self, fleet: Fleet, sessions: Sessions) -> None:
        """``fleet`` has all that the agents choose from of whom ``needs_fleet`` is true."""
        self._sessions = sessions
        self._fleet = fleet
        self._availability = fleet.availability()
        self._resolver = fleet.resolver()
        self._places = _Places()

    def describe(self, record: Record, told: Wiring | None) -> Description:
        """Describe one agent, and what it was told when ``needs_fleet`` was asked.

        By now it may have been told something else: then the tags of this are dropped.
        """
        part = self._fleet.part(record.tools) if needs_fleet(record, told) else _NO_FLEET
        if told is None:
            # Another process told it: most likely what it would be told now.
            told = self._resolver.resolve_agent(record.id, record.tools)
        info = self._info(record.agent, record.tools, told, part)
        tags = [agent_tag(record.id), told_tag(record.id), *part.tags()]
        # Of whom it was told, only the health matters.
        tags += {agent_tag(provider_id) for provider_id in _providers(info) if provider_id}
        return Description(info, tags)

    def _info(
        self, agent: Agent, tools: Sequence[ToolSummary], told: Wiring, part: Fleet
    ) -> AgentInfo:
        record = agent.record
        dependencies = tuple(self._dependencies(tools, told))
        llm_tools = tuple(self._llm_tools(tools, told, part))
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

    def _llm_tools(
        self, tools: Sequence[ToolSummary], told: Wiring, part: Fleet
    ) -> Iterator[LlmToolResolution]:
        for tool in tools:
            wanted = parse_llm_filter(tool.llm_filter) if tool.llm_filter else None
            if wanted is not None:
                selected = told.llm_tools.get(tool.function_name or "", ())
                yield from self._llm_filter(tool.function_name or "", wanted, selected, part)

    def _llm_filter(
        self, function_name: str, wanted: LlmFilter, selected: Sequence[LlmTool], part: Fleet
    ) -> Iterator[LlmToolResolution]:
        for entry in wanted.entries:
            matching: list[LlmTool | None] = [
                tool for tool in selected if entry.capability in (None, tool.capability)
            ]
            tags = tuple(tag for tag in entry.tags or () if isinstance(tag, str))
            for tool in matching or [None]:
                provider_id = self._places.agent_at(tool, part) if tool else None
                yield LlmToolResolution(
                    function_name=function_name,
                    status=self._status(provider_id or ""),
                    filter_capability=entry.capability,
                    filter_tags=tags,
                    filter_mode=wanted.mode,
                    mcp_tool=tool.name if tool else None,
                    provider_agent_id=provider_id,
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


class _Places:
    """Who offers a tool at an endpoint: language models are not told by which agent."""

    def __init__(self) -> None:
        self._by_capability: dict[str, dict[tuple[str, str | None], str]] = {}
        self._all: dict[tuple[str, str | None], str] | None = None

    def agent_at(self, tool: LlmTool, part: Fleet) -> str | None:
        """Find the agent in ``part``, which is of the same fleet each time."""
        place = (tool.endpoint, tool.name)
        offers = part.offers.get(tool.capability)
        if offers is not None:
            places = self._by_capability.get(tool.capability)
            if places is None:
                places = _places((*offers.healthy, *offers.unhealthy))
                self._by_capability[tool.capability] = places
            return places.get(place)
        if not part.all_tools:
            return None
        if self._all is None:
            self._all = _places(part.everything)
        return self._all.get(place)


def _places(candidates: Iterable[Candidate]) -> dict[tuple[str, str | None], str]:
    found: dict[tuple[str, str | None], str] = {}
    for candidate in candidates:
        place = (candidate.endpoint, candidate.tool.function_name)
        found.setdefault(place, candidate.agent_id)
    return found


def _providers(info: AgentInfo) -> Iterator[str | None]:
    yield from (resolution.provider_agent_id for resolution in info.dependency_resolutions)
    yield from (resolution.provider_agent_id for resolution in info.llm_tool_resolutions or ())
    yield from (resolution.provider_agent_id for resolution in info.llm_provider_resolutions or ())

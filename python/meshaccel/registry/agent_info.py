"""An agent as ``GET /agents`` shows it."""

from typing import Literal

from msgspec import Struct

from meshaccel.models import JsonObject, LlmProviderRequest

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

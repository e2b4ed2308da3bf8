"""What a registry answers, as far as the commands print it.

Everything but the id may be missing: an older or another registry is shown all the same.
"""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Raw, Struct

from meshaccel.models import JsonObject

Time = Annotated[datetime, Meta(tz=True)]

_FRAMEWORK = "__"
"""How the names of the tools begin that every agent's SDK registers on its own."""


class Capability(Struct, kw_only=True):
    """A tool that an agent offers."""

    name: str
    function_name: str = ""
    version: str = ""
    tags: list[str] = []
    description: str = ""
    available: bool = True
    unavailable_reason: str | None = None


class Resolution(Struct, kw_only=True):
    """What a tool was told: of a dependency, an LLM filter or an LLM provider."""

    function_name: str = ""
    status: str = ""
    capability: str | None = None
    tags: list[str] = []
    filter_capability: str | None = None
    filter_tags: list[str] = []
    required_capability: str | None = None
    required_tags: list[str] = []
    mcp_tool: str | None = None
    provider_agent_id: str | None = None
    endpoint: str | None = None

    @property
    def wanted(self) -> str:
        """What was asked for: a capability, or any, and tags."""
        capability = self.capability or self.filter_capability or self.required_capability or "*"
        tags = self.tags or self.filter_tags or self.required_tags
        return " ".join([capability, *(f"[{tag}]" for tag in tags)])

    @property
    def provider(self) -> str:
        """The agent and the tool that serve, or a dash."""
        return " ".join(filter(None, (self.provider_agent_id, self.mcp_tool))) or "-"


class Agent(Struct, kw_only=True):
    """An agent in a listing; the second half is there when it was asked for alone."""

    id: str
    name: str = ""
    agent_type: str = ""
    runtime: str = ""
    status: str = ""
    version: str = ""
    description: str = ""
    namespace: str = ""
    endpoint: str = ""
    created_at: Time | None = None
    last_seen: Time | None = None
    total_dependencies: int = 0
    dependencies_resolved: int = 0
    capabilities: list[Capability] | None = None
    dependency_resolutions: list[Resolution] | None = None
    llm_tool_resolutions: list[Resolution] | None = None
    llm_provider_resolutions: list[Resolution] | None = None

    revision: int | None = None
    leased: bool = True
    tags: list[str] = []
    labels: dict[str, str] = {}
    source: str | None = None

    @property
    def own_capabilities(self) -> list[Capability]:
        """What the agent's author made, without the framework's."""
        return [
            capability
            for capability in self.capabilities or []
            if not capability.name.startswith(_FRAMEWORK)
        ]


class Page(Struct, kw_only=True):
    """A page of the listing; its agents are decoded by who needs them decoded."""

    agents: list[Raw] | None = None
    timestamp: Time | None = None
    next_cursor: str | None = None


class Event(Struct, kw_only=True):
    """An entry of the audit trail."""

    event_type: str
    agent_id: str = ""
    agent_name: str | None = None
    function_name: str | None = None
    timestamp: Time | None = None
    data: JsonObject | None = None


class Events(Struct, kw_only=True):
    """The answer to a question for events."""

    events: list[Raw] | None = None


class Imported(Struct, kw_only=True):
    """What became of a record."""

    outcome: str


class AgentFigures(Struct, frozen=True, kw_only=True):
    """How many agents there are."""

    healthy: int = 0
    total: int = 0


class Brief(Struct, frozen=True, kw_only=True):
    """The few numbers that matter most; None where nothing has happened yet."""

    queries_per_operation: float | None = None
    metadata_saved_percent: float | None = None
    cache_hit_ratio: float | None = None
    calls_avoided_percent: float | None = None
    bytes_avoided: int | None = None
    recovery_rate: float | None = None
    acquire_ms_p50: float | None = None
    acquire_ms_p99: float | None = None


class RequestFigures(Struct, frozen=True, kw_only=True):
    """The requests of one route."""

    route: str
    method: str
    count: int
    errors: int = 0
    p50_ms: float | None = None
    p99_ms: float | None = None


class FeedFigures(Struct, frozen=True, kw_only=True):
    """The readers of the change feed."""

    readers: int = 0


class Figures(Struct, frozen=True, kw_only=True):
    """A registry in figures, as far as they are shown."""

    version: str
    uptime_s: float
    started_at: str = ""
    revision: int | None = None
    capabilities: int | None = None
    agents: AgentFigures = AgentFigures()
    brief: Brief = Brief()
    feed: FeedFigures = FeedFigures()
    requests: list[RequestFigures] = []

    def counts(self) -> dict[tuple[str, str], int]:
        """Return the number of requests by method and route."""
        return {(route.method, route.route): route.count for route in self.requests}

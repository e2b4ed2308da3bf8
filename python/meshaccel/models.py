"""What agents declare and what the registry keeps of it: typed, immutable, without I/O.

``Dependency`` and ``Tool`` are at once the shape on the wire and the shape in storage: the few
names that every MCP Mesh SDK writes in camelCase are given by ``rename``, so nothing is copied
between two models of the same thing. Unknown fields are ignored and ``null`` means absent, as
the SDKs expect.

What there are many of is kept from the garbage collector (``gc=False``): it is made of trees, which
need none, and a pass through all of a large fleet would hold the event loop.
"""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

JsonObject = Mapping[str, Any]
"""A decoded JSON object. It is shared between readers: never mutate it."""

AgentType = Literal["mcp_agent", "mesh_tool", "api", "a2a"]
Runtime = Literal["python", "typescript", "java"]
AgentStatus = Literal["healthy", "unhealthy"]

TagTerm = str | tuple[str, ...]
"""``"t"`` required, ``"+t"`` preferred, ``"-t"`` excluded; a tuple is a group of alternatives."""

DEFAULT_TOOL_VERSION = "1.0.0"


class Dependency(
    Struct,
    frozen=True,
    kw_only=True,
    gc=False,
    omit_defaults=True,
    rename={
        "expected_schema": "expectedSchemaCanonical",
        "expected_schema_hash": "expectedSchemaHash",
        "match_mode": "matchMode",
    },
):
    """One capability that a tool wants injected, with its constraints."""

    capability: str | None = None
    tags: tuple[TagTerm, ...] | None = None
    version: str | None = None
    namespace: str | None = None
    required: bool | None = None
    expected_schema: JsonObject | None = None
    expected_schema_hash: str | None = None
    match_mode: str | None = None


class LlmProviderRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The provider of a language model that a tool wants to be run with."""

    capability: str | None = None
    tags: tuple[str | None, ...] | None = None
    version: str | None = None
    namespace: str | None = None


class ToolSummary(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a listing and the wiring of an agent need of a tool: all but its schemas."""

    function_name: str | None = None
    capability: str | None = None
    version: str | None = None
    tags: tuple[str, ...] | None = None
    description: str | None = None
    dependencies: tuple[Dependency, ...] | None = None
    kwargs: JsonObject | None = None
    llm_filter: JsonObject | None = None
    llm_provider: LlmProviderRequest | None = None


class OfferedTool(
    ToolSummary,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    rename={
        "input_schema": "inputSchema",
        "output_schema_canonical": "outputSchemaCanonical",
        "output_schema_hash": "outputSchemaHash",
    },
):
    """What others need of a tool to be wired to it: the schemas that matching looks at."""

    input_schema: JsonObject | None = None
    output_schema_canonical: JsonObject | None = None
    output_schema_hash: str | None = None


class Tool(
    OfferedTool,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    rename={
        "output_schema": "outputSchema",
        "input_schema_canonical": "inputSchemaCanonical",
        "input_schema_hash": "inputSchemaHash",
        "schema_warnings": "schemaWarnings",
    },
):
    """One function that an agent offers under a capability name, as it declares it."""

    output_schema: JsonObject | None = None
    input_schema_canonical: JsonObject | None = None
    input_schema_hash: str | None = None
    schema_warnings: tuple[str, ...] | None = None


class Candidate(Struct, frozen=True, gc=False):
    """A tool of a healthy agent that might satisfy a dependency."""

    agent_id: str
    endpoint: str
    tool: OfferedTool


class Surface(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A skill that an a2a agent shows to the outside."""

    path: str | None = None
    skill_id: str | None = None
    name: str | None = None
    description: str | None = None
    input_modes: tuple[str, ...] | None = None
    output_modes: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None


class AgentRecord(Struct, frozen=True, kw_only=True):
    """All that an agent declared, normalised: the content that a revision stands for.

    ``leased`` agents live by heartbeats; the others (imported catalogue entries) stay until
    they are removed. Those have a ``url`` of their own instead of host and port.
    """

    id: str
    name: str
    agent_type: AgentType = "mcp_agent"
    runtime: Runtime | None = None
    version: str | None = None
    description: str | None = None
    namespace: str = "default"
    http_host: str | None = None
    http_port: int | None = None
    url: str | None = None
    a2a_producer: bool = False
    a2a_consumer: bool = False
    surfaces: tuple[Surface, ...] = ()
    tags: tuple[str, ...] = ()
    labels: Mapping[str, str] = {}
    source: str | None = None
    leased: bool = True
    tools: tuple[Tool, ...] = ()

    @property
    def endpoint(self) -> str:
        """Where other agents reach this one."""
        if self.url is not None:
            return self.url
        if self.http_host and self.http_port:
            return f"http://{self.http_host}:{self.http_port}"
        return f"stdio://{self.id}"


class Agent(Struct, frozen=True, kw_only=True):
    """A record as stored, with what the registry adds. Times are in Unix microseconds."""

    record: AgentRecord
    status: AgentStatus
    revision: int
    created_at_us: int
    updated_at_us: int

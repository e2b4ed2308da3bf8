"""Who serves whom: the matching rules of the mesh, as pure functions over candidates.

A dependency goes through these stages, and the first of what remains wins::

    name        same capability, byte for byte     the key of a Lookup
    healthy     the agent is alive                 only such candidates are in a Lookup
    available   what the tool itself requires      availability.py (cycles.py at registration)
    tags        required, preferred, excluded      tags.py
    version     semantic version constraint        constraints.py, versions.py
    schema      output schema, if asked for        schemas.py
    rank        tags, version, agent id            selection.py

``select`` applies tags to rank; ``Resolver`` applies all of it to all functions of an agent,
with the rules for language models (``llm.py``) beside it; ``explain`` tells what each stage
kept and dropped. Nothing here reads a clock, a database or a socket: the caller loads
candidates, guided by ``demand_of`` and ``missing_capabilities``::

    demand = demand_of(tools)
    lookup = load(demand.capabilities)
    added = [c.tool for candidates in lookup.values() for c in candidates]
    while names := missing_capabilities(added, lookup):
        level = load(names)  # every name is a key, also those nobody provides
        lookup |= level
        added = [c.tool for candidates in level.values() for c in candidates]
    wiring = Resolver(lookup).resolve_agent(agent_id, tools)
"""

from meshaccel.registry.resolution.availability import (
    AGENT_UNHEALTHY,
    Availability,
    missing_capabilities,
)
from meshaccel.registry.resolution.constraints import Constraint, parse_constraint
from meshaccel.registry.resolution.cycles import (
    RequiredEdges,
    cycle_message,
    find_required_cycle,
    required_edges,
)
from meshaccel.registry.resolution.llm import (
    LlmFilter,
    LlmProvider,
    LlmTool,
    llm_provider_dependency,
    parse_llm_filter,
    select_llm_provider,
    select_llm_tools,
)
from meshaccel.registry.resolution.schemas import is_subset, schema_accepted
from meshaccel.registry.resolution.selection import Lookup, select, tool_version
from meshaccel.registry.resolution.tags import tag_score
from meshaccel.registry.resolution.trace import Trace, explain
from meshaccel.registry.resolution.versions import Version, parse_version, version_key
from meshaccel.registry.resolution.wiring import (
    Demand,
    ResolvedDependency,
    Resolver,
    Wiring,
    demand_of,
)

__all__ = [
    "AGENT_UNHEALTHY",
    "Availability",
    "Constraint",
    "Demand",
    "LlmFilter",
    "LlmProvider",
    "LlmTool",
    "Lookup",
    "RequiredEdges",
    "ResolvedDependency",
    "Resolver",
    "Trace",
    "Version",
    "Wiring",
    "cycle_message",
    "demand_of",
    "explain",
    "find_required_cycle",
    "is_subset",
    "llm_provider_dependency",
    "missing_capabilities",
    "parse_constraint",
    "parse_llm_filter",
    "parse_version",
    "required_edges",
    "schema_accepted",
    "select",
    "select_llm_provider",
    "select_llm_tools",
    "tag_score",
    "tool_version",
    "version_key",
]

"""The normal form of a registry's answers: what an agent or a tool can depend on, and no more.

Nothing is dropped silently. What is left out has its usual value, and what is not there at all
although it usually is shows up as `missing`. README.md describes the form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import httpx

Json = Any

#: A wanted message that stands for any text.
ANY_TEXT = "*"

# Differ from run to run, so they only have to be RFC 3339 text.
_CLOCK_FIELDS = frozenset({"timestamp", "created_at", "last_seen", "detected_at"})
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
# What a registry says about itself (GET / and /health): only the type counts.
_OWN_WORDS = frozenset({"service", "version", "endpoints"})

# Whether these are absent or empty is the same to every agent. `null` is kept: agents reject it.
_OFTEN_EMPTY = ("dependencies_resolved", "llm_tools", "llm_providers", "surfaces", "warnings")
_EDGE_FIELDS = frozenset({"agent_id", "capability", "endpoint", "function_name", "status"})
_TOOL_WORDS = ("name", "endpoint", "capability", "version")
_TOOL_FIELDS = frozenset({*_TOOL_WORDS, "tags", "description", "inputSchema"})

_AGENT_USUALLY: Mapping[str, tuple[Json, ...]] = {
    "a2a_consumer": (False,),
    "a2a_producer": (False,),
    "agent_type": ("mcp_agent",),
    "capabilities": ([], None),
    "dependencies_resolved": (0,),
    "dependency_resolutions": ([], None),
    "description": ("",),
    "llm_provider_resolutions": ([], None),
    "llm_tool_resolutions": ([], None),
    "runtime": ("python",),
    "status": ("healthy",),
    "total_dependencies": (0,),
    "version": ("",),
}
# Ours alone: more than upstream says.
_AGENT_ADDITIONS = frozenset({"namespace"})
_CAPABILITY_USUALLY: Mapping[str, tuple[Json, ...]] = {
    "available": (True,),
    "description": ("",),
    "tags": ([],),
}
_RESOLUTION_LISTS = (
    "dependency_resolutions",
    "llm_tool_resolutions",
    "llm_provider_resolutions",
)


def normalise(response: httpx.Response, *, brief: bool = False, any_order: bool = False) -> Json:
    """Reduce an answer to its normal form.

    Args:
        response: The answer to any request.
        brief: Keep only the ids of listed agents, and one line per event.
        any_order: The order of tools chosen for a language model is left open.
    """
    answer: dict[str, Json] = {"http": response.status_code}
    is_head = response.request.method == "HEAD"
    if is_head or not response.content:
        return answer | ({"body": "present"} if response.content else {})
    try:
        body = response.json()
    except ValueError:
        return answer | {"body": "not json"}
    if response.status_code >= httpx.codes.BAD_REQUEST:
        return answer | {"body": "error" if _is_error(body) else "other json"}
    if not isinstance(body, dict):
        return answer | {"body": body}
    if response.request.url.path == "/heartbeat":
        return answer | _heartbeat(body, any_order=any_order)
    return answer | _listing(body, brief=brief)


def agrees(wanted: Json, got: Json) -> bool:
    """Whether an answer is the wanted one."""
    if isinstance(wanted, dict) and wanted.get("message") == ANY_TEXT and got.get("message"):
        got = got | {"message": ANY_TEXT}
    return bool(wanted == got)


def _is_error(body: Json) -> bool:
    return isinstance(body, dict) and all(
        isinstance(body.get(field), str) for field in ("error", "timestamp")
    )


def _heartbeat(body: dict[str, Json], *, any_order: bool) -> dict[str, Json]:
    kept: dict[str, Json] = {"status": body.get("status"), "agent_id": body.get("agent_id")}
    if kept["status"] != "success":
        kept["message"] = body.get("message")
    for field in _OFTEN_EMPTY:
        if field in body and (body[field] or body[field] is None):
            kept[field] = body[field]
    if isinstance(kept.get("dependencies_resolved"), dict):
        wiring = sorted(kept["dependencies_resolved"].items())
        kept["dependencies_resolved"] = {
            function: [_edge(edge) for edge in edges] for function, edges in wiring
        }
    if isinstance(kept.get("llm_tools"), dict):
        chosen = {
            function: [_llm_tool(tool) for tool in tools] if isinstance(tools, list) else tools
            for function, tools in sorted(kept["llm_tools"].items())
        }
        if any_order:
            chosen = {function: sorted(tools, key=str) for function, tools in chosen.items()}
        kept["llm_tools"] = chosen
    return kept


def _edge(edge: Json) -> Json:
    """`capability -> agent function endpoint` or `capability -> unresolved`, if plain."""
    if not isinstance(edge, dict) or edge.keys() != _EDGE_FIELDS:
        return edge
    provider = [edge["agent_id"], edge["function_name"], edge["endpoint"]]
    if edge["status"] == "available":
        return f"{edge['capability']} -> {' '.join(provider)}"
    if edge["status"] == "unresolved" and not any(provider):
        return f"{edge['capability']} -> unresolved"
    return edge


def _llm_tool(tool: Json) -> Json:
    """`name endpoint capability version tags`, if it has no description and a bare schema."""
    if not isinstance(tool, dict) or tool.keys() != _TOOL_FIELDS:
        return tool
    if tool["description"] or tool["inputSchema"] != {"type": "object"}:
        return tool
    return " ".join([*(tool[field] for field in _TOOL_WORDS), json.dumps(tool["tags"])])


def _listing(body: dict[str, Json], *, brief: bool) -> dict[str, Json]:
    kept = {key: item for key, item in _without_clock(body).items() if key != "uptime_seconds"}
    if isinstance(kept.get("agents"), list):
        agents = sorted(kept["agents"], key=lambda agent: str(agent["id"]))
        kept["agents"] = [agent["id"] if brief else _agent(agent) for agent in agents]
    if isinstance(kept.get("schemas"), list):
        kept["schemas"].sort(key=lambda schema: str(schema["hash"]))
    if isinstance(kept.get("events"), list) and brief:
        kept["events"] = [_event_line(event) for event in kept["events"]]
    return kept | {key: type(kept[key]).__name__ for key in sorted(_OWN_WORDS & kept.keys())}


def _event_line(event: dict[str, Json]) -> str:
    words = (event["event_type"], event["agent_id"], event.get("function_name"))
    return " ".join(word for word in words if word)


def _agent(agent: dict[str, Json]) -> dict[str, Json]:
    known = {key: item for key, item in agent.items() if key not in _AGENT_ADDITIONS}
    kept = _unusual(known, _AGENT_USUALLY)
    if "capabilities" in kept:
        kept["capabilities"] = _in_text_order(
            _unusual(entry, _CAPABILITY_USUALLY) for entry in kept["capabilities"]
        )
    for field in _RESOLUTION_LISTS:
        if field in kept:
            kept[field] = _in_text_order(kept[field])
    return kept


def _unusual(entry: dict[str, Json], usually: Mapping[str, tuple[Json, ...]]) -> dict[str, Json]:
    kept = {
        key: item
        for key, item in sorted(entry.items())
        if key not in usually or item not in usually[key]
    }
    missing = sorted(usually.keys() - entry.keys())
    return kept | ({"missing": missing} if missing else {})


def _in_text_order(entries: Iterable[dict[str, Json]]) -> list[dict[str, Json]]:
    """Sort a list whose order means nothing."""
    first = ("name", "function_name", "capability")

    def key(entry: dict[str, Json]) -> list[str]:
        return [*(str(entry.get(field)) for field in first), json.dumps(entry, sort_keys=True)]

    return sorted(entries, key=key)


def _without_clock(value: Json) -> Json:
    """Drop the times; one that is not RFC 3339 text stays, to show up as a difference."""
    if isinstance(value, list):
        return [_without_clock(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _without_clock(item)
        for key, item in value.items()
        if not (key in _CLOCK_FIELDS and isinstance(item, str) and _RFC3339.fullmatch(item))
    }

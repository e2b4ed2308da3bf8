"""Agents as real ones declare themselves: what ``POST /heartbeat`` carries, made up at scale.

Two replicas make a service.  An agent declares seven tools with input and output schemas, in full
and canonical, and the three framework tools that every SDK adds.  Three of the tools depend on
other services: by name, by tags with alternatives, by version; one dependency of each agent is on
a capability that nobody offers.  In a strict fleet, agents also require a tool of another service.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

VERBS = ("get", "list", "create", "update", "search", "summarize", "report")
FRAMEWORK = {
    "__mesh_job_status": "[Framework] Return the latest registry state of a job.",
    "__mesh_job_result": "[Framework] Return the terminal result, status and error of a job.",
    "__mesh_job_cancel": "[Framework] Request the cancellation of a job.",
}
LAYERS = 4
"""Services in a chain of required dependencies."""

Json = dict[str, Any]


class Agent:
    """One agent; every ``revision`` of it declares something else that matters."""

    def __init__(self, index: int, services: int, *, strict: bool = False) -> None:
        """``services`` is how many there are for it to depend on."""
        self.service, self.replica = divmod(index, 2)
        self.services = services
        self.strict = strict
        self.id = f"{_name(self.service)}-{hashlib.sha256(b'%d' % index).hexdigest()[:8]}"
        self.port = 20_000 + index % 40_000
        self.revision = 0
        self._body: bytes | None = None
        self._tools = [self._tool(verb) for verb in VERBS] + [*map(_framework_tool, FRAMEWORK)]

    def change(self) -> None:
        """Declare something else from now on."""
        self.revision += 1
        self._body = None

    def body(self) -> bytes:
        """Return the declaration of the present revision."""
        if self._body is None:
            self._body = _encoded(self._declaration())
        return self._body

    def respell(self, nonce: int) -> None:
        """Declare the same from now on, in bytes that were never sent before."""
        timestamp = f"2026-01-01T00:00:00.{nonce:09d}Z"
        self._body = _encoded({"timestamp": timestamp} | self._declaration())

    def _declaration(self) -> Json:
        tools = list(self._tools)
        if self.revision:
            # One tool, not the same one in every service, has a new description and version.
            at = self.service % len(VERBS)
            description = f"{tools[at]['description']} Revised {self.revision} times."
            version = f"1.0.{self.revision}"
            tools[at] = tools[at] | {"description": description, "version": version}
        return {
            "agent_id": self.id,
            "name": _name(self.service),
            "agent_type": "mcp_agent",
            "version": "1.0.0",
            "description": f"Keeps the records of department {self.service}",
            "http_host": "127.0.0.1",
            "http_port": self.port,
            "namespace": "default",
            "status": "healthy",
            "runtime": "python",
            "tools": tools,
            "a2a_producer": False,
            "a2a_consumer": False,
        }

    def _tool(self, verb: str) -> Json:
        function = f"{verb}_records_{self.service}"
        tool = {
            "function_name": function,
            "capability": _capability(self.service, verb),
            "version": "1.0.0",
            "tags": ["records", f"replica-{'ab'[self.replica]}"],
            "description": f"{verb.capitalize()} the records of department {self.service}.",
            **_schemas("input", _input_schema(self.service)),
            **_schemas("output", _output_schema(verb)),
            "kwargs": {"task": False, "resume_cursor": False, "function_name": function},
        }
        dependencies = self._dependencies(verb)
        return tool | ({"dependencies": dependencies} if dependencies else {})

    def _dependencies(self, verb: str) -> list[Json]:
        def on(distance: int, verb: str, **constraints: object) -> Json:
            service = (self.service + distance) % self.services
            return {"capability": _capability(service, verb), **constraints}

        if verb == "report":
            return [{"capability": f"absent_{self.service}"}, on(1, "get")]
        if verb == "summarize":
            return [on(7, "list", tags=["records", ["+replica-a", "nope"]])]
        if verb == "search":
            return [on(13, "get", version=">=1.0.0 <2.0.0"), on(3, "search")]
        if verb == "update" and self.strict and self.service % LAYERS:
            return [on(-1, "get", required=True)]
        return []


def fleet(size: int, extra: int = 0, *, strict: bool = False) -> list[Agent]:
    """Return so many agents that depend on each other, and extra ones that join them later."""
    services = max(1, size // 2)
    return [Agent(index, services, strict=strict) for index in range(size + extra)]


def _encoded(declaration: Json) -> bytes:
    return json.dumps(declaration, separators=(",", ":")).encode()


def _name(service: int) -> str:
    return f"records-{service:05d}"


def _capability(service: int, verb: str) -> str:
    return f"records_{service:05d}_{verb}"


def _framework_tool(name: str) -> Json:
    return {
        "function_name": name,
        "capability": name,
        "version": "1.0.0",
        "description": FRAMEWORK[name],
        **_schemas("output", {"type": "object", "additionalProperties": True}),
        "kwargs": {"task": False, "resume_cursor": False, "function_name": name},
    }


def _schemas(side: str, schema: Json) -> Json:
    canonical = {key: value for key, value in schema.items() if key != "additionalProperties"}
    digest = hashlib.sha256(json.dumps(canonical, sort_keys=True).encode()).hexdigest()
    return {
        f"{side}Schema": schema,
        f"{side}SchemaCanonical": canonical,
        f"{side}SchemaHash": f"sha256:{digest}",
    }


def _input_schema(service: int) -> Json:
    properties = {
        f"department_{service}": {"type": "string", "description": "The department asked for"},
        "limit": {"type": "integer", "default": 20, "minimum": 1, "maximum": 500},
        "since": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]},
        "fields": {"type": "array", "items": {"type": "string"}},
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": [f"department_{service}"],
    }


def _output_schema(verb: str) -> Json:
    record = {"id": {"type": "string"}, verb: {"type": "string"}, "count": {"type": "integer"}}
    records = {"type": "array", "items": {"type": "object", "properties": record}}
    return {"type": "object", "properties": {"records": records}, "required": ["records"]}

"""Agents of many types and versions, as the records that a registry keeps of them.

The types are real MCP servers, of a catalogue in ``../shared/data``; where that is missing, made
up ones. Types are as frequent as Zipf says and have one to three live versions; the replicas of a
version differ in id, endpoint, pod, node, address and times. Of the same agent, each context has
seen another heartbeat.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import orjson

CATALOGUE = Path(__file__).parents[3] / "shared" / "data" / "mcp_servers.jsonl"
TYPES = 300
VERSIONS = 3
LARGEST = 60_000
"""Types with longer JSON than this, of which the catalogue has a handful, are left out."""

Json = dict[str, Any]


class Fleet:
    """So many agents. ``own_types``: each is of a type of its own, down to the last description."""

    def __init__(self, size: int, *, own_types: bool = False) -> None:
        self.size = size
        self._own_types = own_types
        self._types = catalogue()[:TYPES]
        chance = random.Random(5)  # noqa: S311 (the same fleet each time)
        weights = [1 / rank for rank in range(1, len(self._types) + 1)]
        self._type_of = chance.choices(range(len(self._types)), weights, k=size)
        self._version_of = [chance.randrange(1 + self._type_of[n] % VERSIONS) for n in range(size)]

    def text(self, agent: int, context: int = 0) -> bytes:
        """Return the JSON of an agent's record, as a context has seen it."""
        number = agent if self._own_types else self._type_of[agent]
        declared = self._types[number % len(self._types)]
        version = 0 if self._own_types else self._version_of[agent]
        seen = f"2026-01-01T{agent // 3600 % 24:02}:{agent // 60 % 60:02}:{agent % 60:02}"
        address = f"10.{agent >> 16 & 255}.{agent >> 8 & 255}.{agent & 255}"
        capabilities = declared["capabilities"]
        if self._own_types:
            capabilities = _signed(capabilities, f" ({agent})")
        record = {
            "id": f"{declared['name']}-{agent:08x}",
            "name": declared["name"],
            "namespace": "default",
            "agent_type": "mcp_agent",
            "version": f"1.{version}.0",
            "description": declared["description"],
            "endpoint": f"http://{address}:8080/mcp",
            "status": "healthy",
            "labels": {**declared["labels"], "release": f"1.{version}"},
            "annotations": {"pod": f"pod-{agent:06x}", "node": f"node-{agent % 97}", "ip": address},
            "created_at": f"{seen}.{agent % 1000:03}Z",
            "updated_at": f"{seen}.{context}{agent % 1000:03}Z",
            "last_heartbeat": f"{seen}.{context}{agent % 997:03}1Z",
            "resource_version": str(100_000 + agent * 7 + context),
            "capabilities": [{**tool, "version": f"1.{version}.0"} for tool in capabilities],
        }
        return orjson.dumps(record)

    def record(self, agent: int, context: int = 0) -> Json:
        """Return a record that shares nothing with any other one."""
        parsed: Json = json.loads(self.text(agent, context))
        return parsed


def catalogue() -> list[Json]:
    """Return what the types declare, in an order that is random and always the same."""
    if CATALOGUE.exists():
        lines = CATALOGUE.read_text().splitlines()
        types = [json.loads(line) for line in lines if len(line) <= LARGEST]
        types = [declared for declared in types if declared["capabilities"]]
    else:
        types = [_made_up(number) for number in range(TYPES)]
    random.Random(3).shuffle(types)  # noqa: S311
    return types


def _made_up(number: int) -> Json:
    def tool(index: int) -> Json:
        fields = {
            f"{name}_{number % 17}": {"type": kind, "description": f"The {name} to {index} from."}
            for name, kind in (("query", "string"), ("limit", "integer"), ("deep", "boolean"))
        }
        schema = {"type": "object", "properties": fields, "required": [f"query_{number % 17}"]}
        return {
            "name": f"tool_{number}_{index}",
            "description": f"Does what number {index} of server {number} does, " * 4,
            "tags": ["read-only", f"group-{number % 5}"],
            "input_schema": schema,
        }

    return {
        "name": f"server-{number}",
        "description": f"A server for purpose {number}",
        "labels": {"team": f"team-{number % 11}"},
        "capabilities": [tool(index) for index in range(1 + number % 20)],
    }


def _signed(value: Any, signature: str) -> Any:
    """Return a copy in which every description, and every name of a tool, is like no other's."""
    if isinstance(value, dict):
        return {
            key: item + signature
            if key in {"description", "name"} and isinstance(item, str)
            else _signed(item, signature)
            for key, item in value.items()
        }
    return [_signed(item, signature) for item in value] if isinstance(value, list) else value

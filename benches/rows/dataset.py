"""What is read: a SQLite file of agents with ten capabilities each, as a mesh would fill it."""

from __future__ import annotations

import hashlib
import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

Json = dict[str, Any]

AGENT = (
    "id",
    "name",
    "namespace",
    "endpoint",
    "status",
    "agent_type",
    "runtime",
    "version",
    "description",
    "labels",
    "dependencies",
    "health_interval_s",
    "created_at",
    "updated_at",
    "revision",
)
CAPABILITY = (
    "id",
    "function_name",
    "name",
    "version",
    "description",
    "stability",
    "input_schema",
)
AGENT_JSON = ("labels", "dependencies")
CAPABILITY_JSON = ("input_schema",)

CAPABILITIES = 10
DOCUMENTS = 60
SMALLEST, LARGEST = 300, 2000
"""Bytes of an input schema."""
CATALOGUE = Path(__file__).parents[3] / "shared" / "data" / "mcp_servers.jsonl"
"""Real servers with their tools. It need not be there: schemas are made up then."""

TABLES = """
PRAGMA journal_mode = WAL;
CREATE TABLE agents (
    id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, namespace TEXT NOT NULL, endpoint TEXT,
    status TEXT NOT NULL, agent_type TEXT NOT NULL, runtime TEXT, version TEXT, description TEXT,
    labels TEXT NOT NULL, dependencies TEXT NOT NULL, health_interval_s REAL NOT NULL,
    created_at TEXT NOT NULL, updated_at TEXT NOT NULL, revision INTEGER NOT NULL
);
CREATE TABLE capabilities (
    id INTEGER PRIMARY KEY, function_name TEXT NOT NULL, name TEXT NOT NULL, version TEXT,
    description TEXT, stability TEXT, input_schema TEXT NOT NULL,
    agent_id TEXT NOT NULL REFERENCES agents (id)
);
CREATE INDEX capabilities_agent ON capabilities (agent_id);
"""


def write_dataset(path: Path, agents: int) -> None:
    """Write a new database; the same one for the same number of agents and catalogue."""
    choice = random.Random(agents)  # noqa: S311 - repeatable, not secret
    schemas = input_schemas()
    with closing(sqlite3.connect(path)) as conn:
        conn.executescript(TABLES)
        with conn:
            for number in range(agents):
                agent = _agent(number)
                _insert(conn, "agents", agent)
                for place in range(CAPABILITIES):
                    _insert(conn, "capabilities", _capability(agent, place, choice.choice(schemas)))
        conn.execute("ANALYZE")
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def input_schemas() -> list[str]:
    """Return the distinct JSON texts that capabilities draw from, their sizes spread evenly."""
    found = sorted({text for text in _texts() if SMALLEST <= _size(text) <= LARGEST}, key=_size)
    step = (LARGEST - SMALLEST) / (DOCUMENTS - 1)
    chosen = []
    for wanted in (SMALLEST + step * n for n in range(DOCUMENTS)):
        nearest = min(found, key=lambda text: abs(_size(text) - wanted))
        found.remove(nearest)
        chosen.append(nearest)
    return chosen


def _size(text: str) -> int:
    return len(text.encode())


def _texts() -> Iterator[str]:
    if not CATALOGUE.exists():
        yield from (_encoded(_made_up(number)) for number in range(4 * DOCUMENTS))
        return
    with CATALOGUE.open(encoding="utf-8") as lines:
        for line in lines:
            for capability in json.loads(line)["capabilities"]:
                yield _encoded(capability["input_schema"])


def _made_up(number: int) -> Json:
    names = [f"field_{number}_{n}" for n in range(2 + number % 20)]
    kinds = ("string", "integer", "number", "boolean")
    properties = {
        name: {
            "type": kinds[n % 4],
            "title": name.replace("_", " ").title(),
            "description": f"What {name} is to be",
        }
        for n, name in enumerate(names)
    }
    return {"type": "object", "properties": properties, "required": names[: 1 + number % 5]}


def _agent(number: int) -> Json:
    name = f"service-{number * 7919 % 1_000_003:06d}"  # ids are not inserted in their order
    moment = f"2026-01-{1 + number % 28:02d}T{number % 24:02d}:00:00.{number:06d}Z"
    dependencies = [
        {"capability": f"{verb}_of_service_{number * 7 % 1000}", "tags": ["+fast", "-legacy"]}
        for verb in ("list", "get", "search")
    ]
    return {
        "id": f"{name}-{hashlib.sha256(b'%d' % number).hexdigest()[:8]}",
        "name": name,
        "namespace": "default",
        "endpoint": f"http://10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}:8080/mcp",
        "status": "healthy" if number % 10 else "unhealthy",
        "agent_type": "mcp_agent",
        "runtime": ("python", "typescript", None)[number % 3],
        "version": f"1.{number % 30}.0",
        "description": f"Keeps the records of department {number}. " * 14,
        "labels": _encoded({"team": f"team-{number % 17}", "zone": f"zone-{number % 3}"}),
        "dependencies": _encoded(dependencies),
        "health_interval_s": 5 + number % 7 / 4,
        "created_at": moment,
        "updated_at": moment,
        "revision": number,
    }


def _capability(agent: Json, place: int, input_schema: str) -> Json:
    verb = ("get", "list", "create", "update", "search")[place % 5]
    return {
        "id": agent["revision"] * CAPABILITIES + place,
        "function_name": f"{verb}_{place}_of_{agent['name'].replace('-', '_')}",
        "name": f"{verb}_{place}",
        "version": "1.0.0" if place % 3 else None,
        "description": f"Does {verb} for {agent['name']}, in the {place + 1}. of its ways.",
        "stability": ("stable", "experimental", None)[place % 3],
        "input_schema": input_schema,
        "agent_id": agent["id"],
    }


def _insert(conn: sqlite3.Connection, table: str, record: Json) -> None:
    names = ", ".join(record)
    values = ", ".join("?" * len(record))
    conn.execute(f"INSERT INTO {table} ({names}) VALUES ({values})", tuple(record.values()))  # noqa: S608


def _encoded(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)

"""Statements on agents and their capabilities. All run inside a caller's transaction."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import msgspec
from msgspec import Struct

from meshaccel.db import feed, rows
from meshaccel.db.documents import Defined
from meshaccel.db.rows import AGENT_COLUMNS
from meshaccel.metadata import MetadataView
from meshaccel.models import Agent, AgentRecord, AgentStatus, Dependency

encode = msgspec.json.encode


class StoredTool(Struct, frozen=True):
    """What identifies a stored tool, without its definition."""

    digest: bytes
    capability: str


class NewTool(Defined, Protocol):
    """A tool that is to be stored."""

    @property
    def digest(self) -> bytes:
        """The digest of its definition."""

    @property
    def function_name(self) -> str:
        """The name of the function."""

    @property
    def dependencies(self) -> Sequence[Dependency]:
        """What it depends on, in declared order."""

    @property
    def definition(self) -> MetadataView:
        """All of it, as it is kept in memory."""


class Stored(Struct, frozen=True):
    """What a change must know of the agent it replaces; ``record`` is without its tools."""

    record: AgentRecord
    status: AgentStatus
    created_at_us: int
    content_hash: bytes
    tools: tuple[StoredTool, ...]


_SAVE_AGENT = f"""
INSERT INTO agents ({", ".join(AGENT_COLUMNS)}, endpoint, content_hash)
VALUES ({", ".join("?" * (len(AGENT_COLUMNS) + 2))})
ON CONFLICT (id) DO UPDATE SET
    {", ".join(f"{column} = excluded.{column}" for column in AGENT_COLUMNS[1:])},
    endpoint = excluded.endpoint, content_hash = excluded.content_hash
"""


def next_revision(conn: sqlite3.Connection) -> int:
    """Allocate the next revision. The writer is alone, so revisions commit in order."""
    row: tuple[int] = conn.execute(
        "UPDATE meta SET revision = revision + 1 RETURNING revision"
    ).fetchone()
    return row[0]


def revision(conn: sqlite3.Connection) -> int:
    """Return the revision of the last change."""
    row: tuple[int] = conn.execute("SELECT revision FROM meta").fetchone()
    return row[0]


def revision_of(conn: sqlite3.Connection, agent_id: str) -> int | None:
    """Return the revision of an agent, or None if it is unknown."""
    row: tuple[int] | None = conn.execute(
        "SELECT revision FROM agents WHERE id = ?", (agent_id,)
    ).fetchone()
    return None if row is None else row[0]


def stored(conn: sqlite3.Connection, agent_id: str) -> Stored | None:
    """Return what is stored of an agent, or None if it is unknown."""
    row = conn.execute(
        f"SELECT {', '.join(AGENT_COLUMNS)}, content_hash FROM agents WHERE id = ?", (agent_id,)
    ).fetchone()
    if row is None:
        return None
    columns = dict(zip(AGENT_COLUMNS, row, strict=False))
    tools = conn.execute(
        "SELECT c.digest, c.name FROM agent_capabilities ac"
        " JOIN capabilities c ON c.id = ac.capability_id"
        " WHERE ac.agent_id = ? ORDER BY ac.position",
        (agent_id,),
    )
    return Stored(
        rows.record(columns),
        columns["status"],
        columns["created_at_us"],
        row[-1],
        tuple(StoredTool(*tool) for tool in tools),
    )


def save(
    conn: sqlite3.Connection,
    record: AgentRecord,
    tools: Sequence[NewTool],
    content_hash: bytes,
    *,
    replacing: Stored | None,
    now_us: int,
) -> Agent:
    """Insert or replace an agent as healthy, under a new revision.

    ``record`` is without its ``tools``. Rows that stay the same are left alone.
    """
    agent = Agent(
        record=record,
        status="healthy",
        revision=next_revision(conn),
        created_at_us=replacing.created_at_us if replacing else now_us,
        updated_at_us=now_us,
    )
    values = (*rows.agent_values(agent), record.endpoint, content_hash)
    conn.execute(_SAVE_AGENT, values)
    if replacing is None or replacing.status != "healthy":
        # Not left to the next batch: should the registry die before it, an agent that has just
        # come back would be found silent for as long as it was away.
        conn.execute(
            "INSERT INTO leases (agent_id, last_seen_us) VALUES (?1, ?2)"
            " ON CONFLICT (agent_id) DO UPDATE SET last_seen_us = ?2",
            (record.id, now_us),
        )
    before = replacing.tools if replacing else ()
    known = {tool.digest for tool in before}
    new = {tool.digest: tool for tool in tools if tool.digest not in known}
    if new:
        _save_definitions(conn, new, record.runtime, now_us=now_us)
    _link_tools(conn, record.id, tools, before)
    feed.saved(conn, record, tools, agent.status, agent.revision)
    return agent


def set_status(
    conn: sqlite3.Connection, agent_id: str, status: AgentStatus, *, now_us: int
) -> bool:
    """Change the status of an agent under a new revision; False if it has that status."""
    changed = conn.execute(
        "SELECT 1 FROM agents WHERE id = ? AND status <> ?", (agent_id, status)
    ).fetchone()
    if changed is None:
        return False
    revision = next_revision(conn)
    conn.execute(
        "UPDATE agents SET status = ?, revision = ?, updated_at_us = ? WHERE id = ?",
        (status, revision, now_us, agent_id),
    )
    feed.status_changed(conn, agent_id, status, revision)
    return True


def remove(conn: sqlite3.Connection, agent_id: str, *, now_us: int) -> None:
    """Delete an agent under a new revision; the feed remembers that it was there."""
    digests = _tool_digests(conn, agent_id)
    conn.execute("DELETE FROM agents WHERE id = ?", (agent_id,))
    _forget_unused(conn, digests)
    feed.removed(conn, agent_id, next_revision(conn), now_us=now_us)


def required_edges(
    conn: sqlite3.Connection, names: Iterable[str], *, ignoring: str
) -> dict[str, set[str]]:
    """Return capability -> what it requires, as declared by every agent but ``ignoring``.

    Only the part of the graph that is reachable from ``names`` is read, in one statement. An
    empty name stands for a declaration that names nothing: no edge leads there.
    """
    found = conn.execute(
        """
        WITH RECURSIVE node (name) AS (
            SELECT value FROM json_each(:names)
            UNION
            SELECT d.required
            FROM node
            CROSS JOIN capabilities c ON c.name = node.name
            CROSS JOIN requirements d ON d.capability_id = c.id
            WHERE EXISTS (
                SELECT 1 FROM agent_capabilities ac
                WHERE ac.capability_id = c.id AND ac.agent_id <> :ignoring
            )
        )
        SELECT DISTINCT c.name, d.required
        FROM node
        CROSS JOIN capabilities c ON c.name = node.name
        CROSS JOIN requirements d ON d.capability_id = c.id
        WHERE EXISTS (
            SELECT 1 FROM agent_capabilities ac
            WHERE ac.capability_id = c.id AND ac.agent_id <> :ignoring
        )
        """,
        {"ignoring": ignoring, "names": encode(list(names)).decode()},
    )
    edges: dict[str, set[str]] = {}
    for source, target in found:
        edges.setdefault(source, set()).add(target)
    return edges


def _save_definitions(
    conn: sqlite3.Connection,
    new: Mapping[bytes, NewTool],
    runtime: str | None,
    *,
    now_us: int,
) -> None:
    conn.executemany(
        "INSERT OR IGNORE INTO capabilities (digest, name, definition) VALUES (?, ?, ?)",
        [
            (digest, tool.capability or "", tool.definition.to_json().decode())
            for digest, tool in new.items()
        ],
    )
    conn.executemany(
        "INSERT OR IGNORE INTO requirements (capability_id, required)"
        " VALUES ((SELECT id FROM capabilities WHERE digest = ?), ?)",
        [
            (digest, dependency.capability)
            for digest, tool in new.items()
            for dependency in tool.dependencies
            if dependency.required and dependency.capability
        ],
    )
    # The tools of an agent often share a schema, which is then written out once.
    published = dict(pair for tool in new.values() for pair in _published_schemas(tool))
    conn.executemany(
        "INSERT OR IGNORE INTO schemas (hash, canonical, runtime_origin, created_at_us)"
        " VALUES (?, ?, ?, ?)",
        [
            (schema_hash, canonical.to_json().decode(), runtime, now_us)
            for schema_hash, canonical in published.items()
        ],
    )


def _published_schemas(tool: NewTool) -> Iterator[tuple[str, MetadataView]]:
    definition = tool.definition
    for side in ("input", "output"):
        schema_hash = definition.get(f"{side}SchemaHash")
        canonical = definition.get(f"{side}SchemaCanonical")
        if schema_hash and canonical is not None:
            yield schema_hash, canonical


def _link_tools(
    conn: sqlite3.Connection,
    agent_id: str,
    tools: Sequence[NewTool],
    before: Sequence[StoredTool],
) -> None:
    conn.executemany(
        "INSERT OR REPLACE INTO agent_capabilities"
        " (agent_id, position, capability_id, function_name)"
        " VALUES (?, ?, (SELECT id FROM capabilities WHERE digest = ?), ?)",
        [
            (agent_id, position, tool.digest, tool.function_name)
            for position, tool in enumerate(tools)
            if position >= len(before) or before[position].digest != tool.digest
        ],
    )
    if len(before) > len(tools):
        conn.execute(
            "DELETE FROM agent_capabilities WHERE agent_id = ? AND position >= ?",
            (agent_id, len(tools)),
        )
    _forget_unused(conn, {tool.digest for tool in before} - {tool.digest for tool in tools})


def _tool_digests(conn: sqlite3.Connection, agent_id: str) -> set[bytes]:
    found = conn.execute(
        "SELECT c.digest FROM agent_capabilities ac JOIN capabilities c ON c.id = ac.capability_id"
        " WHERE ac.agent_id = ?",
        (agent_id,),
    )
    return {digest for (digest,) in found}


def _forget_unused(conn: sqlite3.Connection, digests: Iterable[bytes]) -> None:
    conn.executemany(
        "DELETE FROM capabilities WHERE digest = ?"
        " AND NOT EXISTS (SELECT 1 FROM agent_capabilities WHERE capability_id = capabilities.id)",
        [(digest,) for digest in digests],
    )

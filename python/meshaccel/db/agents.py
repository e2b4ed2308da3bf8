"""Statements on agents and their capabilities. All run inside a caller's transaction."""

import sqlite3
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from meshaccel.content import digest
from meshaccel.db import rows
from meshaccel.db.rows import AGENT_COLUMNS
from meshaccel.models import AgentRecord, AgentStatus, Tool

encode = msgspec.json.encode


class StoredTool(Struct, frozen=True):
    """What identifies a stored tool, without its definition."""

    digest: bytes
    capability: str


class Stored(Struct, frozen=True):
    """What a change must know of the agent it replaces; ``record`` is without its tools."""

    record: AgentRecord
    status: AgentStatus
    content_hash: bytes
    tools: tuple[StoredTool, ...]


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
        " JOIN capabilities c ON c.digest = ac.digest"
        " WHERE ac.agent_id = ? ORDER BY ac.position",
        (agent_id,),
    )
    return Stored(
        rows.record(columns, ()),
        columns["status"],
        row[-1],
        tuple(StoredTool(*tool) for tool in tools),
    )


def save(
    conn: sqlite3.Connection, record: AgentRecord, content_hash: bytes, *, now_us: int
) -> tuple[StoredTool, ...]:
    """Insert or replace an agent as healthy, under a new revision; return its stored tools."""
    conn.execute(
        """
        INSERT INTO agents (
            id, name, agent_type, runtime, version, description, namespace,
            http_host, http_port, url, endpoint, a2a_producer, a2a_consumer,
            surfaces, tags, labels, source, leased, status, content_hash, revision, created_at_us, updated_at_us
        ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'healthy', ?, ?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET
            name = excluded.name, agent_type = excluded.agent_type, runtime = excluded.runtime,
            version = excluded.version, description = excluded.description,
            namespace = excluded.namespace, http_host = excluded.http_host,
            http_port = excluded.http_port, url = excluded.url, endpoint = excluded.endpoint,
            a2a_producer = excluded.a2a_producer, a2a_consumer = excluded.a2a_consumer,
            surfaces = excluded.surfaces, tags = excluded.tags, labels = excluded.labels,
            source = excluded.source, leased = excluded.leased, status = 'healthy',
            content_hash = excluded.content_hash, revision = excluded.revision,
            updated_at_us = excluded.updated_at_us
        """,
        (
            record.id,
            record.name,
            record.agent_type,
            record.runtime,
            record.version,
            record.description,
            record.namespace,
            record.http_host,
            record.http_port,
            record.url,
            record.endpoint,
            record.a2a_producer,
            record.a2a_consumer,
            encode(record.surfaces).decode(),
            encode(record.tags).decode(),
            encode(record.labels).decode(),
            record.source,
            record.leased,
            content_hash,
            next_revision(conn),
            now_us,
            now_us,
        ),
    )
    conn.execute("DELETE FROM tombstones WHERE agent_id = ?", (record.id,))
    conn.execute(
        "INSERT INTO leases (agent_id, last_seen_us) VALUES (?1, ?2)"
        " ON CONFLICT (agent_id) DO UPDATE SET last_seen_us = ?2",
        (record.id, now_us),
    )
    return _replace_tools(conn, record, now_us=now_us)


def set_status(
    conn: sqlite3.Connection, agent_id: str, status: AgentStatus, *, now_us: int
) -> bool:
    """Change the status of an agent under a new revision; False if it has that status."""
    changed = conn.execute(
        "SELECT 1 FROM agents WHERE id = ? AND status <> ?", (agent_id, status)
    ).fetchone()
    if changed is None:
        return False
    conn.execute(
        "UPDATE agents SET status = ?, revision = ?, updated_at_us = ? WHERE id = ?",
        (status, next_revision(conn), now_us, agent_id),
    )
    return True


def remove(conn: sqlite3.Connection, agent_id: str, *, now_us: int) -> None:
    """Delete an agent, leaving a tombstone under a new revision."""
    digests = _tool_digests(conn, agent_id)
    conn.execute("DELETE FROM agents WHERE id = ?", (agent_id,))
    _forget_unused(conn, digests)
    conn.execute(
        "INSERT OR REPLACE INTO tombstones (agent_id, revision, deleted_at_us) VALUES (?, ?, ?)",
        (agent_id, next_revision(conn), now_us),
    )


def capability_names(conn: sqlite3.Connection, agent_id: str) -> list[str]:
    """Return the names of the capabilities that an agent offers, each once."""
    names = conn.execute(
        "SELECT DISTINCT c.name FROM agent_capabilities ac"
        " JOIN capabilities c ON c.digest = ac.digest WHERE ac.agent_id = ?",
        (agent_id,),
    )
    return [name for (name,) in names]


def required_edges(
    conn: sqlite3.Connection, names: Iterable[str], *, ignoring: str
) -> dict[str, set[str]]:
    """Return capability -> what it requires, as declared by every agent but ``ignoring``.

    Only the part of the graph that is reachable from ``names`` is read, in one statement.
    """
    found = conn.execute(
        """
        WITH RECURSIVE edge (source, target) AS (
            SELECT DISTINCT c.name, d.capability
            FROM capabilities c
            JOIN dependencies d ON d.digest = c.digest AND d.required
            WHERE EXISTS (
                SELECT 1 FROM agent_capabilities ac
                WHERE ac.digest = c.digest AND ac.agent_id <> :ignoring
            )
        ), reached (name) AS (
            SELECT value FROM json_each(:names)
            UNION
            SELECT edge.target FROM reached JOIN edge ON edge.source = reached.name
        )
        SELECT edge.source, edge.target FROM edge JOIN reached ON reached.name = edge.source
        """,
        {"ignoring": ignoring, "names": encode(list(names)).decode()},
    )
    edges: dict[str, set[str]] = {}
    for source, target in found:
        edges.setdefault(source, set()).add(target)
    return edges


def _replace_tools(
    conn: sqlite3.Connection, record: AgentRecord, *, now_us: int
) -> tuple[StoredTool, ...]:
    before = _tool_digests(conn, record.id)
    saved = tuple(_save_definition(conn, tool) for tool in record.tools)
    conn.execute("DELETE FROM agent_capabilities WHERE agent_id = ?", (record.id,))
    conn.executemany(
        "INSERT INTO agent_capabilities (agent_id, position, digest, function_name)"
        " VALUES (?, ?, ?, ?)",
        [
            (record.id, position, tool.digest, declared.function_name)
            for position, (declared, tool) in enumerate(zip(record.tools, saved, strict=True))
        ],
    )
    _forget_unused(conn, before - {tool.digest for tool in saved})
    _save_schemas(conn, record, now_us=now_us)
    return saved


def _save_definition(conn: sqlite3.Connection, tool: Tool) -> StoredTool:
    key = digest(tool)
    name = tool.capability or ""
    added = conn.execute(
        "INSERT OR IGNORE INTO capabilities (digest, name, definition) VALUES (?, ?, ?)",
        (key, name, encode(tool).decode()),
    ).rowcount
    if added:
        conn.executemany(
            "INSERT INTO dependencies (digest, position, capability, required) VALUES (?, ?, ?, ?)",
            [
                (key, position, dependency.capability or "", bool(dependency.required))
                for position, dependency in enumerate(tool.dependencies or ())
            ],
        )
    return StoredTool(key, name)


def _save_schemas(conn: sqlite3.Connection, record: AgentRecord, *, now_us: int) -> None:
    schemas = {
        schema_hash: canonical
        for tool in record.tools
        for schema_hash, canonical in (
            (tool.input_schema_hash, tool.input_schema_canonical),
            (tool.output_schema_hash, tool.output_schema_canonical),
        )
        if schema_hash and canonical is not None
    }
    conn.executemany(
        "INSERT OR IGNORE INTO schemas (hash, canonical, runtime_origin, created_at_us)"
        " VALUES (?, ?, ?, ?)",
        [
            (schema_hash, encode(canonical).decode(), record.runtime, now_us)
            for schema_hash, canonical in schemas.items()
        ],
    )


def _tool_digests(conn: sqlite3.Connection, agent_id: str) -> set[bytes]:
    found = conn.execute("SELECT digest FROM agent_capabilities WHERE agent_id = ?", (agent_id,))
    return {digest for (digest,) in found}


def _forget_unused(conn: sqlite3.Connection, digests: Iterable[bytes]) -> None:
    conn.executemany(
        "DELETE FROM capabilities WHERE digest = ?1"
        " AND NOT EXISTS (SELECT 1 FROM agent_capabilities WHERE digest = ?1)",
        [(digest,) for digest in digests],
    )

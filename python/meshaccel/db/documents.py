"""The documents of agents: what readers of the change feed are given of each."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from meshaccel.db import rows
from meshaccel.db.rows import AGENT_COLUMNS
from meshaccel.discovery.convergence import document_digest, read_document
from meshaccel.models import AgentRecord

encode = msgspec.json.encode


class Defined(Protocol):
    """A tool as far as documents show it."""

    @property
    def capability(self) -> str | None:
        """What it offers, or nothing."""

    @property
    def definition(self) -> object:
        """All of it, decoded, or a view of that."""


def digest_of(bare: AgentRecord, tools: Iterable[Defined]) -> bytes:
    """Return the digest of the document of a record without its tools, and of these.

    As ``document_digest`` of what the document says, which is not written for that.
    """
    fields = msgspec.to_builtins(bare)
    definitions = [tool.definition for tool in tools]
    return document_digest(fields | {"endpoint": bare.endpoint, "tools": definitions})


def of_agents(conn: sqlite3.Connection, agent_ids: Sequence[str]) -> dict[str, bytes]:
    """Return the documents of stored agents by id, in two statements."""
    ids = encode(agent_ids).decode()
    definitions: dict[str, list[bytes]] = {}
    for agent_id, definition in conn.execute(
        "SELECT ac.agent_id, c.definition FROM json_each(?) w"
        " CROSS JOIN agent_capabilities ac ON ac.agent_id = w.value"
        " JOIN capabilities c ON c.id = ac.capability_id ORDER BY ac.agent_id, ac.position",
        (ids,),
    ):
        definitions.setdefault(agent_id, []).append(definition.encode())
    found = conn.execute(
        f"SELECT {', '.join(f'a.{column}' for column in AGENT_COLUMNS)} FROM json_each(?) w"
        " CROSS JOIN agents a ON a.id = w.value",
        (ids,),
    )
    return {bare.id: _document(bare, definitions.get(bare.id, ())) for bare in map(_bare, found)}


class DecodedTool(Struct, frozen=True):
    """A stored tool, decoded."""

    capability: str
    definition: object


def record(
    conn: sqlite3.Connection, agent_id: str
) -> tuple[AgentRecord, tuple[DecodedTool, ...]] | None:
    """Return a stored agent's record without its tools, and these, or None."""
    row = conn.execute(
        f"SELECT {', '.join(AGENT_COLUMNS)} FROM agents WHERE id = ?", (agent_id,)
    ).fetchone()
    if row is None:
        return None
    tools = conn.execute(
        "SELECT c.name, c.definition FROM agent_capabilities ac"
        " JOIN capabilities c ON c.id = ac.capability_id"
        " WHERE ac.agent_id = ? ORDER BY ac.position",
        (agent_id,),
    )
    return _bare(row), tuple(DecodedTool(name, read_document(text)) for name, text in tools)


def _bare(row: Sequence[Any]) -> AgentRecord:
    return rows.record(dict(zip(AGENT_COLUMNS, row, strict=True)))


def _document(bare: AgentRecord, definitions: Iterable[bytes]) -> bytes:
    # Definitions are stored as JSON of their own: nothing is decoded to be encoded again.
    fields = {name: getattr(bare, name) for name in bare.__struct_fields__}
    tools = [msgspec.Raw(definition) for definition in definitions]
    return encode(fields | {"endpoint": bare.endpoint, "tools": tools})

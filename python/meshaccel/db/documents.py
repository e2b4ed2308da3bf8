"""The documents of agents: what readers of the change feed are given of each."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import structs

from meshaccel.db import rows
from meshaccel.db.rows import AGENT_COLUMNS
from meshaccel.models import AgentRecord, Tool

encode = msgspec.json.encode

_decode_tool = msgspec.json.Decoder(Tool).decode


def of_record(record: AgentRecord) -> bytes:
    """Return the document of a record, as it is before it is stored."""
    return _document(record, map(encode, record.tools))


def of_agents(conn: sqlite3.Connection, agent_ids: Sequence[str]) -> dict[str, bytes]:
    """Return the documents of stored agents by id, in two statements."""
    ids = encode(agent_ids).decode()
    definitions: dict[str, list[bytes]] = {}
    for agent_id, definition in conn.execute(
        "SELECT ac.agent_id, c.definition FROM json_each(?) w"
        " CROSS JOIN agent_capabilities ac ON ac.agent_id = w.value"
        " JOIN capabilities c ON c.digest = ac.digest ORDER BY ac.agent_id, ac.position",
        (ids,),
    ):
        definitions.setdefault(agent_id, []).append(definition.encode())
    found = conn.execute(
        f"SELECT {', '.join(f'a.{column}' for column in AGENT_COLUMNS)} FROM json_each(?) w"
        " CROSS JOIN agents a ON a.id = w.value",
        (ids,),
    )
    return {bare.id: _document(bare, definitions.get(bare.id, ())) for bare in map(_bare, found)}


def record(conn: sqlite3.Connection, agent_id: str) -> AgentRecord | None:
    """Return a stored agent's record with its tools, or None."""
    row = conn.execute(
        f"SELECT {', '.join(AGENT_COLUMNS)} FROM agents WHERE id = ?", (agent_id,)
    ).fetchone()
    if row is None:
        return None
    tools = conn.execute(
        "SELECT c.definition FROM agent_capabilities ac JOIN capabilities c ON c.digest = ac.digest"
        " WHERE ac.agent_id = ? ORDER BY ac.position",
        (agent_id,),
    )
    return structs.replace(_bare(row), tools=tuple(_decode_tool(text) for (text,) in tools))


def _bare(row: Sequence[Any]) -> AgentRecord:
    return rows.record(dict(zip(AGENT_COLUMNS, row, strict=True)))


def _document(bare: AgentRecord, definitions: Iterable[bytes]) -> bytes:
    # Definitions are stored as JSON of their own: nothing is decoded to be encoded again.
    fields = {name: getattr(bare, name) for name in bare.__struct_fields__}
    tools = [msgspec.Raw(definition) for definition in definitions]
    return encode(fields | {"endpoint": bare.endpoint, "tools": tools})

"""From rows to models: the columns of an agent, and how they are read."""

from typing import Any

import msgspec

from meshaccel.models import Agent, AgentRecord, Surface

AGENT_COLUMNS = (
    "id",
    "name",
    "agent_type",
    "runtime",
    "version",
    "description",
    "namespace",
    "http_host",
    "http_port",
    "url",
    "a2a_producer",
    "a2a_consumer",
    "surfaces",
    "tags",
    "labels",
    "source",
    "leased",
    "status",
    "revision",
    "created_at_us",
    "updated_at_us",
)

_decode_surfaces = msgspec.json.Decoder(tuple[Surface, ...]).decode
_decode_strings = msgspec.json.Decoder(tuple[str, ...]).decode
_decode_labels = msgspec.json.Decoder(dict[str, str]).decode


def agent_values(agent: Agent) -> tuple[object, ...]:
    """Return the values of ``AGENT_COLUMNS`` of an agent."""
    record = agent.record
    return (
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
        record.a2a_producer,
        record.a2a_consumer,
        msgspec.json.encode(record.surfaces).decode(),
        msgspec.json.encode(record.tags).decode(),
        msgspec.json.encode(record.labels).decode(),
        record.source,
        record.leased,
        agent.status,
        agent.revision,
        agent.created_at_us,
        agent.updated_at_us,
    )


def record(row: dict[str, Any]) -> AgentRecord:
    """Build a record without its tools from the values of ``AGENT_COLUMNS`` by name."""
    return AgentRecord(
        id=row["id"],
        name=row["name"],
        agent_type=row["agent_type"],
        runtime=row["runtime"],
        version=row["version"],
        description=row["description"],
        namespace=row["namespace"],
        http_host=row["http_host"],
        http_port=row["http_port"],
        url=row["url"],
        a2a_producer=bool(row["a2a_producer"]),
        a2a_consumer=bool(row["a2a_consumer"]),
        surfaces=_decode_surfaces(row["surfaces"]),
        tags=_decode_strings(row["tags"]),
        labels=_decode_labels(row["labels"]),
        source=row["source"],
        leased=bool(row["leased"]),
    )


def agent(row: dict[str, Any]) -> Agent:
    """Build an agent without its tools from the values of ``AGENT_COLUMNS`` by name."""
    return Agent(
        record=record(row),
        status=row["status"],
        revision=row["revision"],
        created_at_us=row["created_at_us"],
        updated_at_us=row["updated_at_us"],
    )

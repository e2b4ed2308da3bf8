"""From a declaration to the stored record: normalise, check the rules, commit.

A declaration replaces the former tools as a whole; of the other fields, one that is absent
(or, for names, empty) leaves what is stored.
"""

import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, structs

from meshaccel.content import digest, digest_bytes
from meshaccel.db import agents, candidates, events
from meshaccel.db.agents import Stored, StoredTool
from meshaccel.db.events import Event
from meshaccel.errors import InvalidRequestError, RegistrationRejectedError
from meshaccel.metadata import msgspec_hook
from meshaccel.models import AgentRecord, JsonObject, Surface, Tool
from meshaccel.registry.audit import transition_data
from meshaccel.registry.changes import Change
from meshaccel.registry.declared import DeclaredTool, of_tool
from meshaccel.registry.records import Record, Records
from meshaccel.registry.resolution import cycle_message, find_required_cycle, required_edges

MAX_AGENT_ID = 253
MAX_NAME = 63
MAX_DESCRIPTION = 256
"""Limits of text, in characters."""

MAX_KWARGS = 64 * 1024
"""Bytes of a tool's kwargs, which every consumer is sent."""

MAX_LLM_FILTERS = 100
"""Functions of one agent that may ask for tools by filter."""

MIN_INT, MAX_INT = -(2**63), 2**63 - 1
"""What fits a column of integers."""

AGENT_TYPES = ("mcp_agent", "mesh_tool", "api", "a2a")
RUNTIMES = ("python", "typescript", "java")

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


class AgentFields(Struct, frozen=True, kw_only=True):
    """What an agent declares of itself, without its tools; ``None`` means absent."""

    agent_id: str | None = None
    name: str | None = None
    version: str | None = None
    description: str | None = None
    namespace: str | None = None
    agent_type: str | None = None
    runtime: str | None = None
    http_host: str | None = None
    http_port: Annotated[int, Meta(ge=MIN_INT, le=MAX_INT)] | None = None
    surfaces: tuple[Surface, ...] | None = None
    a2a_producer: bool | None = None
    a2a_consumer: bool | None = None
    timestamp: Annotated[datetime, Meta(tz=True)] | None = None
    """Only checked: the registry goes by its own clock."""


class Declaration(AgentFields, frozen=True, kw_only=True):
    """The body of ``POST /heartbeat``. Only ``agent_id`` is needed."""

    tools: tuple[Tool | None, ...] | None = None


class ReadDeclaration(AgentFields, frozen=True, kw_only=True):
    """A declaration whose tools are ready to be compared with what is stored."""

    tools: tuple[DeclaredTool, ...] = ()
    """Those that name a function. One without a capability offers nothing, but its dependencies
    are wired all the same."""


class Registered(Struct, frozen=True):
    """The outcome of a declaration. Without ``change`` nothing was written."""

    agent_id: str
    created: bool
    change: Change | None


class Memory(Struct, frozen=True):
    """What is in memory, and may be taken instead of reading it again."""

    agent: Record | None = None
    """The agent. It is looked at only if it is of the revision that is stored."""
    wanted: frozenset[str] = frozenset()
    """The capabilities that the declared tools choose from."""
    offers: frozenset[str] = frozenset()
    """Those of them whose offers are there, but for what the declaration itself changes."""


def warnings(declaration: AgentFields) -> tuple[str, ...]:
    """Say what of a declaration is not taken as it is."""
    length = len((declaration.description or "").strip())
    if length > MAX_DESCRIPTION:
        return (f"description truncated from {length} to {MAX_DESCRIPTION} chars",)
    return ()


def with_tools(declared: AgentFields, tools: Iterable[DeclaredTool | None]) -> ReadDeclaration:
    """Return a declaration with tools that were read."""
    fields = {name: getattr(declared, name) for name in AgentFields.__struct_fields__}
    return ReadDeclaration(**fields, tools=tuple(t for t in tools if t and t.function_name))


def register(
    conn: sqlite3.Connection,
    declaration: ReadDeclaration,
    records: Records,
    *,
    memory: Memory,
    now_us: int,
) -> Registered:
    """Bring an agent to what it declares, as healthy, inside a write transaction.

    What it is going to be told is read along, as far as it is not in ``memory``.

    Raises:
        InvalidRequestError: there is no agent_id.
        RegistrationRejectedError: a name breaks the rules, or a required cycle would close.
    """
    if not declaration.agent_id:
        raise InvalidRequestError("agent_id is required")
    stored = _stored(conn, declaration.agent_id, memory.agent)
    if stored is None:
        _check_names(declaration)
    _check_sizes(declaration.tools)
    _check_cycle(conn, declaration.agent_id, declaration.tools)
    record = _merged(declaration, stored)
    registered = _store(conn, record, declaration.tools, stored, records, now_us=now_us)
    if registered.change is None:
        return registered
    wanted = memory.wanted - (memory.offers - registered.change.capabilities)
    offers = candidates.offers(conn, wanted, records.tool) if wanted else {}
    return structs.replace(registered, change=structs.replace(registered.change, offers=offers))


def put(
    conn: sqlite3.Connection, record: AgentRecord, records: Records, *, now_us: int
) -> Registered:
    """Store a record that lives without heartbeats, inside a write transaction.

    Raises:
        InvalidRequestError: the record is malformed.
        RegistrationRejectedError: a living agent has its id, or a required cycle would close.
    """
    if not record.id or len(record.id) > MAX_AGENT_ID or not record.id.isprintable():
        raise InvalidRequestError(
            f"agent_id: must be 1 to {MAX_AGENT_ID} printable characters, not {record.id!r:.80}"
        )
    stored = agents.stored(conn, record.id)
    if stored is not None and stored.record.leased and stored.status == "healthy":
        raise RegistrationRejectedError(f"{record.id} is a living agent: it speaks for itself")
    tools = tuple(of_tool(tool, records) for tool in record.tools)
    _check_cycle(conn, record.id, tools)
    leaseless = structs.replace(record, leased=False, tools=())
    return _store(conn, leaseless, tools, stored, records, now_us=now_us)


def _stored(conn: sqlite3.Connection, agent_id: str, known: Record | None) -> Stored | None:
    """Return what is stored of an agent."""
    revision = agents.revision_of(conn, agent_id)
    if revision is None:
        return None
    if known is None or known.content_hash is None or known.revision != revision:
        return agents.stored(conn, agent_id)
    agent = known.agent
    return Stored(
        agent.record,
        agent.status,
        agent.created_at_us,
        known.content_hash,
        tuple(StoredTool(tool.digest, tool.capability or "") for tool in known.tools),
    )


def _store(
    conn: sqlite3.Connection,
    record: AgentRecord,
    tools: Sequence[DeclaredTool],
    stored: Stored | None,
    records: Records,
    *,
    now_us: int,
) -> Registered:
    """Store ``record`` and ``tools`` in place of ``stored`` unless they are that already."""
    content_hash = digest_bytes(digest(record) + b"".join(tool.digest for tool in tools))
    unchanged = stored is not None and stored.content_hash == content_hash
    if unchanged and stored is not None and stored.status == "healthy":
        return Registered(record.id, created=False, change=None)
    agent = agents.save(conn, record, tools, content_hash, replacing=stored, now_us=now_us)
    change = Change(
        record.id,
        _affected(record, tools, stored),
        reordered=stored is not None
        and [tool.digest for tool in stored.tools] != [tool.digest for tool in tools],
        record=records.declared(agent, (tool.defined for tool in tools), content_hash),
    )
    if stored is None or stored.status != "healthy":
        _append_register_event(conn, record, revived=stored is not None, now_us=now_us)
    return Registered(record.id, created=stored is None, change=change)


def _check_names(declaration: AgentFields) -> None:
    for field, value, limit in (
        ("agent_id", declaration.agent_id, MAX_AGENT_ID),
        ("name", _or(declaration.name, declaration.agent_id), MAX_NAME),
        ("namespace", _or(declaration.namespace, "default"), MAX_NAME),
    ):
        fault = _name_fault(value or "", limit)
        if fault:
            raise RegistrationRejectedError(f"validation failed: {field}: {field} {fault}")


def _or(value: str | None, default: str | None) -> str | None:
    return default if value is None else value


def _name_fault(value: str, limit: int) -> str | None:
    if not value:
        return "cannot be empty"
    if len(value) > limit:
        return f"cannot exceed {limit} characters"
    if not _NAME.fullmatch(value):
        return "must contain only lowercase alphanumeric characters and hyphens"
    return None


def _check_sizes(tools: Sequence[DeclaredTool]) -> None:
    """Refuse what would be multiplied in the answers to others, or to the agent itself."""
    if sum(tool.defined.llm_filter is not None for tool in tools) > MAX_LLM_FILTERS:
        raise RegistrationRejectedError(
            f"validation failed: tools: more than {MAX_LLM_FILTERS} have an llm_filter"
        )
    for tool in tools:
        # Only what may be too long is measured: no number takes eight times what it was spelt with.
        kwargs = tool.defined.kwargs if len(tool.spelling) > MAX_KWARGS // 8 else None
        if kwargs and len(msgspec.json.encode(kwargs, enc_hook=msgspec_hook)) > MAX_KWARGS:
            raise RegistrationRejectedError(
                f"validation failed: tools: the kwargs of {tool.function_name!r:.80} are larger"
                f" than {MAX_KWARGS} bytes"
            )


def _check_cycle(conn: sqlite3.Connection, agent_id: str, tools: Sequence[DeclaredTool]) -> None:
    declared = required_edges(tool.defined for tool in tools)
    if not declared:
        return
    targets = set().union(*declared.values())
    others = agents.required_edges(conn, targets, ignoring=agent_id)
    cycle = find_required_cycle(declared, others)
    if cycle:
        raise RegistrationRejectedError(cycle_message(cycle))


def _merged(declaration: AgentFields, stored: Stored | None) -> AgentRecord:
    """Return the record without its tools."""
    agent_id = declaration.agent_id or ""
    before = AgentRecord(id=agent_id, name=agent_id, runtime="python")
    if stored is not None and stored.record.leased:
        before = stored.record
    changes = {
        "name": declaration.name or None,
        "version": declaration.version or None,
        "namespace": declaration.namespace or None,
        "agent_type": _known("agent_type", declaration.agent_type, AGENT_TYPES),
        "runtime": _known("runtime", declaration.runtime, RUNTIMES),
        "http_host": declaration.http_host or None,
        "http_port": declaration.http_port if (declaration.http_port or 0) > 0 else None,
        "a2a_producer": declaration.a2a_producer,
        "a2a_consumer": declaration.a2a_consumer,
        "surfaces": declaration.surfaces,
    }
    if declaration.description is not None:
        changes["description"] = declaration.description.strip()[:MAX_DESCRIPTION]
    present = {field: value for field, value in changes.items() if value is not None}
    return structs.replace(before, **present, leased=True)


def _known(field: str, value: str | None, known: tuple[str, ...]) -> str | None:
    if value is not None and value not in known:
        raise RegistrationRejectedError(
            f"validation failed: {field}: {value!r} is not one of {', '.join(known)}"
        )
    return value


def _affected(
    record: AgentRecord, tools: Sequence[DeclaredTool], stored: Stored | None
) -> frozenset[str]:
    """Name the capabilities whose candidates differ by this agent's part in them."""
    now = _definitions(tools)
    before = _definitions(stored.tools) if stored else {}
    if stored is None or stored.status != "healthy" or stored.record.endpoint != record.endpoint:
        return frozenset(now | before)
    return frozenset(name for name in now | before if now.get(name) != before.get(name))


def _definitions(tools: Iterable[StoredTool | DeclaredTool]) -> dict[str, list[bytes]]:
    by_name: defaultdict[str, list[bytes]] = defaultdict(list)
    for tool in tools:
        by_name[tool.capability].append(tool.digest)
    return by_name


def _append_register_event(
    conn: sqlite3.Connection, record: AgentRecord, *, revived: bool, now_us: int
) -> None:
    # An api agent serves browsers and scripts; upstream keeps its comings out of the trail.
    if record.agent_type == "api":
        return
    data: JsonObject = {
        "name": record.name,
        "agent_type": record.agent_type,
        "version": record.version or "",
    }
    if revived:
        data = transition_data("healthy", now_us=now_us)
    event = Event(
        event_type="register",
        agent_id=record.id,
        agent_name=record.name,
        timestamp_us=now_us,
        data=data,
    )
    events.append(conn, [event])

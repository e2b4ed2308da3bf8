"""Between bytes on the wire and the registry's types."""

from collections.abc import Iterable
from typing import TypeVar

import msgspec
from msgspec import Struct

from meshaccel.clock import rfc3339, rfc3339_bytes
from meshaccel.db.events import Event
from meshaccel.db.schemas import StoredSchema
from meshaccel.errors import InvalidRequestError
from meshaccel.http.query import encode_cursor
from meshaccel.metadata import json_depth, msgspec_hook
from meshaccel.models import AgentRecord, JsonObject, Tool
from meshaccel.registry.declared import ToolReader
from meshaccel.registry.heartbeats import Answer
from meshaccel.registry.pages import Listed, Page
from meshaccel.registry.records import Record
from meshaccel.registry.registration import AgentFields, Declaration, ReadDeclaration, with_tools

T = TypeVar("T")

encode = msgspec.json.encode

MAX_DEPTH = 200
"""Levels of a body's nesting. Real schemas have some thirty; whatever is stored will be read
and written again, at other depths of our own stack."""

_declaration = msgspec.json.Decoder(Declaration)


class CatalogueCapability(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A capability in a catalogue record."""

    name: str
    version: str | None = None
    description: str | None = None
    tags: tuple[str, ...] | None = None
    input_schema: JsonObject | None = None


class CatalogueRecord(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agent as catalogues list it: the body of ``PUT /agents/{id}``.

    An unknown field is refused: it would be lost.
    """

    agent_id: str
    name: str | None = None
    description: str | None = None
    version: str | None = None
    namespace: str | None = None
    endpoint: str | None = None
    tags: tuple[str, ...] | None = None
    labels: dict[str, str] | None = None
    capabilities: tuple[CatalogueCapability, ...] | None = None
    source: str | None = None

    def record(self) -> AgentRecord:
        """Return the record that the registry keeps; a tool is called by its name."""
        return AgentRecord(
            id=self.agent_id,
            name=self.name or self.agent_id,
            version=self.version,
            description=self.description,
            namespace=self.namespace or "default",
            url=self.endpoint,
            tags=self.tags or (),
            labels=self.labels or {},
            source=self.source,
            leased=False,
            tools=tuple(
                Tool(
                    function_name=capability.name,
                    capability=capability.name,
                    version=capability.version,
                    tags=capability.tags or None,
                    description=capability.description,
                    input_schema=capability.input_schema,
                )
                for capability in self.capabilities or ()
            ),
        )


_catalogue_record = msgspec.json.Decoder(CatalogueRecord)


class WireEvent(Struct, frozen=True, omit_defaults=True):
    """An event as ``GET /events`` shows it."""

    event_type: str
    agent_id: str
    timestamp: str
    agent_name: str | None = None
    function_name: str | None = None
    data: JsonObject | None = None


class _Spelled(AgentFields, frozen=True, kw_only=True):
    """A declaration whose tools are still JSON."""

    tools: tuple[msgspec.Raw, ...] | None = None


_spelled = msgspec.json.Decoder(_Spelled)


def read_declaration(body: bytes, tools: ToolReader) -> ReadDeclaration:
    """Read the body of ``POST /heartbeat``; of its tools, only those that are new.

    Raises:
        InvalidRequestError: it is not JSON of the right types.
    """
    try:
        spelled = _read(_spelled, body)
        read = [tools.read(bytes(spelling)) for spelling in spelled.tools or ()]
    except msgspec.MsgspecError:
        # Of a tool by itself: say where it stands.
        _read(_declaration, body)
        raise
    return with_tools(spelled, read)


def read_agent_id(body: bytes) -> str:
    """Read who sent a declaration that was read already."""
    return _spelled.decode(body).agent_id or ""


def read_catalogue_record(body: bytes) -> CatalogueRecord:
    """Read the body of ``PUT /agents/{id}``.

    Raises:
        InvalidRequestError: it is not JSON of the right types.
    """
    return _read(_catalogue_record, body)


def answer(answer: Answer, *, now_us: int) -> bytes:
    """Write the answer to ``POST /heartbeat``, around the wiring that is encoded already."""
    warnings = b',"warnings":' + encode(answer.warnings) if answer.warnings else b""
    return b"".join((
        b'{"agent_id":',
        encode(answer.agent_id),
        b',"status":"success","message":"Agent registered via heartbeat","timestamp":"',
        rfc3339(now_us).encode(),
        b'"',
        warnings,
        b",",
        answer.body[1:],
    ))  # fmt: skip


def rejection(agent_id: str, reason: str, *, now_us: int) -> bytes:
    """Write the answer to a well-formed registration that breaks a rule of the mesh."""
    return encode(
        {
            "agent_id": agent_id,
            "status": "error",
            "message": reason,
            "timestamp": rfc3339(now_us),
        }
    )


def error(message: str, *, now_us: int) -> bytes:
    """Write the body of every error."""
    return encode({"error": message, "timestamp": rfc3339(now_us)})


def entries(heads: Iterable[bytes], last_seen_us: Iterable[int]) -> list[bytes]:
    """Return pieces of JSON: some agents of a page, and a comma after each."""
    pieces: list[bytes] = []
    for head, seen_us in zip(heads, last_seen_us, strict=True):
        pieces += (head, b',"last_seen":"%b"}' % rfc3339_bytes(seen_us), b",")
    return pieces


PAGE_BEGINS = b'{"agents":['


def page_ends(page: Page, *, now_us: int) -> bytes:
    """Write what follows the last entry of a page."""
    cursor = b""
    if page.next_after is not None:
        cursor = b',"next_cursor":' + encode(encode_cursor(page.next_after))
    stamp = rfc3339(now_us).encode()
    return b'],"count":%d,"timestamp":"%b"%b}' % (len(page.agents), stamp, cursor)


def agent(record: Record, listed: Listed, last_seen_us: int) -> bytes:
    """Write one agent: its entry in the listing and all that it declared."""
    view = record.view
    declared = view["record"]
    details = encode(
        {
            "revision": record.revision,
            "updated_at": rfc3339(view["updated_at_us"]),
            "leased": declared["leased"],
            "tags": declared["tags"],
            "labels": declared["labels"],
            "source": declared["source"],
            "tools": declared["tools"],
        },
        enc_hook=msgspec_hook,
    )
    last_seen = rfc3339(last_seen_us).encode()
    return b"".join((listed.head, b',"last_seen":"', last_seen, b'",', details[1:]))


def events(found: Iterable[Event]) -> bytes:
    """Write the answer to ``GET /events``."""
    listed = [
        WireEvent(
            event.event_type,
            event.agent_id,
            rfc3339(event.timestamp_us),
            event.agent_name,
            event.function_name,
            event.data,
        )
        for event in found
    ]
    return encode({"events": listed, "count": len(listed)})


def schema(stored: StoredSchema) -> dict[str, object]:
    """Return a schema as ``GET /schemas`` shows it."""
    return {
        "hash": stored.hash,
        "canonical": stored.canonical,
        "runtime_origin": stored.runtime_origin,
        "created_at": rfc3339(stored.created_at_us),
    }


def _read(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    try:
        # The decoder skips what it does not know without looking at its encoding.
        body.decode()
        decoded = decoder.decode(body)
    except RecursionError as error:
        raise InvalidRequestError("Invalid JSON payload: nested too deeply") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidRequestError(f"Invalid JSON payload: {error}") from error
    if json_depth(body) > MAX_DEPTH:
        raise InvalidRequestError(f"Invalid JSON payload: nested deeper than {MAX_DEPTH} levels")
    return decoded

"""Tools as agents declare them, each spelling of which is read once.

An agent declares all its tools again whenever it registers, and most of them in the very bytes that
it or another one sent before.
"""

import msgspec
from msgspec import Raw, Struct

from meshaccel.cache import TagCache
from meshaccel.content import digest_bytes
from meshaccel.errors import InvalidMetadataJsonError
from meshaccel.metadata import MetadataView
from meshaccel.models import Dependency, Tool, ToolSummary
from meshaccel.registry.records import DefinedTool, Records

MAX_SPELLINGS = 100_000
"""Spellings that are remembered, in 16 bytes each and as many of the tool's digest."""

_encode = msgspec.json.encode
_decode_tool = msgspec.json.Decoder(Tool).decode
_NULL = b"null"
_ABSENT = Raw()


class _Spelled(
    ToolSummary,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    rename={
        "input_schema": "inputSchema",
        "output_schema": "outputSchema",
        "output_schema_canonical": "outputSchemaCanonical",
        "output_schema_hash": "outputSchemaHash",
        "input_schema_canonical": "inputSchemaCanonical",
        "input_schema_hash": "inputSchemaHash",
        "schema_warnings": "schemaWarnings",
    },
):
    """A tool whose schemas are still JSON: they are the bulk of it, and the pool reads them."""

    input_schema: Raw = _ABSENT
    output_schema: Raw = _ABSENT
    output_schema_canonical: Raw = _ABSENT
    output_schema_hash: str | None = None
    input_schema_canonical: Raw = _ABSENT
    input_schema_hash: str | None = None
    schema_warnings: tuple[str, ...] | None = None

    def is_plain(self) -> bool:
        """Whether every schema is absent or an object, so that ``Tool`` says the same."""
        schemas = (
            self.input_schema,
            self.output_schema,
            self.output_schema_canonical,
            self.input_schema_canonical,
        )
        return all(raw is _ABSENT or memoryview(raw)[0] == _BRACE for raw in schemas)


_BRACE = ord("{")
_decode_spelled = msgspec.json.Decoder(_Spelled).decode


class DeclaredTool(Struct, frozen=True):
    """A tool that an agent declares, ready to be compared with what is stored, and to be stored."""

    defined: DefinedTool
    spelling: bytes
    """The JSON that said so."""

    @property
    def digest(self) -> bytes:
        """The digest of the definition."""
        return self.defined.digest

    @property
    def capability(self) -> str:
        """What it offers, or nothing."""
        return self.defined.capability or ""

    @property
    def function_name(self) -> str:
        """The name of the function."""
        return self.defined.function_name or ""

    @property
    def dependencies(self) -> tuple[Dependency, ...]:
        """What it depends on, in declared order."""
        return self.defined.dependencies or ()

    @property
    def definition(self) -> MetadataView:
        """All of it, as it is kept in memory."""
        return self.defined.definition


class ToolReader:
    """Reads tools. To be used by one thread, that of the registry's event loop."""

    def __init__(self, records: Records) -> None:
        self._records = records
        # A digest rather than the tool: it is not kept for the sake of a spelling.
        self._digests: TagCache[bytes] = TagCache(MAX_SPELLINGS)

    def read(self, spelling: bytes) -> DeclaredTool | None:
        """Return the tool that valid JSON says; None of null.

        O(length), in C, if this spelling is known.

        Raises:
            msgspec.MsgspecError: it says something else.
        """
        if spelling == _NULL:
            return None
        key = digest_bytes(spelling).hex()
        digest = self._digests.get(key)
        defined = None if digest is None else self._records.known(digest)
        if defined is None:
            defined = self._define(spelling)
            self._digests.set(key, defined.digest)
        return DeclaredTool(defined, spelling)

    def of(self, tool: Tool) -> DeclaredTool:
        """Return a tool that was not read from JSON."""
        return of_tool(tool, self._records)

    def _define(self, spelling: bytes) -> DefinedTool:
        spelled = _decode_spelled(spelling)
        if spelled.is_plain():
            try:
                return self._records.define(spelled, _encode(spelled))
            except InvalidMetadataJsonError:
                pass  # what is wrong with it is said below
        tool = _decode_tool(spelling)
        return self._records.define(tool, _encode(tool))


def of_tool(tool: Tool, records: Records) -> DeclaredTool:
    """Return a tool, ready to be stored."""
    text = _encode(tool)
    return DeclaredTool(records.define(tool, text), text)

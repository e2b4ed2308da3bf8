"""Tools as agents declare them, each spelling of which is read once.

An agent declares all its tools again whenever it registers, and most of them in the very bytes that
it or another one sent before.
"""

import msgspec
from msgspec import Struct

from meshaccel.cache import TagCache
from meshaccel.content import digest_bytes
from meshaccel.metadata import MetadataView
from meshaccel.models import Dependency, Tool
from meshaccel.registry.records import DefinedTool, Records

MAX_SPELLINGS = 100_000
"""Spellings that are remembered, in 16 bytes each and as many of the tool's digest."""

_encode = msgspec.json.encode
_decode_tool = msgspec.json.Decoder(Tool).decode
_NULL = b"null"


class DeclaredTool(Struct, frozen=True):
    """A tool that an agent declares, ready to be compared with what is stored, and to be stored."""

    defined: DefinedTool
    spelling: bytes
    """The JSON that said so."""
    tool: Tool | None = None
    """All of it, if that was just read."""

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

    def declared(self) -> Tool:
        """Return all of it, read anew if need be."""
        return self.tool or _decode_tool(self.spelling)


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
        if defined is not None:
            return DeclaredTool(defined, spelling)
        tool = _decode_tool(spelling)
        defined = self._records.define(tool)
        self._digests.set(key, defined.digest)
        return DeclaredTool(defined, spelling, tool)

    def of(self, tool: Tool) -> DeclaredTool:
        """Return a tool that was not read from JSON."""
        return of_tool(tool, self._records)


def of_tool(tool: Tool, records: Records) -> DeclaredTool:
    """Return a tool, ready to be stored."""
    return DeclaredTool(records.define(tool), _encode(tool), tool)

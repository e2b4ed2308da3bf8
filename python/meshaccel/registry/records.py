"""What the registry keeps in memory of agents and of their tools: every distinct part once.

Replicas declare the same tools, and a tool of one version is much like that of the next. All of it
is interned in one ``MetadataPool``, of which caches hold keys. Resolution looks at typed forms, of
which there is one per distinct definition, for as long as anybody uses it.
"""

from collections.abc import Iterable
from weakref import WeakValueDictionary

import msgspec
from msgspec import structs

from meshaccel.content import DIGEST_BYTES
from meshaccel.metadata import MetadataPool, MetadataStats, MetadataView
from meshaccel.models import Agent, AgentRecord, Dependency, OfferedTool, Tool, ToolSummary

_decode_tools = msgspec.json.Decoder(tuple[Tool, ...]).decode
_decode_summary = msgspec.json.Decoder(ToolSummary).decode


class DefinedTool(OfferedTool, frozen=True, kw_only=True, weakref=True, gc=True, eq=False):
    """A tool as resolution looks at it. Its schemas and kwargs are views of the definition."""

    definition: MetadataView
    """The tool as it was declared."""
    digest: bytes
    """Of the definition."""


class Kept:
    """An object of a pool that stays there as long as this lives."""

    __slots__ = ("_key", "_pool")

    def __init__(self, pool: MetadataPool, value: object) -> None:
        """Intern ``value``, in time linear in its size without the views in it."""
        self._pool = pool
        self._key = pool.intern(value)

    def __del__(self) -> None:
        # Caches drop a value without knowing who else reads it: it goes with its last reader.
        key = getattr(self, "_key", None)
        if key is not None:  # or it was refused
            self._pool.release(key)

    @property
    def view(self) -> MetadataView:
        """All of it, as the pool keeps it."""
        view: MetadataView = self._pool.get(self._key)
        return view


class Record(Kept):
    """An agent at one revision: the JSON of ``Agent``, whose tools are their definitions."""

    __slots__ = ("content_hash", "id", "revision", "tools")

    def __init__(
        self,
        pool: MetadataPool,
        bare: Agent,
        tools: tuple[DefinedTool, ...],
        content_hash: bytes | None = None,
    ) -> None:
        """Make one of an agent without its tools, of these, and of the digest of both if known."""
        value = msgspec.to_builtins(bare)
        value["record"]["tools"] = [tool.definition for tool in tools]
        super().__init__(pool, value)
        self.id = bare.record.id
        self.revision = bare.revision
        self.tools = tools
        self.content_hash = content_hash

    @property
    def name(self) -> str:
        """What the agent calls itself."""
        name: str = self.view["record"]["name"]
        return name

    @property
    def agent(self) -> Agent:
        """The agent without its tools. Made anew each time, in microseconds."""
        return self._agent(())

    def whole(self) -> Agent:
        """Return the agent with all it declared, as plain objects that are the caller's."""
        return self._agent(_decode_tools(self.view["record"]["tools"].to_json()))

    def _agent(self, tools: tuple[Tool, ...]) -> Agent:
        view = self.view
        declared = dict(view["record"].items())
        # The decoder takes views of objects, but not of lists.
        plain = {name: declared[name].to_list() for name in ("surfaces", "tags")}
        record = msgspec.convert(declared | plain | {"tools": ()}, AgentRecord)
        return Agent(
            record=structs.replace(record, labels=declared["labels"].to_dict(), tools=tools),
            status=view["status"],
            revision=self.revision,
            created_at_us=view["created_at_us"],
            updated_at_us=view["updated_at_us"],
        )


class Records:
    """The pool of a registry, used by its event loop and by the threads that read for it."""

    def __init__(self) -> None:
        # No text is interned twice: definitions are told apart by digest before.
        self.pool = MetadataPool(memo_bytes=0)
        self._tools: WeakValueDictionary[bytes, DefinedTool] = WeakValueDictionary()

    def known(self, digest: bytes) -> DefinedTool | None:
        """Return the tool with this digest if somebody uses it."""
        return self._tools.get(digest)

    def tool(self, digest: bytes, definition: str | bytes) -> DefinedTool:
        """Return the tool with this digest. The JSON is read only if it is not known."""
        known = self._tools.get(digest)
        if known is None:
            # Two threads may come to this: then there are two equal ones for a while.
            view = self._interned(definition)
            known = self._tools[digest] = _compiled(digest, view, _decode_summary(definition))
        return known

    def define(self, tool: ToolSummary, text: bytes) -> DefinedTool:
        """Return the tool that equals a declared one, of which ``text`` is the JSON.

        Raises:
            InvalidMetadataJsonError: The text is no JSON after all.
        """
        view = self._interned(text)
        digest = _digest(view)
        known = self._tools.get(digest)
        if known is None:
            known = self._tools[digest] = _compiled(digest, view, tool)
        return known

    def declared(self, bare: Agent, tools: Iterable[DefinedTool], content_hash: bytes) -> Record:
        """Return the record of an agent without its tools, and of these."""
        return Record(self.pool, bare, tuple(tools), content_hash)

    def read(self, agent: Agent, definitions: Iterable[tuple[bytes, str]]) -> Record:
        """Return the record of an agent, given its tools by digest and definition."""
        return Record(self.pool, agent, tuple(self.tool(*definition) for definition in definitions))

    def stats(self) -> MetadataStats:
        """Return what the pool holds, and what it saves over a parsed copy per reference."""
        return self.pool.stats()

    def _interned(self, text: str | bytes) -> MetadataView:
        key = self.pool.intern_json(text)
        # A view keeps what it shows: the key is not needed.
        view: MetadataView = self.pool.get(key)
        self.pool.release(key)
        return view


def _digest(definition: MetadataView) -> bytes:
    """Return a digest that ignores the order of keys and nothing else.

    Agents are not trusted and equal digests share storage, hence a cryptographic hash.
    """
    _, _, digits = definition.digest("sha256").partition(":")
    return bytes.fromhex(digits[: 2 * DIGEST_BYTES])


def _compiled(digest: bytes, view: MetadataView, tool: ToolSummary) -> DefinedTool:
    dependencies = tool.dependencies and tuple(
        _with_view(dependency, view, position)
        for position, dependency in enumerate(tool.dependencies)
    )
    return DefinedTool(
        function_name=tool.function_name,
        capability=tool.capability,
        version=tool.version,
        tags=tool.tags,
        description=tool.description,
        dependencies=dependencies,
        kwargs=view.get("kwargs"),
        llm_filter=tool.llm_filter,
        llm_provider=tool.llm_provider,
        input_schema=view.get("inputSchema"),
        output_schema_canonical=view.get("outputSchemaCanonical"),
        output_schema_hash=view.get("outputSchemaHash"),
        definition=view,
        digest=digest,
    )


def _with_view(dependency: Dependency, tool: MetadataView, position: int) -> Dependency:
    if dependency.expected_schema is None:
        return dependency
    view = tool["dependencies"][position]
    return structs.replace(dependency, expected_schema=view["expectedSchemaCanonical"])

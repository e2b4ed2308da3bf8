"""Tools that are read once per spelling, and what a registration takes from memory."""

import asyncio
import gc
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from tests.http.client import QUIET
from tests.registry.test_listing_model import tools

from meshaccel import AgentRegistry, Declaration, Dependency, Signal, Tool
from meshaccel.db import documents
from meshaccel.discovery.convergence import document_digest, read_document
from meshaccel.errors import InvalidRequestError
from meshaccel.http import wire
from meshaccel.models import AgentRecord, Surface
from meshaccel.registry.declared import DeclaredTool, ToolReader, of_tool
from meshaccel.registry.records import Records

NEED = Tool(function_name="f", dependencies=(Dependency(capability="cap"),))


def body(*spellings: str) -> bytes:
    return f'{{"agent_id":"a","tools":[{",".join(spellings)}]}}'.encode()


def whole(tool: DeclaredTool) -> Tool:
    return msgspec.json.decode(tool.definition.to_json(), type=Tool)


@given(declared=tools())
def test_tool_is_what_its_spelling_says(declared: Tool) -> None:
    """Whether it was seen before or not."""
    reader = ToolReader(Records())
    spelling = msgspec.json.encode(declared)
    first, again = reader.read(spelling), reader.read(spelling)
    assert first is not None
    assert again is not None
    assert first.defined is again.defined
    assert whole(first) == whole(again) == declared
    assert first.definition == msgspec.to_builtins(declared)
    assert of_tool(declared, Records()).digest == first.digest


def test_spelling_keeps_no_tool() -> None:
    """One that nobody declares any more is forgotten, and read again when it comes back."""
    records = Records()
    reader = ToolReader(records)
    tool = reader.read(b'{"function_name": "f"}')
    assert tool is not None
    same = reader.read(b'{"function_name":"f"}')
    assert same is not None
    assert same.defined is tool.defined
    digest = tool.digest
    del tool, same
    gc.collect()
    assert records.known(digest) is None
    assert records.stats().nodes == 0
    tool = reader.read(b'{"function_name": "f"}')
    assert tool is not None
    assert (tool.digest, whole(tool)) == (digest, Tool(function_name="f"))


@pytest.mark.parametrize(
    "schema",
    [
        "null",
        "{}",
        ' { "a" : [ 1.0, -0, 1E2 ] , "b":"\\u00e9" } ',
        '{"a": 1, "a": {"b": 2, "b": 3}}',
        '{"a": 123456789012345678901234567890}',
    ],
)
def test_schema_is_what_its_spelling_says(schema: str) -> None:
    """However it is spelt: what is stored of it, and its digest, are those of its value."""
    spelling = f'{{"function_name":"f","unknown":7,"inputSchema":{schema}}}'.encode()
    said = msgspec.json.decode(spelling, type=Tool)
    read = ToolReader(Records()).read(spelling)
    assert read is not None
    assert whole(read) == said
    assert b"unknown" not in read.definition.to_json()
    assert of_tool(said, Records()).digest == read.digest


def test_of_the_tools_those_are_taken_that_name_a_function() -> None:
    read = wire.read_declaration(body("null", '{"function_name":""}', '{"function_name":"f"}'),
                                 ToolReader(Records()))  # fmt: skip
    assert [tool.function_name for tool in read.tools] == ["f"]
    assert (
        wire.read_declaration(b'{"agent_id":"a","tools":null}', ToolReader(Records())).tools == ()
    )


@pytest.mark.parametrize(
    "wrong",
    [
        '{"function_name":1}',
        "7",
        "[]",
        '{"kwargs":[]}',
        '{"tags":[null]}',
        '{"inputSchema":[]}',
        '{"inputSchema":{},"outputSchema":"{}"}',
    ],
)
def test_fault_is_told_with_its_place(wrong: str) -> None:
    """As if all of the body was read at once."""
    text = body('{"function_name":"f"}', wrong)
    with pytest.raises(msgspec.ValidationError) as whole:
        msgspec.json.decode(text, type=Declaration)
    with pytest.raises(InvalidRequestError) as ours:
        wire.read_declaration(text, ToolReader(Records()))
    assert str(ours.value) == f"Invalid JSON payload: {whole.value}"
    assert "$.tools[1]" in str(ours.value)


@pytest.mark.parametrize("schema", ['{"a":"\\ud800"}', '{"a":1e999}', '{"a":"\\x"}'])
def test_schema_that_is_no_json_is_refused(schema: str) -> None:
    """Its grammar was looked at, but not what its texts and numbers say."""
    with pytest.raises(InvalidRequestError, match="Invalid JSON payload"):
        wire.read_declaration(body(f'{{"inputSchema":{schema}}}'), ToolReader(Records()))


@given(declared=tools())
def test_digest_of_a_document_is_that_of_what_it_says(declared: Tool) -> None:
    """A reader works it out from the document."""
    records = Records()
    bare = AgentRecord(id="a", name="n", surfaces=(Surface(path="/p"),), labels={"k": "v"})
    read = [of_tool(tool, records) for tool in (declared, NEED)]
    fields: dict[str, object] = {name: getattr(bare, name) for name in bare.__struct_fields__}
    document = msgspec.json.encode(
        fields | {"endpoint": bare.endpoint, "tools": [whole(tool) for tool in read]}
    )
    assert documents.digest_of(bare, read) == document_digest(read_document(document))


def agent(agent_id: str, *declared: Tool) -> Declaration:
    return Declaration(agent_id=agent_id, http_host="h", http_port=1, tools=declared)


def offers(names: Iterable[str]) -> list[Tool]:
    return [Tool(function_name=name, capability=name) for name in names]


def test_first_registration_reads_where_it_writes() -> None:
    """What it is told takes no read of its own."""

    async def register() -> None:
        async with await AgentRegistry.open(":memory:", settings=QUIET) as registry:
            await registry.register(agent("p", *offers(["cap"])))
            before = registry.stats().database.acquires
            answer = await registry.register(agent("c", NEED))
            (told,) = answer.wiring.dependencies_resolved["f"]
            assert told.agent_id == "p"
            after = registry.stats().database.acquires
            assert after - before <= 1  # its transaction

    asyncio.run(register())


def test_an_agent_that_joins_wakes_whom_it_concerns() -> None:
    """Of a thousand, those that depend on what it offers, and choose it."""

    async def join() -> None:
        async with await AgentRegistry.open(":memory:", settings=QUIET) as registry:
            for number in range(1000):
                need = Dependency(capability=f"cap{number % 100}")
                tool = Tool(function_name="f", capability=f"own{number}", dependencies=(need,))
                await registry.register(agent(f"c{number:03}", tool))
            await registry.register(agent("p", *offers(["cap7", "cap8", "unwanted"])))
            woken = [
                number
                for number in range(1000)
                if await registry.heartbeat(f"c{number:03}") is Signal.CHANGED
            ]
            assert woken == [number for number in range(1000) if number % 100 in (7, 8)]

    asyncio.run(join())

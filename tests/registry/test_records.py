"""What the registry keeps in memory exists once, is what was declared, and goes when unused."""

import asyncio
import gc
from collections.abc import Iterable

import msgspec
from hypothesis import given
from tests.http.client import QUIET
from tests.registry.test_listing_model import tools

from meshaccel import AgentRegistry, Declaration, Dependency, Tool
from meshaccel.content import digest
from meshaccel.models import Agent, AgentRecord, Surface
from meshaccel.registry.records import Record, Records
from meshaccel.registry.resolution import ResolvedDependency, Wiring
from meshaccel.registry.telling import CurrentWiring

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
WIDE = Tool(
    function_name="f",
    capability="c",
    dependencies=(Dependency(capability="d", match_mode="subset", expected_schema=SCHEMA),),
    kwargs={"n": 1},
    input_schema=SCHEMA,
    output_schema_canonical=SCHEMA,
    output_schema_hash="sha256:1",
    schema_warnings=("w",),
)


def kept(records: Records, agent_id: str, declared: Iterable[Tool]) -> Record:
    record = AgentRecord(
        id=agent_id,
        name="n",
        surfaces=(Surface(path="/p"),),
        tags=("t",),
        labels={"k": "v"},
    )
    agent = Agent(record=record, status="healthy", revision=7, created_at_us=1, updated_at_us=2)
    tools = [(digest(tool), msgspec.json.encode(tool).decode()) for tool in declared]
    return records.read(agent, tools)


@given(declared=tools())
def test_what_was_declared_comes_back(declared: Tool) -> None:
    record = kept(Records(), "a", [declared, WIDE])
    whole = record.whole()
    assert whole.record.tools == (declared, WIDE)
    assert (whole.record.labels, whole.record.surfaces[0].path) == ({"k": "v"}, "/p")
    assert (whole.revision, whole.created_at_us, record.name) == (7, 1, "n")
    assert record.agent.record.tools == ()


def test_replicas_share_one_tool() -> None:
    """Equal definitions are one object while somebody uses them, and nothing afterwards."""
    records = Records()
    one, other = kept(records, "a", [WIDE]), kept(records, "b", [WIDE])
    assert one.tools[0] is other.tools[0]
    assert one.tools[0].input_schema == SCHEMA
    assert records.stats().saved_percent > 0
    del one
    assert records.known(digest(WIDE)) is other.tools[0]
    del other
    gc.collect()
    assert records.known(digest(WIDE)) is None
    assert records.stats().nodes == 0


def test_digest_of_a_wiring_ignores_whose_keys_came_first() -> None:
    """In the pool, equal kwargs have the keys in the order of whoever came first."""
    digests = set()
    for kwargs in ({"a": 1, "b": 2}, {"b": 2, "a": 1}):
        records = Records()
        record = kept(records, "a", [Tool(function_name="f", capability="c", kwargs=kwargs)])
        resolved = ResolvedDependency(
            agent_id="a",
            capability="c",
            endpoint="e",
            function_name="f",
            status="available",
            kwargs=record.tools[0].kwargs,
        )
        wiring = CurrentWiring.of(Wiring(dependencies_resolved={"u": (resolved,)}, llm_tools={}))
        assert msgspec.json.decode(wiring.body)["dependencies_resolved"]["u"][0]["kwargs"] == kwargs
        digests.add(wiring.digest)
    assert len(digests) == 1


def test_look_up_of_a_known_agent_touches_no_database() -> None:
    async def look_up() -> None:
        async with await AgentRegistry.open(":memory:", settings=QUIET) as registry:
            await registry.register(Declaration(agent_id="a", tools=(WIDE,)))
            before = registry.stats()
            assert (await registry.get_agent("a")).record.tools == (WIDE,)
            record = await registry.record("a")
            assert (await registry.describe(record)).info.id == "a"
            after = registry.stats()
            assert before.database.acquires == after.database.acquires
            # The record and its entry in the listing.
            assert (after.agents, after.metadata.references) == (1, 2)

    asyncio.run(look_up())

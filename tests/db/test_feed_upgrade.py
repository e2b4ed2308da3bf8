"""A database from before the feed is given one when it is opened."""

import asyncio
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path

import msgspec

from meshaccel import (
    Agent,
    AgentRecord,
    AgentRegistry,
    Declaration,
    IncrementalServiceDiscovery,
    Tool,
)
from meshaccel.db import rows
from meshaccel.db.migrations import APPLICATION_ID, available, migrate
from meshaccel.db.rows import AGENT_COLUMNS
from meshaccel.discovery.protocol import ChangesRequest

TOOL = Tool(function_name="f", capability="weather", input_schema={"type": "object"})


def first_version(path: Path) -> None:
    """Make a database as the first version of the schema had it, with an agent and a removal."""
    agent = Agent(
        record=AgentRecord(id="a", name="a", http_host="h", http_port=1, namespace="eu"),
        status="unhealthy",
        revision=7,
        created_at_us=1,
        updated_at_us=2,
    )
    columns = (*AGENT_COLUMNS, "endpoint", "content_hash")
    with closing(sqlite3.connect(path)) as conn:
        conn.executescript(available()[0][1])
        conn.execute("PRAGMA user_version = 1")
        conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        conn.execute("INSERT INTO meta VALUES (1, ?, 9, NULL)", (uuid.uuid4().hex,))
        conn.execute(
            f"INSERT INTO agents ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
            (*rows.agent_values(agent), "http://h:1", b"0123456789abcdef"),
        )
        definition = msgspec.json.encode(TOOL).decode()
        conn.execute("INSERT INTO capabilities VALUES (x'01', 'weather', ?)", (definition,))
        conn.execute("INSERT INTO agent_capabilities VALUES ('a', 0, x'01', 'f')")
        conn.execute("INSERT INTO dependencies VALUES (x'01', 0, 'needed', 1)")
        conn.execute("INSERT INTO dependencies VALUES (x'01', 1, 'wanted', 0)")
        conn.execute("INSERT INTO tombstones VALUES ('gone', 9, 1)")
        conn.execute("INSERT INTO leases VALUES ('a', 1, NULL)")
        conn.commit()


def test_agents_are_in_the_feed(tmp_path: Path) -> None:
    """With what selectors look at, and a hash that a reader comes to as well."""
    first_version(tmp_path / "r.db")

    async def main() -> None:
        async with await AgentRegistry.open(str(tmp_path / "r.db")) as registry:
            for selector in ("", "namespace=eu,status=unhealthy,capability=weather"):
                async with IncrementalServiceDiscovery(registry, selector=selector) as discovery:
                    await discovery.refresh()
                    (agent,) = discovery.agents.values()
                    assert (agent.id, agent.revision, agent.status) == ("a", 7, "unhealthy")
                    assert agent.endpoint == "http://h:1"
                    assert agent.record["tools"].to_list() == [
                        msgspec.json.decode(msgspec.json.encode(TOOL))
                    ]
            # Of what was removed before nobody can be told.
            assert (await registry.feed.changes(ChangesRequest())).floor == 9

    asyncio.run(main())


def test_tools_and_what_they_require_survive(tmp_path: Path) -> None:
    """The tables that hold them are made anew, and still go by each other."""
    path = tmp_path / "r.db"
    first_version(path)

    async def upgraded() -> None:
        async with await AgentRegistry.open(str(path)) as registry:
            assert (await registry.get_agent("a")).record.tools == (TOOL,)
            await registry.register(Declaration(agent_id="a", tools=()))

    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("PRAGMA foreign_keys = ON")
        migrate(conn)
        found = conn.execute(
            "SELECT hex(c.digest), r.required FROM requirements r"
            " JOIN capabilities c ON c.id = r.capability_id"
        )
        assert found.fetchall() == [("01", "needed")]
        assert conn.execute("PRAGMA foreign_key_check").fetchall() == []
    asyncio.run(upgraded())
    with closing(sqlite3.connect(path)) as conn:
        # A definition that nobody declares any more goes, and with it what hangs on it.
        for table in ("capabilities", "requirements", "agent_capabilities"):
            assert conn.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)

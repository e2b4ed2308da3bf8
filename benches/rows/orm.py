"""SQLAlchemy's two ways to load a collection with its parents, over aiosqlite."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from benches.rows.contender import Contender
from benches.rows.dataset import AGENT, AGENT_JSON, CAPABILITY, CAPABILITY_JSON, Json
from sqlalchemy import JSON, Column, Float, ForeignKey, Integer, String, Table, event, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import joinedload, registry, relationship, selectinload

from meshaccel.pool.connector import PRAGMAS

SELECTINLOAD, JOINEDLOAD = "SQLAlchemy selectinload", "SQLAlchemy joinedload"

_mapping = registry()
_kinds: dict[str, Any] = dict.fromkeys((*AGENT_JSON, *CAPABILITY_JSON), JSON)
_kinds |= {"health_interval_s": Float, "revision": Integer}


class Agent:
    """A record with ``capabilities``."""


class Capability:
    """A record of which an agent has ten."""


_agents = Table(
    "agents",
    _mapping.metadata,
    *(Column(name, _kinds.get(name, String), primary_key=name == "id") for name in AGENT),
)
_capabilities = Table(
    "capabilities",
    _mapping.metadata,
    Column("id", Integer, primary_key=True),
    *(Column(name, _kinds.get(name, String)) for name in CAPABILITY if name != "id"),
    Column("agent_id", ForeignKey(_agents.c.id)),
)
_mapping.map_imperatively(Capability, _capabilities)
_mapping.map_imperatively(
    Agent,
    _agents,
    properties={"capabilities": relationship(Capability, order_by=_capabilities.c.id)},
)


@asynccontextmanager
async def sqlalchemy_contenders(
    path: Path, count: Callable[[str], None]
) -> AsyncIterator[list[Contender]]:
    """Open an engine of its own; ``count`` is told each statement."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}", json_deserializer=orjson.loads)

    def prepare(connection: Any, _record: Any) -> None:
        for name, value in PRAGMAS.items():
            connection.cursor().execute(f"PRAGMA {name} = {value}")

    def executing(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        count(statement)

    event.listen(engine.sync_engine, "connect", prepare)
    event.listen(engine.sync_engine, "before_cursor_execute", executing)

    def loading(strategy: Any) -> Callable[[], Any]:
        statement = select(Agent).options(strategy).order_by(_agents.c.id)

        async def fetch() -> list[Any]:
            async with AsyncSession(engine) as session:
                return list((await session.scalars(statement)).unique())

        return fetch

    children: Any = Agent.capabilities  # type: ignore[attr-defined]
    try:
        yield [
            Contender(SELECTINLOAD, loading(selectinload(children)), plain),
            Contender(JOINEDLOAD, loading(joinedload(children)), plain),
        ]
    finally:
        await engine.dispose()


def plain(agents: list[Any]) -> list[Json]:
    """Return what the objects hold."""
    return [
        _plain(agent, AGENT)
        | {"capabilities": [_plain(each, CAPABILITY) for each in agent.capabilities]}
        for agent in agents
    ]


def _plain(record: Any, columns: tuple[str, ...]) -> Json:
    return {name: getattr(record, name) for name in columns}

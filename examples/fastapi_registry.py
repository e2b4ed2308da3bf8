"""Somebody else's registry, in FastAPI on tables of its own, made fast with two primitives.

Its listing asked the database once for each service. ``RowGrouper`` reads everything at once, and
``TagCache`` keeps the bytes until a change touches what they were made of.

    python examples/fastapi_registry.py                           shows the statements of each way
    uvicorn --app-dir examples fastapi_registry:app --port 8080   serves it
"""

import asyncio
import json
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiosqlite
import httpx
from fastapi import FastAPI, Response
from pydantic import BaseModel

from meshaccel import Child, RowGrouper, Shape, TagCache

TABLES = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS services (name TEXT PRIMARY KEY NOT NULL, url TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS capabilities (
    service TEXT NOT NULL, name TEXT NOT NULL, spec TEXT NOT NULL, PRIMARY KEY (service, name));
"""
CAPABILITIES = Child(
    key=("name",), columns=("name", "spec"), json={"spec": "shared"}, on={"service": "name"}
)
SERVICES = Shape(
    "services", key=("name",), columns=("name", "url"), children={"capabilities": CAPABILITIES}
)
EVERY = RowGrouper(SERVICES)
OFFERING = RowGrouper(
    replace(SERVICES, where="name IN (SELECT service FROM capabilities WHERE name = :offered)")
)


async def list_as_it_was(db: aiosqlite.Connection) -> list[dict[str, Any]]:
    """Return what ``EVERY`` reads, with a statement more for each service: the N+1 pattern."""
    listed = []
    for name, url in await db.execute_fetchall("SELECT name, url FROM services ORDER BY name"):
        own = await db.execute_fetchall(
            "SELECT name, spec FROM capabilities WHERE service = ? ORDER BY name", (name,)
        )
        offers = [{"name": each, "spec": json.loads(spec)} for each, spec in own]
        listed.append({"name": name, "url": url, "capabilities": offers})
    return listed


class Service(BaseModel):
    """What a service says of itself."""

    url: str
    capabilities: dict[str, Any] = {}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the database for as long as the application is served."""
    path = os.environ.get("SERVICES_DB", "services.db")
    async with aiosqlite.connect(path) as writer, aiosqlite.connect(path) as reader:
        await writer.executescript(TABLES)
        app.state.reader, app.state.writer, app.state.writing = reader, writer, asyncio.Lock()
        yield


app = FastAPI(lifespan=lifespan)
pages = TagCache[bytes](10_000, ttl=300)


@app.get("/services")
async def services(offering: str | None = None) -> Response:
    """List all services, or those that offer a capability, with all their capabilities."""
    tag = "all" if offering is None else f"offers {offering}"
    body = pages.get(tag)
    if body is None:
        grouper, params = (EVERY, None) if offering is None else (OFFERING, {"offered": offering})
        with pages.flight() as flight:  # what changes from here on keeps these bytes out
            body = await grouper.fetch_json(app.state.reader, params=params)
            pages.set(tag, body, [tag], since=flight)
    return Response(body, media_type="application/json")


@app.put("/services/{name}", status_code=204)
async def put_service(name: str, service: Service) -> None:
    """Replace a service; drop the answers that showed it, or should show it now."""
    db: aiosqlite.Connection = app.state.writer
    rows = [(name, each, json.dumps(spec)) for each, spec in service.capabilities.items()]
    forget = "DELETE FROM capabilities WHERE service = ? RETURNING name"
    async with app.state.writing:
        try:
            gone = await db.execute_fetchall(forget, (name,))
            await db.execute("REPLACE INTO services VALUES (?, ?)", (name, service.url))
            await db.executemany("INSERT INTO capabilities VALUES (?, ?, ?)", rows)
            await db.commit()
        except BaseException:
            await db.rollback()
            raise
    offers = service.capabilities.keys() | {row[0] for row in gone}
    pages.invalidate_by_tag("all", *(f"offers {each}" for each in offers))


async def main() -> None:
    """Register a hundred services; show how many statements each way to list them takes."""
    asgi, statements = httpx.ASGITransport(app), list[str]()
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=asgi, base_url="http://registry") as http,
    ):
        offer = {"url": "http://127.0.0.1", "capabilities": {"search": {"type": "object"}}}
        for number in range(100):
            await http.put(f"/services/service-{number}", json=offer)
        await app.state.reader.set_trace_callback(statements.append)
        listed = await list_as_it_was(app.state.reader)
        print(f"as it was: {len(statements)} statements for {len(listed)} services")
        for way in ("first", "again", "after a change"):
            statements.clear()
            if way == "after a change":
                await http.put("/services/service-7", json=offer | {"url": "http://127.0.0.1:7"})
            answer = await http.get("/services")
            print(f"{way}: {len(statements)} statements for {len(answer.json())} services")


if __name__ == "__main__":
    with tempfile.NamedTemporaryFile(suffix=".db") as file:
        os.environ["SERVICES_DB"] = file.name
        asyncio.run(main())

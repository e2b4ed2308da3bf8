"""The routes of the service: wire in, use case, wire out. No SQL and no policy here."""

import logging
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from meshaccel import __version__
from meshaccel.clock import Clock, SystemClock, rfc3339
from meshaccel.content import digest_bytes
from meshaccel.errors import (
    DatabaseError,
    InvalidRequestError,
    RegistrationRejectedError,
    TooManyReadersError,
    UnknownAgentError,
)
from meshaccel.http import query, wire
from meshaccel.http.asgi import (
    Answer,
    BodyTooLargeError,
    DisconnectedError,
    NoRoomError,
    NotFoundError,
    Receive,
    Request,
    Response,
    Room,
    Scope,
    Send,
    StoppingError,
)
from meshaccel.http.auth import (
    CHALLENGES,
    CrossOriginError,
    Gate,
    UnauthorizedError,
    UnknownHostError,
)
from meshaccel.http.changes import ChangesPages
from meshaccel.http.exposition import MetricsPage
from meshaccel.http.listing import ListingPages
from meshaccel.http.metrics import CLIENT_LEFT, RequestTally
from meshaccel.http.stats import StatsPage
from meshaccel.http.ui.files import PageFiles
from meshaccel.registry.heartbeats import Signal
from meshaccel.registry.service import AgentRegistry

log = logging.getLogger(__name__)

SERVICE = "meshaccel-registry"
DEFAULT_MAX_BODY = 16 * 1024 * 1024
"""Bytes of a request body; an agent with 10,000 tools stays below."""

LARGE_BODIES = 16
"""Bodies of the greatest size that there is room for at a time; small ones need none."""

_SIGNALS = {
    Signal.UNCHANGED: Response(200),
    Signal.CHANGED: Response(202),
    Signal.UNKNOWN: Response(410),
}

_STATUS = {
    InvalidRequestError: 400,
    UnauthorizedError: 401,
    CrossOriginError: 403,
    UnknownAgentError: 404,
    NotFoundError: 404,
    RegistrationRejectedError: 409,
    BodyTooLargeError: 413,
    UnknownHostError: 421,
    DatabaseError: 503,
    NoRoomError: 503,
    TooManyReadersError: 503,
    StoppingError: 503,
}

Handler = Callable[[Request], Awaitable[Answer]]


class App:
    """The ASGI application of one registry, whose life is the caller's."""

    def __init__(
        self,
        registry: AgentRegistry,
        *,
        max_body: int = DEFAULT_MAX_BODY,
        gate: Gate | None = None,
        clock: Clock | None = None,
    ) -> None:
        """``gate`` decides who may ask for what; without it, who can connect may."""
        self._registry = registry
        self._max_body = max_body
        self._room = Room(LARGE_BODIES * max_body)
        self._gate = gate
        self._clock = clock or SystemClock()
        self._started = self._clock.monotonic()
        self._requests = RequestTally()
        stats = StatsPage(registry, self._requests, self._clock)
        metrics = MetricsPage(registry, self._requests)
        self._changes = changes = ChangesPages(registry.feed)
        listing = ListingPages(registry, self._clock)
        page = PageFiles(self._clock)
        # By method, first segment of the path, and number of segments.
        self._routes: dict[tuple[str, str, int], Handler] = {
            ("HEAD", "heartbeat", 2): self._head_heartbeat,
            ("POST", "heartbeat", 1): self._post_heartbeat,
            ("POST", "heartbeat", 3): self._post_heartbeat_changes,
            ("GET", "agents", 1): listing.get_agents,
            ("GET", "agents", 2): self._get_agent,
            ("PUT", "agents", 2): self._put_agent,
            ("DELETE", "agents", 2): self._delete_agent,
            ("GET", "changes", 1): changes.get_changes,
            ("GET", "changes", 2): changes.get_digest,
            ("GET", "events", 1): self._get_events,
            ("GET", "schemas", 1): self._get_schemas,
            ("GET", "schemas", 2): self._get_schema,
            ("GET", "stats", 1): stats.get_stats,
            ("GET", "metrics", 1): metrics.get_metrics,
            ("GET", "health", 1): self._get_health,
            ("HEAD", "health", 1): self._get_health,
            ("GET", "ui", 1): page.redirect,
            ("HEAD", "ui", 1): page.redirect,
            ("GET", "ui", 2): page.get,
            ("HEAD", "ui", 2): page.get,
            ("GET", "", 1): self._get_root,
        }
        self._requests.expect(self._routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            raise ValueError(f"not an HTTP scope: {scope['type']}")
        begun = time.perf_counter()
        request = Request(scope, receive, max_body=self._max_body, room=self._room)
        try:
            response = await self._respond(request)
        except DisconnectedError:
            self._count(request, CLIENT_LEFT, begun)
            return
        finally:
            request.close()
        self._count(request, response.status, begun)
        await response.send(send)
        if log.isEnabledFor(logging.DEBUG):
            log.debug(
                "request",
                extra={
                    "method": request.method,
                    "path": request.path,
                    "status": response.status,
                    "ms": round((time.perf_counter() - begun) * 1000, 3),
                },
            )

    def _count(self, request: Request, status: int, begun: float) -> None:
        self._requests.count(request.method, request.segments, status, time.perf_counter() - begun)

    async def _respond(self, request: Request) -> Answer:
        try:
            return await self._handler(request)(request)
        except tuple(_STATUS) as error:
            status = next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)
            if isinstance(error, DatabaseError):
                log.warning("database error", extra={"path": request.path, "error": str(error)})
            return await self._error(request, status, str(error))
        except DisconnectedError:
            raise
        except Exception:
            # A bug of ours must not take the connection down or leave the client waiting.
            log.exception("request failed", extra={"path": request.path})
            return await self._error(request, 500, "internal error")

    def _handler(self, request: Request) -> Handler:
        if self._gate is not None:
            self._gate.check(request)
        segments = request.segments
        handler = self._routes.get((request.method, segments[0], len(segments)))
        # "/agents/" has an empty second segment: a path of its own, and an unknown one.
        is_unknown = segments[0] != "ui" and len(segments) > 1 and not segments[1]
        if handler is None or is_unknown:
            raise NotFoundError(_not_found(request))
        return handler

    async def _head_heartbeat(self, request: Request) -> Response:
        agent_id = request.segments[1]
        signal = self._registry.heartbeat_at_once(agent_id)
        return _SIGNALS[signal or await self._registry.heartbeat(agent_id)]

    async def _post_heartbeat_changes(self, request: Request) -> Response:
        """As HEAD, for an agent that also wants to know of others."""
        if request.segments[2] != "changes":
            raise NotFoundError(_not_found(request))
        asked = query.changes(request.query())
        signal = await self._head_heartbeat(request)
        if signal.status == _SIGNALS[Signal.UNKNOWN].status:
            return signal
        return await self._changes.beside(signal, asked)

    async def _post_heartbeat(self, request: Request) -> Response:
        body = await request.body()
        body_digest = digest_bytes(body)
        try:
            answer = await self._registry.register_again(body_digest)
            if answer is None:
                declaration = wire.read_declaration(body, self._registry.tools)
                answer = await self._registry.register(declaration, body_digest=body_digest)
        except RegistrationRejectedError as error:
            # As upstream: the agent's log shows the message, and the agent tries again.
            agent_id = wire.read_agent_id(body)
            return Response(200, wire.rejection(agent_id, str(error), now_us=self._now_us()))
        return Response(200, wire.answer(answer, now_us=self._now_us()))

    async def _get_agent(self, request: Request) -> Response:
        agent_id = request.segments[1]
        record = await self._registry.record(agent_id)
        listed = await self._registry.describe(record)
        return Response(200, wire.agent(record, listed, self._last_seen_us(agent_id)))

    async def _put_agent(self, request: Request) -> Response:
        record = wire.read_catalogue_record(await request.body())
        if record.agent_id != request.segments[1]:
            raise InvalidRequestError("agent_id: not the agent in the path")
        imported = await self._registry.put_agent(record.record())
        return Response(201 if imported.outcome == "created" else 200, wire.encode(imported))

    async def _delete_agent(self, request: Request) -> Response:
        await self._registry.unregister(request.segments[1])
        return Response(204)

    async def _get_events(self, request: Request) -> Response:
        found = await self._registry.events(query.events(request.query()))
        return Response(200, wire.events(found))

    async def _get_schemas(self, request: Request) -> Response:
        limit = query.schemas_limit(request.query())
        found = [wire.schema(stored) for stored in await self._registry.schemas(limit)]
        return Response(200, wire.encode({"schemas": found, "count": len(found)}))

    async def _get_schema(self, request: Request) -> Response:
        schema_hash = request.segments[1]
        found = await self._registry.schema(schema_hash)
        if found is None:
            raise NotFoundError(f"schema not found: {schema_hash}")
        return Response(200, wire.encode(wire.schema(found)))

    async def _get_health(self, _request: Request) -> Response:
        health = {
            "status": "healthy",
            "service": SERVICE,
            "version": __version__,
            "uptime_seconds": int(self._clock.monotonic() - self._started),
            "timestamp": rfc3339(self._now_us()),
        }
        return Response(200, wire.encode(health))

    async def _get_root(self, _request: Request) -> Response:
        about = {
            "service": SERVICE,
            "version": __version__,
            "status": "running",
            "endpoints": [
                "/health",
                "/heartbeat",
                "/agents",
                "/changes",
                "/events",
                "/schemas",
                "/stats",
                "/metrics",
                "/ui/",
            ],
        }
        return Response(200, wire.encode(about))

    async def _error(self, request: Request, status: int, message: str) -> Response:
        body = wire.error(message, now_us=self._now_us())
        # What is left of a request would be taken for the next one, or read for nothing. Agents
        # whose requests were whole keep their connections, above all while there is trouble.
        headers = CHALLENGES if status == HTTPStatus.UNAUTHORIZED else ()
        return Response(status, body, close=not await request.ends(), headers=headers)

    def _now_us(self) -> int:
        return self._clock.now_us()

    def _last_seen_us(self, agent_id: str) -> int:
        # An agent may be removed between a look at the database and this one.
        return self._registry.last_seen_us(agent_id) or self._now_us()


def _not_found(request: Request) -> str:
    return f"not found: {request.method} {request.path}"


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return

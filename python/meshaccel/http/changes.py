"""The change feed over HTTP: answers, answers that wait, and streams of server-sent events."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

import msgspec

from meshaccel.discovery.protocol import Changes, ChangesRequest, Gone, HeartbeatAnswer
from meshaccel.errors import DatabaseError, InvalidRequestError
from meshaccel.http import query
from meshaccel.http.asgi import Answer, DisconnectedError, Request, Response, Send
from meshaccel.registry.feed import Feed

log = logging.getLogger(__name__)

T = TypeVar("T")

EVENTS = "text/event-stream"

_STREAM_HEADERS = (
    (b"content-type", EVENTS.encode()),
    (b"cache-control", b"no-store"),
    # nginx, and others that follow it, would keep the events until there are enough of them.
    (b"x-accel-buffering", b"no"),
)
_END = {"type": "http.response.body", "body": b""}

encode = msgspec.json.encode


class ChangesPages:
    """What is under ``/changes``."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    async def get_changes(self, request: Request) -> Answer:
        """Answer, or stream if the client takes events."""
        asked = query.changes(request.query())
        if EVENTS in (request.header(b"accept") or ""):
            return await self._stream(request, asked)
        work = self._feed.changes(asked)
        answer = await (_unless_left(request, work) if asked.wait_s else work)
        if isinstance(answer, Gone):
            return Response(410, encode(answer))
        tag = etag(answer)
        headers = () if tag is None else ((b"etag", tag),)
        if tag is not None and request.header(b"if-none-match") == tag.decode():
            return Response(304, headers=headers)
        return Response(200, encode(answer), headers=headers)

    async def get_digest(self, request: Request) -> Answer:
        """Answer with the hashes of the buckets."""
        if request.segments[1] != "digest":
            return Response(404, encode({"error": f"not found: {request.path}"}), close=True)
        return Response(200, encode(await self._feed.digest(query.selector(request.query()))))

    async def beside(self, signal: Response, asked: ChangesRequest) -> Response:
        """Answer a heartbeat with its signal and, if it asks from somewhere, what changed since."""
        if asked.epoch is None:
            return signal
        try:
            answer = await self._feed.changes(
                msgspec.structs.replace(asked, wait_s=0.0), beside=True
            )
        except DatabaseError as error:
            # The sign of life was noted: that is no less true.
            log.warning("a heartbeat is not told changes", extra={"error": str(error)})
            return signal
        if isinstance(answer, Gone):
            told = HeartbeatAnswer(gone=answer)
        else:
            told = HeartbeatAnswer(changes=answer)
        return Response(signal.status, encode(told))

    async def _stream(self, request: Request, asked: ChangesRequest) -> Answer:
        last = request.header(b"last-event-id")
        if last:
            asked = _resumed(asked, last)
        answers = self._feed.follow(asked)
        try:
            # What is wrong shows in the first answer, while there can be a status for it.
            first = await _unless_left(request, anext(answers))
        except StopAsyncIteration:
            return Response(503, encode({"error": "the registry is stopping"}), close=True)
        except BaseException:
            await answers.aclose()
            raise
        if isinstance(first, Gone):
            await answers.aclose()
            return Response(410, encode(first))
        return EventStream(request, first, answers)


class EventStream:
    """A response that goes on as long as its client takes it and there is something to tell.

    Nothing is queued: the next answer is worked out when the last one was taken over by the
    connection, so a client that reads slowly is told less often. One that does not read at all is
    cut off by ``http/guard.py``.
    """

    status = 200

    def __init__(
        self, request: Request, first: Changes, answers: AsyncGenerator[Changes | Gone, None]
    ) -> None:
        self._request = request
        self._first = first
        self._answers = answers

    async def send(self, send: Send) -> None:
        """Send events until the client left or the stream ends."""
        start = {"type": "http.response.start", "status": 200, "headers": list(_STREAM_HEADERS)}
        async with aclosing(self._answers):
            await send(start)
            try:
                await _unless_left(self._request, self._pump(send))
            except DisconnectedError:
                return
            except DatabaseError as error:
                # The client comes again and is told then.
                log.warning("a stream of changes ended", extra={"error": str(error)})
            await send(_END)

    async def _pump(self, send: Send) -> None:
        await send(_event(self._first))
        async for answer in self._answers:
            await send(_event(answer))


def etag(answer: Changes) -> bytes | None:
    """Return what names the state that a complete answer leads to."""
    if answer.hash is None:
        return None
    return f'W/"{answer.epoch}-{answer.to}-{answer.hash}"'.encode()


def written(answer: Changes | Gone) -> bytes:
    """Return an answer as an event of a stream."""
    name = b"gone" if isinstance(answer, Gone) else b"changes"
    lines = [b"event: " + name, b"data: " + encode(answer)]
    if isinstance(answer, Changes) and not answer.more:
        lines.insert(0, f"id: {answer.epoch}:{answer.to}".encode())
    return b"\n".join(lines) + b"\n\n"


def _event(answer: Changes | Gone) -> dict[str, object]:
    return {"type": "http.response.body", "body": written(answer), "more_body": True}


def _resumed(asked: ChangesRequest, last_event_id: str) -> ChangesRequest:
    """Go on where the browser, or whoever it is, was told something for the last time."""
    epoch, _, revision = last_event_id.rpartition(":")
    parameters = {"epoch": [epoch], "since": [revision]}
    if not epoch:
        raise InvalidRequestError("Last-Event-ID: no id of this feed")
    resumed = query.changes(parameters)
    return msgspec.structs.replace(asked, epoch=resumed.epoch, since=resumed.since, known=None)


async def _unless_left(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Do some work, but not for a client that went away.

    Raises:
        DisconnectedError: it did.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(request.disconnected())
    try:
        await asyncio.wait([working, leaving], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise DisconnectedError("the client went away")
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.wait([working, leaving])

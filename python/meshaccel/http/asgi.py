"""The little of ASGI that the service needs: one request in, one response out."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote

from msgspec import Struct

from meshaccel.errors import InvalidRequestError, MeshAccelError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

Header = tuple[bytes, bytes]

CLOSE = (b"connection", b"close")
JSON = (b"content-type", b"application/json; charset=utf-8")

MAX_REST = 64 * 1024
"""Bytes of an unread body that are read for the sake of the connection."""


class BodyTooLargeError(MeshAccelError):
    """The request body is larger than the server takes."""


class NoRoomError(MeshAccelError):
    """Other requests with large bodies are being served. Retrying helps."""


class NotFoundError(MeshAccelError):
    """There is nothing at this path, or not for this method."""


class StoppingError(MeshAccelError):
    """The server ends, and begins no stream any more."""


class DisconnectedError(MeshAccelError):
    """The client went away before its request was complete."""


class Answer(Protocol):
    """What a request is answered with."""

    @property
    def status(self) -> int:
        """The status code."""

    async def send(self, send: Send) -> None:
        """Answer the request."""


class Response(Struct, frozen=True):
    """A status and a complete body."""

    status: int
    body: bytes = b""
    close: bool = False
    """Whether the connection ends here, as when the rest of a request is not read."""
    headers: tuple[Header, ...] = ()
    """Besides those of every response."""

    async def send(self, send: Send) -> None:
        """Answer the request."""
        headers = list(self.headers)
        # Of these two a length would be that of another answer.
        if self.status not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
            headers.append((b"content-length", b"%d" % len(self.body)))
        if self.body:
            headers.append(JSON)
        if self.close:
            headers.append(CLOSE)
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


FREE_BODY = 64 * 1024
"""Bytes of a body that there is always room for: nearly all agents declare less."""


class Room:
    """The memory that the bodies of all requests may take at a time."""

    def __init__(self, size: int) -> None:
        self._left = size

    def take(self, size: int) -> None:
        """Take some.

        Raises:
            NoRoomError: there is not so much left.
        """
        if size > self._left:
            raise NoRoomError("other large requests are being served")
        self._left -= size

    def give(self, size: int) -> None:
        """Give some back."""
        self._left += size


class Request:
    """A request whose path is split: ``/agents/a%2Fb`` is ``["agents", "a/b"]``."""

    __slots__ = ("_ended", "_max_body", "_receive", "_room", "_scope", "_taken", "segments")

    def __init__(self, scope: Scope, receive: Receive, *, max_body: int, room: Room) -> None:
        self._scope = scope
        self._receive = receive
        self._max_body = max_body
        self._room = room
        self._taken = 0
        self._ended = False
        raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
        # "OPTIONS *" has no slash: an unknown path like others.
        parts = raw_path.decode("latin-1").split("/")[1:]
        self.segments = [unquote(part) for part in parts] or [""]

    @property
    def method(self) -> str:
        """The method, in capitals."""
        method: str = self._scope["method"]
        return method

    @property
    def path(self) -> str:
        """The path, decoded."""
        path: str = self._scope["path"]
        return path

    def query(self) -> Mapping[str, list[str]]:
        """Return the query parameters; the same name may stand several times."""
        try:
            text = self._scope["query_string"].decode("ascii")
            return parse_qs(text, keep_blank_values=True, errors="strict", max_num_fields=1000)
        except ValueError as error:
            raise InvalidRequestError(f"query: {error}") from error

    def header(self, name: bytes) -> str | None:
        """Return the first value of a header, given in lower case, or None."""
        for key, value in self._scope["headers"]:
            if key == name:
                text: str = value.decode("latin-1")
                return text
        return None

    def headers(self) -> Mapping[bytes, bytes]:
        """Return the headers by name, in lower case; of several the last."""
        return dict(self._scope["headers"])

    async def disconnected(self) -> None:
        """Return when the client went away. Whatever it still sends is dropped."""
        with suppress(DisconnectedError):
            while True:
                await self._chunk()

    async def ends(self) -> bool:
        """Read what little of the body may be left; return whether that was all of it.

        Raises:
            DisconnectedError: the client went away.
        """
        invited = self.header(b"expect") is None and self._announced() <= MAX_REST
        left = MAX_REST if invited else -1
        while not self._ended and left >= 0:
            left -= len(await self._chunk())
        return self._ended

    async def body(self) -> bytes:
        """Read the whole body.

        Raises:
            BodyTooLargeError: it is larger than the limit; the rest was not read.
            NoRoomError: it is large, and so are others; the rest was not read.
            DisconnectedError: the client went away.
        """
        if self._announced() > self._max_body:
            raise BodyTooLargeError(f"the body is larger than {self._max_body} bytes")
        chunks = []
        size = 0
        while not self._ended:
            chunk = await self._chunk()
            size += len(chunk)
            if size > self._max_body:
                raise BodyTooLargeError(f"the body is larger than {self._max_body} bytes")
            if size > FREE_BODY + self._taken:
                self._room.take(size - FREE_BODY - self._taken)
                self._taken = size - FREE_BODY
            chunks.append(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def close(self) -> None:
        """Give back the room that the body took."""
        if self._taken:
            self._room.give(self._taken)
            self._taken = 0

    def _announced(self) -> int:
        for name, value in self._scope["headers"]:
            if name == b"content-length":
                return int(value)
        return 0

    async def _chunk(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise DisconnectedError("the request was cut off")
        self._ended = not message.get("more_body", False)
        chunk: bytes = message.get("body", b"")
        return chunk

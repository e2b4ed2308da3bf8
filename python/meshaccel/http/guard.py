"""Bounds on what a client may make the server hold: half a request, or an answer it does not read.

uvicorn bounds neither the size of a head, nor the time a request takes to arrive, nor the time
an answer waits to be read. And it takes the body of a request that offers another protocol for the
next request.
"""

import asyncio
import logging
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from meshaccel.clock import SystemClock
from meshaccel.http import wire

log = logging.getLogger(__name__)

MAX_HEAD = 64 * 1024
"""Bytes of request line and headers."""

SLICE = 16 * 1024
"""Bytes parsed at a time, and so how much larger than the limit a head may be at the most."""

RECEIVE_TIMEOUT_S = 30.0
"""Seconds for a request to arrive whole, and for a new connection to begin one."""

READ_TIMEOUT_S = 30.0
"""Seconds in which a client must read some of an answer that waits for it."""


MAX_CONNECTIONS = 20_000
"""Connections at a time, where the system allows as many."""

MAX_UNREAD = 1024 * 1024 * 1024
"""Bytes of answers that wait to be read, over all connections."""


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with a limit on the head and deadlines for request and answer."""

    max_head = MAX_HEAD
    receive_timeout_s = RECEIVE_TIMEOUT_S
    read_timeout_s = READ_TIMEOUT_S
    max_unread = MAX_UNREAD
    _all_unread = 0
    """Of the class: what ``max_unread`` bounds."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # uvicorn would refuse the requests of everybody as long as there are too many connections.
        self._max_connections = self.limit_concurrency
        self.limit_concurrency = None
        self._in_head = False
        self._arriving = False
        self._head_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._unread_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the time for the first request."""
        super().connection_made(transport)
        self._arm()
        if self._max_connections is not None and len(self.connections) > self._max_connections:
            self._refuse(503, "too many connections")

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the time."""
        self._disarm()
        self._stop_unread()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, then see to it that what is still incomplete does not stay so."""
        # In slices, so that a head is measured before it is parsed whole.
        for start in range(0, len(data), SLICE):
            self._feed(data[start : start + SLICE] if len(data) > SLICE else data)
            if self.transport.is_closing():
                return

    def _feed(self, data: bytes) -> None:
        self._parse(data)
        # Nearly every request arrives in one piece: only the others cost a timer.
        if not self._arriving and self._is_answering():
            self._disarm()
            return
        self._arm()
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self.max_head and not self.transport.is_closing():
                self._refuse(431, f"the head of the request is larger than {self.max_head} bytes")

    def _parse(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserError:
                self.send_400_response("Invalid HTTP request received.")
                return
            except httptools.HttpParserUpgrade as offered:
                if self.parser.get_method() == b"CONNECT":
                    self._refuse(400, "this is no proxy")
                    return
                # The parser has passed over the body, if there is one.
                (end_of_head,) = offered.args
                data = self._head_without_offer() + data[end_of_head:]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            else:
                return

    def _head_without_offer(self) -> bytes:
        """Return the head that was read, for a client that stays with this protocol."""
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def _is_answering(self) -> bool:
        # Line ends before a request begin none, but stop uvicorn's time for an idle connection.
        if self.timeout_keep_alive_task is not None:
            return True
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        return cycle is not None and not cycle.response_complete

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head = self._arriving = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is complete; one that offers another protocol is read anew without that."""
        self._in_head = False
        if not self.parser.should_upgrade():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """It has arrived whole."""
        if not self.parser.should_upgrade():
            self._arriving = False
            super().on_message_complete()

    def pause_writing(self) -> None:
        """Start the time for the client to read: what it does not read fills our memory."""
        super().pause_writing()
        self._watch_unread()

    def resume_writing(self) -> None:
        """Stop it."""
        self._stop_unread()
        super().resume_writing()

    def _watch_unread(self) -> None:
        # A large answer on a slow line takes long, but never stands still for so long.
        self._note_unread(self.transport.get_write_buffer_size())
        if GuardedProtocol._all_unread > self.max_unread:
            log.warning("too much waits to be read: a connection was cut off")
            self._note_unread(0)
            self.transport.abort()
            return
        self._unread = self.loop.call_later(self.read_timeout_s, self._check_unread)

    def _check_unread(self) -> None:
        if self.transport.get_write_buffer_size() < self._unread_bytes:
            self._watch_unread()
        else:
            self._unread = None
            self._note_unread(0)
            self.transport.abort()

    def _stop_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        self._note_unread(0)

    def _note_unread(self, size: int) -> None:
        GuardedProtocol._all_unread += size - self._unread_bytes
        self._unread_bytes = size

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, in the shape of every error."""
        self._refuse(400, msg)

    def _refuse(self, status: int, message: str) -> None:
        body = wire.error(message, now_us=SystemClock().now_us())
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
            "content-type: application/json; charset=utf-8\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _arm(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.receive_timeout_s, self._give_up)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.close()

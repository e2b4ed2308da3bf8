"""The words of the change feed as HTTP has them: queries, events, the answer to a heartbeat."""

from collections.abc import AsyncGenerator, AsyncIterator

import msgspec

from meshaccel.discovery.protocol import Changes, ChangesRequest, Gone, HeartbeatAnswer
from meshaccel.errors import InvalidReplyError

Parameters = dict[str, str | int | list[int]]

MAX_REPLY = 64 * 1024 * 1024
"""Bytes of an answer, or of an event of a stream. A registry's end after 4 MiB of documents, the
last of which is no larger than the body that declared it."""


def parameters_of(request: ChangesRequest) -> Parameters:
    """Return the query that says a request, in the order of its fields."""
    parameters: Parameters = {"since": request.since, "limit": request.limit}
    if request.epoch is not None:
        parameters["epoch"] = request.epoch
    if request.known is not None:
        parameters["known"] = request.known
    if request.buckets:
        parameters["bucket"] = list(request.buckets)
    if request.selector:
        parameters["selector"] = request.selector
    if request.wait_s:
        parameters["wait"] = round(request.wait_s)
    return parameters


def read_heartbeat(body: bytes) -> Changes | Gone | None:
    """Return what the answer to a heartbeat tells; None if that is nothing.

    Raises:
        InvalidReplyError: no registry answers so.
    """
    if not body:
        return None
    try:
        answer = msgspec.json.decode(body, type=HeartbeatAnswer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidReplyError(f"this is no answer to a heartbeat: {error}") from error
    return answer.changes or answer.gone


async def events(chunks: AsyncIterator[bytes]) -> AsyncGenerator[tuple[str, bytes], None]:
    """Read server-sent events as (name, data), as the HTML standard has them.

    Lines end in LF or CRLF and nowhere else: names and descriptions may hold what other readers
    of lines split at. An event that is cut off by the end of the stream is none.

    Raises:
        InvalidReplyError: an event is larger than any that a registry sends.
    """
    name = "message"
    data: list[bytes] = []
    size = 0
    async for line in _lines(chunks):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not line:
            if data:
                yield name, b"\n".join(data)
            name, data, size = "message", [], 0
        elif field == b"event":
            name = value.decode(errors="replace")
        elif field == b"data":
            size += len(value) + 1
            if size > MAX_REPLY:
                raise too_large()
            data.append(value)


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    begun: list[bytes] = []
    size = 0
    async for chunk in chunks:
        first, *others = chunk.split(b"\n")
        begun.append(first)
        size += len(first)
        for other in others:
            yield b"".join(begun).removesuffix(b"\r")
            begun, size = [other], len(other)
        if size > MAX_REPLY:
            raise too_large()


def too_large() -> InvalidReplyError:
    """Return the error for an answer of a size that no registry gives."""
    return InvalidReplyError(f"an answer is larger than {MAX_REPLY} bytes")

"""The words of the change feed as HTTP has them: queries, events, the answer to a heartbeat."""

from collections.abc import AsyncGenerator, AsyncIterator

import msgspec

from meshaccel.discovery.protocol import Changes, ChangesRequest, Gone, HeartbeatAnswer
from meshaccel.errors import InvalidReplyError

Parameters = dict[str, str | int | list[int]]


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
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidReplyError(f"this is no answer to a heartbeat: {error}") from error
    return answer.changes or answer.gone


async def events(lines: AsyncIterator[str]) -> AsyncGenerator[tuple[str, bytes], None]:
    """Read server-sent events as (name, data), by the rules of the HTML standard.

    An event that is cut off by the end of the stream is none.
    """
    name = "message"
    data: list[str] = []
    async for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield name, "\n".join(data).encode()
            name, data = "message", []
        elif field == "event":
            name = value
        elif field == "data":
            data.append(value)

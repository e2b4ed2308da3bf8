"""Records on their way into a registry: several at once, answered in order."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Annotated, NamedTuple

import msgspec

from meshaccel.cli.client import Client, RefusedError, UnreachableError, agent_path
from meshaccel.cli.lines import MAX_LINE, Line
from meshaccel.cli.records import Imported

PARALLEL = 4
_WINDOW = 2 * PARALLEL
"""Records sent or waiting to be; the bound on memory."""

FAILED = "failed"


class Result(NamedTuple):
    """What became of a line: the registry's outcome, or ``failed`` and why."""

    line: Line
    outcome: str
    reason: str = ""


class _Sent(NamedTuple):
    agent_id: str | None
    result: Future[Result]


class _Key(msgspec.Struct):
    agent_id: Annotated[str, msgspec.Meta(min_length=1)]


def upload(client: Client, lines: Iterable[Line]) -> Iterator[Result]:
    """Put every record; yield what became of each, in the order of the lines.

    Records of the same agent never overtake each other: the last one stays.

    Raises:
        UnreachableError: the registry is gone.
    """
    window: deque[_Sent] = deque()
    pool = ThreadPoolExecutor(PARALLEL)
    try:
        for line in lines:
            agent_id, fault = _read_key(line)
            while window and (len(window) == _WINDOW or _is_under_way(agent_id, window)):
                yield window.popleft().result.result()
            if agent_id is None:
                result: Future[Result] = Future()
                result.set_result(Result(line, FAILED, fault))
            else:
                result = pool.submit(_put, client, agent_id, line)
            window.append(_Sent(agent_id, result))
        while window:
            yield window.popleft().result.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _is_under_way(agent_id: str | None, window: Iterable[_Sent]) -> bool:
    return agent_id is not None and any(sent.agent_id == agent_id for sent in window)


def _read_key(line: Line) -> tuple[str | None, str]:
    """Return the id of the agent on a line, or None and what is wrong with the line."""
    if len(line.data) > MAX_LINE:
        return None, f"too large: the line is longer than {MAX_LINE} bytes"
    try:
        # The decoder does not look into strings that it skips.
        line.data.decode()
        return msgspec.json.decode(line.data, type=_Key).agent_id, ""
    except UnicodeDecodeError as error:
        return None, f"not UTF-8: {error.reason} at byte {error.start + 1} of the line"
    except RecursionError:
        return None, "nested too deeply"
    except msgspec.MsgspecError as error:
        return None, f"not an agent record: {error}"


def _put(client: Client, agent_id: str, line: Line) -> Result:
    path = agent_path(agent_id)
    try:
        return _outcome(client, path, line)
    except UnreachableError:
        # A kept connection was closed meanwhile, or broken off because of this very record:
        # neither means that the registry is gone.
        client.get("/health")
    try:
        return _outcome(client, path, line)
    except UnreachableError:
        return Result(line, FAILED, "the registry breaks off the connection: is it too large?")


def _outcome(client: Client, path: str, line: Line) -> Result:
    try:
        answer = client.put(path, line.data)
    except RefusedError as error:
        return Result(line, FAILED, error.message)
    return Result(line, client.decode(answer, Imported).outcome)

"""Call a tool of an agent directly, as any MCP client would."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from .processes import request

_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
}


_TRIES = 20
_DROPPED = "Empty response from server"
"""What the SDK says when the agent behind this one has dropped its answer."""


class ToolCallError(Exception):
    """The agent answered, but not with a result."""


class DroppedAnswerError(ToolCallError):
    """An agent's web server lost the answer, this one's or that of the agent behind it.

    On a busy machine Starlette sometimes takes the end of a request for a fault while it answers
    ("Unexpected message received: http.request"). No registry has a part in it.
    """


def call_tool(
    endpoint: str, tool: str, arguments: Mapping[str, object], timeout: float = 60.0
) -> str:
    """The text an agent's tool answers; ToolCallError if it fails, OSError if nobody is there.

    Calls whose answer the agents' web servers lost are made again.
    """
    for _ in range(_TRIES - 1):
        with suppress(DroppedAnswerError):
            return _call(endpoint, tool, arguments, timeout)
        time.sleep(0.1)
    return _call(endpoint, tool, arguments, timeout)


def _call(endpoint: str, tool: str, arguments: Mapping[str, object], timeout: float) -> str:
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": tool, "arguments": dict(arguments)},
    }
    answer = request("POST", f"{endpoint}/mcp", json.dumps(call).encode(), _HEADERS, timeout)
    if answer.status != 200:
        raise ToolCallError(f"status {answer.status}: {answer.body[:200]!r}")
    for message in _messages(answer.body.decode()):
        if message.get("id") == call["id"]:
            return _text(message)
    raise DroppedAnswerError(f"no answer in {answer.body[:200]!r}")


def _messages(body: str) -> Iterator[dict[str, Any]]:
    """The JSON-RPC messages of a plain JSON or server-sent-events body."""
    if body.lstrip().startswith("{"):
        yield json.loads(body)
        return
    for line in body.splitlines():
        if line.startswith("data:"):
            yield json.loads(line.removeprefix("data:"))


def _text(message: Mapping[str, Any]) -> str:
    """The text content of a tools/call answer."""
    if "error" in message:
        raise ToolCallError(str(message["error"]))
    result = message["result"]
    text = "".join(part.get("text", "") for part in result["content"])
    if result.get("isError"):
        raise DroppedAnswerError(text) if _DROPPED in text else ToolCallError(text)
    return text

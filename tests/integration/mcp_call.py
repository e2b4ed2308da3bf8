"""Call a tool of an agent directly, as any MCP client would."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from .processes import request

_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
}


class ToolCallError(Exception):
    """The agent answered, but not with a result."""


def call_tool(
    endpoint: str, tool: str, arguments: Mapping[str, object], timeout: float = 60.0
) -> str:
    """The text an agent's tool answers; ToolCallError if it fails, OSError if nobody is there."""
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
    raise ToolCallError(f"no answer in {answer.body[:200]!r}")


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
        raise ToolCallError(text)
    return text

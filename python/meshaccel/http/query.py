"""From query parameters to queries."""

import base64
import binascii
from collections.abc import Mapping

from meshaccel.db.events import EventQuery
from meshaccel.db.listing import AgentQuery
from meshaccel.discovery.convergence import BUCKETS
from meshaccel.discovery.protocol import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    ChangesRequest,
    DigestRequest,
)
from meshaccel.errors import InvalidRequestError

Parameters = Mapping[str, list[str]]

MAX_EVENTS = 500
MAX_DIGITS = 18
"""Of a whole number: what fits a column of integers."""

DEFAULT_EVENTS = 50

# As Go's strconv.ParseBool, which upstream's clients write for.
_BOOLEANS = {
    "": False,
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}


def encode_cursor(agent_id: str) -> str:
    """Return the opaque position after an agent."""
    return base64.urlsafe_b64encode(agent_id.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> str:
    """Return the id of the agent after which to go on.

    Raises:
        InvalidRequestError: no listing ever gave this cursor.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise InvalidRequestError("cursor: not a cursor of this registry") from error


def agents(parameters: Parameters) -> AgentQuery:
    """Read the query of ``GET /agents``.

    Raises:
        InvalidRequestError: a parameter is malformed.
    """
    cursor = _text(parameters, "cursor")
    return AgentQuery(
        status=_text(parameters, "status"),
        namespace=_text(parameters, "namespace"),
        agent_type=_text(parameters, "type"),
        capabilities=tuple(parameters.get("capabilities", ())),
        fuzzy=_boolean(parameters, "fuzzy"),
        after=None if cursor is None else decode_cursor(cursor),
        limit=_whole(parameters, "limit", minimum=1),
    )


def events(parameters: Parameters) -> EventQuery:
    """Read the query of ``GET /events``; the limit is clamped to 1..500.

    Raises:
        InvalidRequestError: a parameter is malformed.
    """
    limit = _whole(parameters, "limit")
    return EventQuery(
        event_type=_text(parameters, "type"),
        agent_id=_text(parameters, "agent_id"),
        function_name=_text(parameters, "function_name"),
        limit=min(max(DEFAULT_EVENTS if limit is None else limit, 1), MAX_EVENTS),
    )


def changes(parameters: Parameters) -> ChangesRequest:
    """Read the query of ``GET /changes``; limit and wait are clamped to what is allowed.

    Raises:
        InvalidRequestError: a parameter is malformed.
    """
    limit = _whole(parameters, "limit", minimum=1)
    buckets = [_bucket(text) for text in parameters.get("bucket", ())]
    return ChangesRequest(
        epoch=_text(parameters, "epoch"),
        since=_whole(parameters, "since", minimum=0) or 0,
        known=_whole(parameters, "known", minimum=0),
        buckets=tuple(sorted(set(buckets))),
        selector=_text(parameters, "selector") or "",
        limit=DEFAULT_LIMIT if limit is None else min(limit, MAX_LIMIT),
        wait_s=float(_whole(parameters, "wait", minimum=0) or 0),
    )


def selector(parameters: Parameters) -> DigestRequest:
    """Read the query of ``GET /changes/digest``."""
    return DigestRequest(selector=_text(parameters, "selector") or "")


def schemas_limit(parameters: Parameters) -> int | None:
    """Read the ``limit`` of ``GET /schemas``; None for all.

    Raises:
        InvalidRequestError: it is malformed.
    """
    return _whole(parameters, "limit", minimum=0)


def _text(parameters: Parameters, name: str) -> str | None:
    """Return the first value; none or an empty one does not filter."""
    return parameters.get(name, [""])[0] or None


def _bucket(text: str) -> int:
    if not text.isdecimal() or not text.isascii() or len(text) > MAX_DIGITS or int(text) >= BUCKETS:
        raise InvalidRequestError(f"bucket: {text!r:.40} is none of 0 to {BUCKETS - 1}")
    return int(text)


def _boolean(parameters: Parameters, name: str) -> bool:
    value = parameters.get(name, [""])[0]
    if value not in _BOOLEANS:
        raise InvalidRequestError(f"{name}: {value!r} is neither true nor false")
    return _BOOLEANS[value]


def _whole(parameters: Parameters, name: str, minimum: int | None = None) -> int | None:
    if name not in parameters:
        return None
    text = parameters[name][0]
    if not text.removeprefix("-").isdecimal() or not text.isascii() or len(text) > MAX_DIGITS:
        raise InvalidRequestError(f"{name}: {text!r:.40} is not a whole number")
    value = int(text)
    if minimum is not None and value < minimum:
        raise InvalidRequestError(f"{name}: must be at least {minimum}")
    return value

"""HTTP, through httpx or httpcore: by class before there is an answer, by status after.

What was never sent can be sent again, whatever it was. What was sent and not answered is
ambiguous, unless the request is one that may be made twice by its method (RFC 9110, 9.2.2) or
carries an ``Idempotency-Key``.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any

from meshaccel.resilience.classify.rules import (
    LOST,
    PERMANENT,
    SATURATED,
    UNREACHABLE,
    Cause,
    Code,
    Codes,
    Rule,
    again,
    permanent,
)
from meshaccel.resilience.verdicts import Classification, Unit, Verdict

_NOT_NOW = again(feeds="breaker")
_MAYBE_DONE = Classification(Verdict.AMBIGUOUS, feeds="breaker")

STATUSES: dict[Code, Classification] = {
    "1xx": PERMANENT,
    "3xx": PERMANENT,
    "4xx": PERMANENT,
    408: _NOT_NOW,  # Request Timeout: it did not arrive in full
    421: again(Unit.CONNECTION),  # Misdirected Request
    425: again(),  # Too Early
    429: SATURATED,  # Too Many Requests
    "5xx": Classification(Verdict.PERMANENT, feeds="breaker"),
    500: _MAYBE_DONE,
    501: PERMANENT,
    502: _MAYBE_DONE,
    503: _NOT_NOW,
    504: _MAYBE_DONE,
    505: PERMANENT,
    529: _NOT_NOW,  # not registered, but used: the site is overloaded
}
"""Status codes, and their classes for those that are not listed."""

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})


def _statuses(exc: BaseException) -> Iterator[Code]:
    status = getattr(getattr(exc, "response", None), "status_code", None)
    if isinstance(status, int):
        yield status
        yield f"{status // 100}xx"


def retry_after_s(value: str, date: str | None = None, *, now: Callable[[], float]) -> float | None:
    """Return how many seconds a ``Retry-After`` header asks for (RFC 9110, 10.2.3).

    Args:
        value: seconds, or a date, which is taken relative to ``date``.
        date: the ``Date`` of the response. With it, no clocks are compared.
        now: reads Unix time in seconds, for a response without one.

    Returns:
        Seconds, at least 0; None if the header is malformed.
    """
    with suppress(ValueError):
        seconds = float(value)
        return max(0.0, seconds) if isfinite(seconds) else None
    until = _unix_time(value)
    if until is None:
        return None
    since = None if date is None else _unix_time(date)
    return max(0.0, until - (now() if since is None else since))


def _unix_time(text: str) -> float | None:
    with suppress(ValueError, OverflowError):
        moment = parsedate_to_datetime(text)
        # A date with "-0000" for its zone has none, and is UTC.
        return (moment if moment.tzinfo else _utc(moment)).timestamp()
    return None


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)


def _request_of(exc: BaseException) -> Any:
    try:
        return exc.request  # type: ignore[attr-defined]
    except (AttributeError, RuntimeError):  # httpx raises the latter if it was never set
        return None


def by_request(exc: BaseException, means: Classification, _: Callable[[], float]) -> Classification:
    """What is ambiguous is transient for a request that may be made twice."""
    if means.verdict is not Verdict.AMBIGUOUS:
        return means
    request = _request_of(exc)
    if request is not None and (
        request.method in _IDEMPOTENT or "idempotency-key" in request.headers
    ):
        return replace(means, verdict=Verdict.TRANSIENT)
    return means


def by_response(
    exc: BaseException, means: Classification, now: Callable[[], float]
) -> Classification:
    """As ``by_request``, and the server may say when to come back."""
    means = by_request(exc, means, now)
    headers = getattr(getattr(exc, "response", None), "headers", None)
    if headers is None or means.verdict is Verdict.PERMANENT or "retry-after" not in headers:
        return means
    pause = retry_after_s(headers["retry-after"], headers.get("date"), now=now)
    return replace(means, retry_after_s=pause)


def _transport(package: str) -> tuple[Rule, ...]:
    return (
        # A certificate that does not match, a name that does not exist.
        Rule(f"{package}.ConnectError", UNREACHABLE, cause=Cause.IF_PERMANENT),
        Rule(f"{package}.ConnectTimeout", UNREACHABLE),
        Rule(f"{package}.ProxyError", UNREACHABLE),
        Rule(f"{package}.PoolTimeout", SATURATED),
        *(
            Rule(f"{package}.{name}", LOST, adjust=by_request)
            for name in (
                "NetworkError",
                "ProtocolError",
                "ReadError",
                "ReadTimeout",
                "RemoteProtocolError",
                "TimeoutException",
                "WriteError",
                "WriteTimeout",
            )
        ),
        *permanent(f"{package}.LocalProtocolError", f"{package}.UnsupportedProtocol"),
    )


RULES = (
    *_transport("httpx"),
    *_transport("httpcore"),
    Rule("httpx.CloseError", LOST, adjust=by_request),
    Rule("httpx.TransportError", LOST, adjust=by_request),
    Rule("httpx.RequestError", LOST, adjust=by_request),
    Rule("httpx.HTTPStatusError", PERMANENT, codes=Codes(_statuses, STATUSES), adjust=by_response),
    Rule("httpcore.ConnectionNotAvailable", SATURATED),
    *permanent(
        "httpx.CookieConflict",
        "httpx.DecodingError",
        "httpx.HTTPError",
        "httpx.InvalidURL",
        "httpx.RequestNotRead",
        "httpx.ResponseNotRead",
        "httpx.StreamClosed",
        "httpx.StreamConsumed",
        "httpx.StreamError",
        "httpx.TooManyRedirects",
    ),
)

"""A registry's change feed over HTTP."""

import ipaddress
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import TypeVar

import httpx
import msgspec

from meshaccel.discovery.credentials import BearerToken, parted
from meshaccel.discovery.http_words import (
    MAX_REPLY,
    Parameters,
    events,
    parameters_of,
    too_large,
)
from meshaccel.discovery.protocol import Changes, ChangesRequest, Digest, DigestRequest, Gone
from meshaccel.errors import (
    DiscoveryError,
    InvalidReplyError,
    InvalidRequestError,
    RegistryUnavailableError,
    ResilienceError,
)
from meshaccel.resilience.middleware import ErrorHandlingMiddleware
from meshaccel.resilience.policy import RetryPolicy

T = TypeVar("T")

CONNECT_TIMEOUT_S = 5.0
SILENCE_S = 75.0
"""A stream says something every 30 seconds, if only that there is nothing."""

_WORTH_RETRYING = (
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
)

_OF_THE_WIRE = ("content-encoding", "content-length", "transfer-encoding")
"""Headers that are not those of a body any more that was read and unpacked."""

OPERATION = "discovery.http"
"""Name of a request to the registry in an ``ErrorHandlingMiddleware``."""

POLICY = RetryPolicy(deadline_s=1.0, idempotent=True)
"""A registry that restarts is back within it. Longer trouble is the caller's: ``watch`` waits for
as long as it takes, and who calls ``refresh`` may rather go on with what is held."""


class HttpSource:
    """Asks a registry at a URL. Connections are made when they are needed."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        timeout_s: float = 30.0,
        errors: ErrorHandlingMiddleware | None = None,
    ) -> None:
        """``timeout_s`` bounds each wait for some part of an answer.

        ``token`` goes with every request, rather than a password that the URL has. ``errors`` says
        how requests are made that fail; without it, by ``POLICY``.

        Raises:
            InvalidRequestError: it is no URL of a registry.
            TokenError: it is no token.
        """
        parsed, password = parted(_parsed(url))
        self._shown = str(parsed).rstrip("/")
        self._timeout_s = timeout_s
        if errors is None:
            errors = ErrorHandlingMiddleware()
            errors.policy(OPERATION, POLICY)
        self._errors = errors
        self.received_bytes = 0
        """Bytes of all answers as they came, without their headers."""
        self._http = httpx.AsyncClient(
            base_url=parsed,
            auth=password if token is None else BearerToken(token),
            timeout=httpx.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S),
            headers={"accept-encoding": "gzip, deflate"},
            # As Go's clients: a proxy is no way to this machine.
            trust_env=not is_loopback(parsed.host),
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def changes(self, request: ChangesRequest) -> Changes | Gone:
        """Answer a request.

        Raises:
            RegistryUnavailableError: there is no answer now.
            InvalidReplyError: what answers is no registry.
            InvalidRequestError: the registry finds the request malformed.
        """
        headers = {}
        if request.hash is not None and request.epoch is not None:
            headers["if-none-match"] = f'W/"{request.epoch}-{request.since}-{request.hash}"'
        response = await self._get(
            "/changes", parameters_of(request), headers, timeout_s=self._timeout_s + request.wait_s
        )
        if response.status_code == HTTPStatus.NOT_MODIFIED and request.epoch is not None:
            # It has the tag of what we hold: that is what there is.
            return Changes(
                epoch=request.epoch, since=request.since, to=request.since, hash=request.hash
            )
        if response.status_code == HTTPStatus.GONE:
            return self._decode(response.content, Gone)
        self._check(response.status_code, response.content)
        return self._decode(response.content, Changes)

    async def digest(self, request: DigestRequest) -> Digest:
        """Return the hashes of the buckets; raise as ``changes`` does."""
        response = await self._get("/changes/digest", {"selector": request.selector}, {})
        self._check(response.status_code, response.content)
        return self._decode(response.content, Digest)

    async def follow(self, request: ChangesRequest) -> AsyncGenerator[Changes | Gone, None]:
        """Answer a request and go on, as server-sent events; raise as ``changes`` does."""
        with self._reaching():
            async with self._http.stream(
                "GET",
                "/changes",
                params=parameters_of(request),
                headers={"accept": "text/event-stream"},
                timeout=httpx.Timeout(SILENCE_S, connect=CONNECT_TIMEOUT_S),
            ) as response:
                if response.status_code == HTTPStatus.GONE:
                    yield self._decode(await _whole(response), Gone)
                    return
                if response.status_code != HTTPStatus.OK:
                    self._check(response.status_code, await _whole(response))
                async for name, data in events(response.aiter_bytes()):
                    self.received_bytes += len(data)
                    if name == "gone":
                        yield self._decode(data, Gone)
                    else:
                        yield self._decode(data, Changes)

    async def _get(
        self,
        path: str,
        parameters: Parameters,
        headers: Mapping[str, str],
        *,
        timeout_s: float | None = None,
    ) -> httpx.Response:
        timeout = httpx.Timeout(timeout_s or self._timeout_s, connect=CONNECT_TIMEOUT_S)
        request = self._http.build_request(
            "GET", path, params=parameters, headers=headers, timeout=timeout
        )
        with self._reaching():
            try:
                return await self._errors.run(OPERATION, self._attempt, request)
            except httpx.HTTPStatusError as error:
                # What it says is told by ``_check``.
                return error.response

    async def _attempt(self, request: httpx.Request) -> httpx.Response:
        arriving = await self._http.send(request, stream=True)
        try:
            response = _with_body(arriving, await _whole(arriving))
        finally:
            self.received_bytes += arriving.num_bytes_downloaded
            await arriving.aclose()
        if _worth_retrying(response.status_code):
            response.raise_for_status()
        return response

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except (httpx.HTTPError, ResilienceError) as error:
            raise RegistryUnavailableError(
                f"cannot reach a registry at {self._shown} ({str(error) or type(error).__name__})"
            ) from error

    def _check(self, status: int, body: bytes) -> None:
        if status == HTTPStatus.OK:
            return
        said = f"{self._shown} answered {status}: {body[:200].decode(errors='replace')}"
        if _worth_retrying(status):
            raise RegistryUnavailableError(said)
        if status == HTTPStatus.BAD_REQUEST:
            raise InvalidRequestError(said)
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise DiscoveryError(f"there is no leave to read: {said}")
        raise DiscoveryError(f"there is no change feed: {said}")

    def _decode(self, body: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidReplyError(
                f"{self._shown} does not answer like a registry: {error}"
            ) from error


async def _whole(response: httpx.Response) -> bytes:
    """Read an answer; one that was packed small to unpack large is given up on the way."""
    if response.headers.get("content-encoding", "identity") not in ("identity", "gzip", "deflate"):
        raise InvalidReplyError("an answer is packed in a way that was not asked for")
    chunks = []
    size = 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        if size > MAX_REPLY:
            raise too_large()
        chunks.append(chunk)
    return b"".join(chunks)


def _with_body(response: httpx.Response, body: bytes) -> httpx.Response:
    headers = [
        (name, value) for name, value in response.headers.multi_items() if name not in _OF_THE_WIRE
    ]
    return httpx.Response(
        response.status_code, headers=headers, content=body, request=response.request
    )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _parsed(url: str) -> httpx.URL:
    # What may be a password is not repeated, not even in the words of httpx.
    shown = "what has a password in it" if "@" in url else f"{url!r:.80}"
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        if "@" in url:
            raise InvalidRequestError(f"{shown} is no URL") from None
        raise InvalidRequestError(f"{shown} is no URL: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise InvalidRequestError(f"{shown} is no URL such as http://127.0.0.1:8000")
    return parsed


def _worth_retrying(status: int) -> bool:
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _WORTH_RETRYING

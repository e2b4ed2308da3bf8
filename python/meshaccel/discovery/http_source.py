"""A registry's change feed over HTTP."""

import ipaddress
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import TypeVar

import httpx
import msgspec

from meshaccel.discovery.protocol import Changes, ChangesRequest, Digest, DigestRequest, Gone
from meshaccel.errors import (
    DiscoveryError,
    InvalidReplyError,
    InvalidRequestError,
    RegistryUnavailableError,
)

T = TypeVar("T")

CONNECT_TIMEOUT_S = 5.0
SILENCE_S = 75.0
"""A stream says something every 30 seconds, if only that there is nothing."""

_WORTH_RETRYING = (
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
)

Parameters = dict[str, str | int | list[int]]


class HttpSource:
    """Asks a registry at a URL. Connections are made when they are needed."""

    def __init__(self, url: str, *, timeout_s: float = 30.0) -> None:
        """``timeout_s`` bounds each wait for some part of an answer.

        Raises:
            InvalidRequestError: it is no URL of a registry.
        """
        parsed = _parsed(url)
        # A URL may carry a password; messages name it without.
        self._shown = str(parsed.copy_with(userinfo=b"")).rstrip("/")
        self._timeout_s = timeout_s
        self.received_bytes = 0
        """Bytes of all answers as they came, without their headers."""
        self._http = httpx.AsyncClient(
            base_url=parsed,
            timeout=httpx.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S),
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
            "/changes", _parameters(request), headers, timeout_s=self._timeout_s + request.wait_s
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
                params=_parameters(request),
                headers={"accept": "text/event-stream"},
                timeout=httpx.Timeout(SILENCE_S, connect=CONNECT_TIMEOUT_S),
            ) as response:
                if response.status_code == HTTPStatus.GONE:
                    yield self._decode(await response.aread(), Gone)
                    return
                if response.status_code != HTTPStatus.OK:
                    self._check(response.status_code, await response.aread())
                async for name, data in _events(response.aiter_lines()):
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
        with self._reaching():
            response = await self._http.get(
                path, params=parameters, headers=headers, timeout=timeout
            )
        self.received_bytes += response.num_bytes_downloaded
        return response

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except httpx.HTTPError as error:
            raise RegistryUnavailableError(
                f"cannot reach a registry at {self._shown} ({str(error) or type(error).__name__})"
            ) from error

    def _check(self, status: int, body: bytes) -> None:
        if status == HTTPStatus.OK:
            return
        said = f"{self._shown} answered {status}: {body[:200].decode(errors='replace')}"
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _WORTH_RETRYING:
            raise RegistryUnavailableError(said)
        if status == HTTPStatus.BAD_REQUEST:
            raise InvalidRequestError(said)
        raise DiscoveryError(f"there is no change feed: {said}")

    def _decode(self, body: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise InvalidReplyError(
                f"{self._shown} does not answer like a registry: {error}"
            ) from error


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _parsed(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise InvalidRequestError(f"{url!r:.80} is no URL: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise InvalidRequestError(f"{url!r:.80} is no URL such as http://127.0.0.1:8000")
    return parsed


def _parameters(request: ChangesRequest) -> Parameters:
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


async def _events(lines: AsyncIterator[str]) -> AsyncGenerator[tuple[str, bytes], None]:
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

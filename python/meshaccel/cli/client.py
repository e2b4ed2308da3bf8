"""The way to a running registry."""

import os
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote

import click
import httpx
import msgspec

from meshaccel.cli.output import Failure
from meshaccel.discovery.credentials import BearerToken, checked, parted, read_tokens
from meshaccel.discovery.http_source import is_loopback
from meshaccel.errors import TokenError
from meshaccel.resilience.middleware import ErrorHandlingMiddleware
from meshaccel.resilience.policy import ONCE, RetryPolicy

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., object])
Parameters = Mapping[str, str | int | Sequence[str]]

VARIABLE = "MESHACCEL_TOKEN"
"""Where a token may stand that is in no file."""
DEFAULT_REGISTRY = "http://127.0.0.1:8000"
CONNECT_TIMEOUT_S = 5.0
PATIENCE_S = 1.0
"""A registry that restarts is back within it, and nobody minds waiting for it in vain."""

READ = "registry.http.read"
WRITE = "registry.http.write"
_TROUBLE = {
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
"""Answers that another attempt may change."""

ANSWER_TIMEOUT_S = 30.0


class UnreachableError(Failure):
    """Nobody answers at the registry's address."""


class RefusedError(Failure):
    """The registry answered with an error."""


class NotFoundError(RefusedError):
    """The registry knows of no such thing."""


class Client:
    """A connection to one registry. Threads may share it."""

    def __init__(self, url: httpx.URL, token: str | None = None) -> None:
        url, password = parted(url)
        self._shown = str(url).rstrip("/")
        self._http = httpx.Client(
            base_url=url,
            auth=password if token is None else BearerToken(token),
            timeout=httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            # As Go's clients: a proxy is no way to this machine.
            trust_env=not is_loopback(url.host),
        )
        self._errors = ErrorHandlingMiddleware()
        self._errors.policy(READ, RetryPolicy(deadline_s=PATIENCE_S, idempotent=True))
        self._errors.policy(WRITE, ONCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.close()

    def get(self, path: str, parameters: Parameters | None = None) -> bytes:
        """Return the body of an answer; trouble is given a second to pass.

        Raises:
            UnreachableError: there is no answer.
            RefusedError: the answer is an error.
        """
        return self._request(READ, "GET", path, parameters=parameters)

    def put(self, path: str, body: bytes) -> bytes:
        """Send a JSON body, once; return and raise as ``get``."""
        return self._request(WRITE, "PUT", path, body=body)

    def decode(self, body: bytes | msgspec.Raw, kind: type[T]) -> T:
        """Read an answer.

        Raises:
            Failure: what answers is no registry.
        """
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Failure(f"{self._shown} does not answer like a registry: {error}") from error

    def _request(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        parameters: Parameters | None = None,
        body: bytes = b"",
    ) -> bytes:
        def ask() -> httpx.Response:
            answer = self._http.request(
                method,
                path,
                params=parameters,
                content=body,
                headers={"content-type": "application/json"} if body else None,
            )
            if answer.status_code in _TROUBLE:
                answer.raise_for_status()
            return answer

        try:
            answer = self._errors.run_sync(operation, ask)
        except httpx.HTTPStatusError as error:
            answer = error.response
        except httpx.HTTPError as error:
            raise UnreachableError(
                f"cannot reach a registry at {self._shown} ({str(error) or type(error).__name__}): "
                "start one with 'meshaccel serve', or name another with --registry URL "
                "or MCP_MESH_REGISTRY_URL"
            ) from error
        if not answer.is_success:
            missing = answer.status_code == HTTPStatus.NOT_FOUND
            kind = NotFoundError if missing else RefusedError
            raise kind(self._reason(method, path, answer))
        return answer.content

    def _reason(self, method: str, path: str, answer: httpx.Response) -> str:
        try:
            return msgspec.json.decode(answer.content, type=_Error).error
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            try:
                phrase = f" {HTTPStatus(answer.status_code).phrase}"
            except ValueError:
                phrase = ""
            return f"{self._shown} answered {answer.status_code}{phrase} to {method} {path}"


class _Error(msgspec.Struct):
    error: str


def agent_path(agent_id: str) -> str:
    """Return the path of an agent, whose id may hold any character."""
    escaped = quote(agent_id, safe="")
    # quote() leaves dots alone, and URLs with a segment "." or ".." are shortened.
    return "/agents/" + (escaped.replace(".", "%2E") if not escaped.strip(".") else escaped)


def _registry_url(value: str) -> httpx.URL:
    try:
        url = httpx.URL(value)
    except httpx.InvalidURL as error:
        # What may be a password is not repeated.
        reason = "this is no URL with a password in it" if "@" in value else str(error)
        raise click.BadParameter(f"{reason}.") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise click.BadParameter(f"expected a URL such as {DEFAULT_REGISTRY}.")
    return url


def _token(ctx: click.Context, param: click.Parameter, value: Path | None) -> str | None:
    """Return the token to send; one in an argument would show in the list of processes."""
    try:
        if value is not None:
            return read_tokens(value)[0]
        token = os.environ.get(VARIABLE, "").strip()
        return checked(token, VARIABLE) if token else None
    except TokenError as error:
        raise click.BadParameter(f"{error}.", ctx=ctx, param=param) from error


def registry_options(command: F) -> F:
    """Add ``--registry`` and ``--token-file``: the parameters ``registry`` and ``token``."""
    return _registry_option(_token_option(command))


_registry_option = click.option(
    "--registry",
    type=_registry_url,
    metavar="URL",
    envvar="MCP_MESH_REGISTRY_URL",
    show_envvar=True,
    default=DEFAULT_REGISTRY,
    show_default=True,
    help="The registry to talk to.",
)

_token_option = click.option(
    "--token-file",
    "token",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="MESHACCEL_TOKEN_FILE",
    show_envvar=True,
    callback=_token,
    help="File with the token that the registry wants, on its first line; or set MESHACCEL_TOKEN.",
)

"""Who may ask for what: tokens, and what a page in somebody's browser must not do."""

import ipaddress
import re
from collections.abc import Iterable, Mapping

from meshaccel.errors import MeshAccelError
from meshaccel.http.asgi import Request
from meshaccel.http.tokens import TokenFile

# In two headers: browsers on Chromium take those of one for one, which they do not know.
CHALLENGES = (
    (b"www-authenticate", b'Bearer realm="meshaccel"'),
    (b"www-authenticate", b'Basic realm="meshaccel"'),
)

_READS = ("GET", "HEAD", "OPTIONS", "TRACE")

_PORT = re.compile(r":\d*$")
_LABEL = re.compile(r"[a-z0-9_-]*")
_LOCAL_SUFFIXES = (".localhost", ".internal")
"""Of names that no public name server answers for, and so no page has come from."""


class UnauthorizedError(MeshAccelError):
    """The request needs a token and has none, or another one."""


class CrossOriginError(MeshAccelError):
    """A page of another origin made somebody's browser send this."""


class UnknownHostError(MeshAccelError):
    """The request is for a name that this server is not known by."""


class Gate:
    """Decides before a request is routed."""

    def __init__(
        self,
        *,
        write_tokens: TokenFile | None = None,
        read_tokens: TokenFile | None = None,
        hosts: Iterable[str] | None = None,
    ) -> None:
        """Without tokens, who can connect may ask; ``read_tokens`` need ``write_tokens``.

        Args:
            write_tokens: For all that changes something, a sign of life included. They also read.
            read_tokens: For everything else but ``/health``, which probes look at.
            hosts: Names by which the server is known, besides addresses, names without a dot and
                others that no public name server knows. None does not look at names.
        """
        if read_tokens is not None and write_tokens is None:
            raise ValueError("what needs a token to be read needs one to be written")
        self._write_tokens = write_tokens
        self._read_tokens = read_tokens
        self._hosts = None if hosts is None else frozenset(name.lower() for name in hosts)
        self._last_host = b""

    @property
    def checks_hosts(self) -> bool:
        """Whether it looks at the name that a request is for."""
        return self._hosts is not None

    def check(self, request: Request) -> None:
        """Let a request pass.

        Raises:
            UnknownHostError: it is for another server: a page may have given its own name our
                address, to be of the same origin ("DNS rebinding").
            CrossOriginError: it changes something, and a page of another origin sent it.
            UnauthorizedError: it needs a token.
        """
        headers = request.headers()
        if self._hosts is not None:
            self._check_host(headers.get(b"host", b""))
        if request.method not in _READS or request.segments[0] == "heartbeat":
            _check_origin(headers)
            if self._write_tokens is not None:
                _check_token(headers, self._write_tokens)
        elif self._read_tokens is not None and request.segments != ["health"]:
            _check_token(headers, self._read_tokens, self._write_tokens)

    def _check_host(self, host: bytes) -> None:
        # A client goes on as it began.
        if host == self._last_host:
            return
        name = _PORT.sub("", host.decode("latin-1").lower()).rstrip(".")
        if not _is_local(name) and name not in (self._hosts or ()):
            raise UnknownHostError(
                f"this registry is not known as {name!r:.80}: if it should be, name it with"
                " --allowed-host"
            )
        self._last_host = host


def _is_local(name: str) -> bool:
    """Whether no page can have come from a server of this name."""
    if _LABEL.fullmatch(name) or name.endswith(_LOCAL_SUFFIXES):
        return True
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _check_origin(headers: Mapping[bytes, bytes]) -> None:
    """Refuse what a browser says another site made it send; others say nothing of the kind."""
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        same = site in (b"same-origin", b"none")
    else:
        # Browsers before 2023, or without TLS from other machines.
        origin = headers.get(b"origin")
        same = origin is None or origin.partition(b"://")[2] == headers.get(b"host", b"")
    if not same:
        raise CrossOriginError("a page of another origin changes nothing here")


def _check_token(headers: Mapping[bytes, bytes], *accepted: TokenFile | None) -> None:
    authorization = headers.get(b"authorization")
    if authorization is None:
        raise UnauthorizedError("a token is needed: 'Authorization: Bearer TOKEN'")
    if not any(tokens is not None and tokens.accepts(authorization) for tokens in accepted):
        raise UnauthorizedError("the token is none of this registry's")

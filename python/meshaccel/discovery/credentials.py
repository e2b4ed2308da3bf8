"""Tokens by which a registry knows who may write, or read."""

import re
from collections.abc import Generator
from pathlib import Path

import httpx

from meshaccel.errors import TokenError

MIN_TOKEN, MAX_TOKEN = 16, 512
MAX_TOKENS = 100
MAX_FILE = 64 * 1024
"""Bytes."""

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""What RFC 6750 lets stand after ``Bearer``."""


class BearerToken(httpx.Auth):
    """Sends a token with every request, and shows it nowhere else."""

    def __init__(self, token: str) -> None:
        """Take a token.

        Raises:
            TokenError: it is none.
        """
        self._header = f"Bearer {checked(token, 'the token')}"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send it."""
        request.headers["authorization"] = self._header
        yield request


def parted(url: httpx.URL) -> tuple[httpx.URL, httpx.Auth | None]:
    """Return a URL without its password, and what sends that: logs and errors show whole URLs."""
    if not url.userinfo:
        return url, None
    return url.copy_with(userinfo=b""), httpx.BasicAuth(url.username, url.password)


def read_tokens(path: Path) -> tuple[str, ...]:
    """Return the tokens of a file, one a line, but for blank lines and such that begin with #.

    Raises:
        TokenError: it cannot be read, or holds something else, or none.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
    except OSError as error:
        raise TokenError.unreadable(path, error) from error
    if len(content) > MAX_FILE:
        raise TokenError(f"{path}: larger than {MAX_FILE} bytes")
    lines = enumerate(content.decode("latin-1").splitlines(), 1)
    tokens = tuple(
        checked(line.strip(), f"{path}:{number}")
        for number, line in lines
        if line.strip() and not line.lstrip().startswith("#")
    )
    if not 0 < len(tokens) <= MAX_TOKENS:
        raise TokenError(f"{path}: {len(tokens)} tokens, and there must be 1 to {MAX_TOKENS}")
    return tokens


def checked(token: str, place: str) -> str:
    """Return a token that can be one; ``place`` is where it was found.

    Raises:
        TokenError: it cannot. It is not repeated: it may be nearly one.
    """
    if not MIN_TOKEN <= len(token) <= MAX_TOKEN or not _TOKEN.fullmatch(token):
        raise TokenError.malformed(place)
    return token

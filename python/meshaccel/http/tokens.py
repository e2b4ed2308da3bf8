"""The tokens that a server accepts, from a file."""

import base64
import binascii
import hashlib
import hmac
import logging
import time
from collections.abc import Callable
from pathlib import Path
from stat import S_IROTH

from meshaccel.discovery.credentials import read_tokens
from meshaccel.errors import TokenError

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
"""How soon a changed file is noticed."""


class TokenFile:
    """Accepts the tokens of a file, one a line; blank lines and such that begin with # are none.

    Several let one be replaced while clients still have the other. The file is read anew when it
    has changed; one that then cannot be read changes nothing. Of the tokens only digests are kept.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Read the file. ``clock`` returns seconds from any start.

        Raises:
            TokenError: it cannot be read, or holds something else, or none.
        """
        self._path = path
        self._clock = clock
        self._state = self._look()
        self._digests = self._read()
        self._look_at = clock() + LOOK_EVERY_S

    def accepts(self, authorization: bytes) -> bool:
        """Whether a header's value has one of the tokens, in a time that tells nothing of them.

        ``Bearer TOKEN``; or ``Basic`` with a token as the password, whoever the user is: what
        clients make of ``https://agent:TOKEN@host``, the one way to give agents a token.
        """
        if self._clock() >= self._look_at:
            self._look_again()
        presented = hashlib.sha256(_presented(authorization)).digest()
        known = False
        for digest in self._digests:
            known |= hmac.compare_digest(digest, presented)
        return known

    def _look_again(self) -> None:
        self._look_at = self._clock() + LOOK_EVERY_S
        state = self._look()
        if state == self._state:
            return
        # Whatever is wrong with it is told once.
        self._state = state
        try:
            self._digests = self._read()
        except TokenError as error:
            log.warning("the tokens stay as they were", extra={"error": str(error)})
            return
        log.info("tokens read", extra={"file": str(self._path), "count": len(self._digests)})

    def _look(self) -> tuple[int, ...] | None:
        """Return what changes with the file, or with who may read it; None while there is none."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_mode

    def _read(self) -> tuple[bytes, ...]:
        tokens = read_tokens(self._path)
        if self._state is not None and self._state[-1] & S_IROTH:
            log.warning("every user can read the tokens", extra={"file": str(self._path)})
        return tuple(hashlib.sha256(token.encode()).digest() for token in tokens)


def _presented(authorization: bytes) -> bytes:
    scheme, _, value = authorization.partition(b" ")
    scheme = scheme.lower()
    if scheme == b"bearer":
        return value.strip()
    if scheme == b"basic":
        try:
            return base64.b64decode(value.strip(), validate=True).partition(b":")[2]
        except binascii.Error:
            return b""
    return b""

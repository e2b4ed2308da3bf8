"""The files of the page, served as they are in the package.

They are the same for everybody and hold no data: the browser asks the API for that, relative to
the page, so that a proxy may serve the registry under any prefix.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from msgspec import Struct

from meshaccel.clock import Clock
from meshaccel.content import digest_bytes
from meshaccel.http import wire
from meshaccel.http.asgi import Answer, Header, Request, Response, Send

INDEX = "index.html"

# Nothing comes from elsewhere and nothing inline runs, whatever an agent calls itself.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)

_HEADERS: tuple[Header, ...] = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    # Kept, but asked for again each time: after an update nobody sees half of the old page.
    (b"cache-control", b"no-cache"),
)

_TYPES = {
    "html": b"text/html; charset=utf-8",
    "css": b"text/css; charset=utf-8",
    "js": b"text/javascript; charset=utf-8",
    "svg": b"image/svg+xml",
}


class PageFile(Struct, frozen=True):
    """A file of the page, as an answer; with an empty body, that it has not changed."""

    status: int
    etag: bytes
    content_type: bytes
    body: bytes = b""

    async def send(self, send: Send) -> None:
        """Answer the request."""
        headers = [(b"etag", self.etag), *_HEADERS]
        if self.body:
            headers.append((b"content-type", self.content_type))
            headers.append((b"content-length", b"%d" % len(self.body)))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


class PageFiles:
    """What is under ``/ui/``."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def redirect(self, _request: Request) -> Response:
        """Send ``/ui`` to ``/ui/``, from where the page's relative addresses are right."""
        return Response(307, headers=((b"location", b"ui/"),))

    async def get(self, request: Request) -> Answer:
        """Answer with a file, or with its not having changed."""
        found = page_files().get(request.segments[1] or INDEX)
        if found is None:
            message = f"not found: {request.path}"
            return Response(404, wire.error(message, now_us=self._clock.now_us()), close=True)
        # There may be several, and a proxy that compresses makes them weak.
        if found.etag.decode() in (request.header(b"if-none-match") or ""):
            return PageFile(304, found.etag, found.content_type)
        return found


@cache
def page_files() -> Mapping[str, PageFile]:
    """Return all files by name; they are read once."""
    found = {}
    for file in files(__package__).joinpath("static").iterdir():
        content_type = _TYPES.get(file.name.rpartition(".")[2])
        if content_type is not None:
            body = file.read_bytes()
            etag = f'"{digest_bytes(body).hex()}"'.encode()
            found[file.name] = PageFile(200, etag, content_type, body)
    return found

"""A small HTTP/1.1 client: five thousand agents must cost less than the registry they load."""

import asyncio
from typing import NamedTuple

from tests.integration.processes import HOST


class Answer(NamedTuple):
    """A complete answer."""

    status: int
    body: bytes


class Connection:
    """One keep-alive connection, opened when it is needed and again after it broke."""

    def __init__(self, port: int, *, patience_s: float = 60.0) -> None:
        self._port = port
        self._patience_s = patience_s
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, body: bytes = b"") -> Answer:
        """Return the answer.

        Raises:
            OSError: nobody answers, or not in time: what was asked may have been done or not.
        """
        try:
            async with asyncio.timeout(self._patience_s):
                return await self._ask(method, path, body)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            self.close()
            raise OSError(f"{method} {path}: {error!r}") from error
        except asyncio.CancelledError:
            self.close()
            raise

    def close(self) -> None:
        """Close it; it is opened again if something is asked."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None

    async def _ask(self, method: str, path: str, body: bytes) -> Answer:
        if self._streams is None:
            self._streams = await asyncio.open_connection(HOST, self._port)
        reader, writer = self._streams
        framing = f"content-length: {len(body)}\r\n" if method == "POST" else ""
        writer.write(f"{method} {path} HTTP/1.1\r\nhost: {HOST}\r\n{framing}\r\n".encode() + body)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head[9:12])
        if method == "HEAD" or status in (204, 304):
            return Answer(status, b"")
        if b"\r\ntransfer-encoding: chunked\r\n" in head:
            return Answer(status, await _chunks(reader))
        length = int(head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])
        return Answer(status, await reader.readexactly(length))


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    chunks = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        chunks.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readexactly(2)
    return b"".join(chunks)

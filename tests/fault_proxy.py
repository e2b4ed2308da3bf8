"""A TCP proxy that cuts, delays and swallows, for any protocol."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_CHUNK = 65536


class FaultProxy:
    """Forwards connections to a port of the loopback, as well as it is told to."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._delay_s = 0.0
        self._left: int | None = None
        self._closed = False
        self.connections = 0
        """How many were accepted since the start."""

    @property
    def port(self) -> int:
        """Where to connect."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)

    def cut(self) -> None:
        """Abort every connection; new ones are accepted."""
        for writer in self._writers:
            writer.transport.abort()

    def aim(self, target: int) -> None:
        """Send new connections to another port."""
        self._target = target

    def refuse(self) -> None:
        """Abort every connection, and new ones as they come."""
        self._closed = True
        self.cut()

    def accept(self) -> None:
        """Let new connections in again."""
        self._closed = False

    def delay(self, seconds: float) -> None:
        """Hold back whatever passes for a while."""
        self._delay_s = seconds

    def swallow(self) -> None:
        """Be half-open: connections stay, and nothing passes until ``flow``."""
        self._flowing.clear()

    def flow(self) -> None:
        """Let everything pass, what was held back first."""
        self._flowing.set()

    def truncate(self, after: int) -> None:
        """Let so many bytes of answers pass, then cut."""
        self._left = after

    async def close(self) -> None:
        """Stop listening and cut."""
        assert self._server is not None
        self._server.close()
        self.cut()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._closed:
            writer.transport.abort()
            return
        self.connections += 1
        try:
            onward = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, onward[1]}
        for source, sink, answers in ((reader, onward[1], False), (onward[0], writer, True)):
            pump = asyncio.create_task(self._pump(source, sink, answers=answers))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        try:
            with suppress(ConnectionError):
                while chunk := await source.read(_CHUNK):
                    if self._delay_s:
                        await asyncio.sleep(self._delay_s)
                    await self._flowing.wait()
                    if answers and self._left is not None:
                        chunk, self._left = chunk[: self._left], max(self._left - len(chunk), 0)
                    sink.write(chunk)
                    await sink.drain()
                    if answers and self._left == 0:
                        self._left = None
                        self.cut()
        finally:
            sink.close()
            self._writers.discard(sink)


@asynccontextmanager
async def fault_proxy(target: int) -> AsyncIterator[FaultProxy]:
    """Run a proxy."""
    proxy = FaultProxy(target)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.close()

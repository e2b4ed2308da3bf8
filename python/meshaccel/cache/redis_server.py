"""Scripts executed by a Redis or Valkey server, a bounded number at a time."""

import asyncio
import secrets
import struct
from collections.abc import Sequence
from typing import Any, Final

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, OutOfMemoryError, RedisError

from meshaccel.cache.level2 import UNKNOWN, Version
from meshaccel.cache.redis_scripts import Script, Scripts
from meshaccel.errors import CacheOptionError, SecondLevelError, StoreFullError

_ATTEMPTS: Final = 3
"""The first may find the connection dead, the second the server without the scripts."""

_DOUBLE: Final = struct.Struct(">d")


class RedisServer:
    """A namespace on a server.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``, as redis-py has it.
        namespace: of the keys; without braces, which mean something to a cluster.
        timeout: seconds for each attempt to get an answer, connecting included.
        max_commands: how many may be under way at a time, each on a connection.

    Raises:
        CacheOptionError: an option is out of its range.
    """

    def __init__(self, url: str, *, namespace: str, timeout: float, max_commands: int) -> None:
        if not namespace or "{" in namespace or "}" in namespace:
            raise CacheOptionError("namespace", "a name without braces", namespace)
        if timeout <= 0:
            raise CacheOptionError("timeout", "above 0", timeout)
        if max_commands < 1:
            raise CacheOptionError("max_commands", "at least 1", max_commands)
        name = namespace.encode("utf-8", "surrogatepass")
        self.scripts = Scripts(name)
        self.prefix = b"{" + name + b"}:"
        self.channel = self.prefix + b"b"
        self._controls = (self.prefix + b"v", self.prefix + b"d")
        self._limit = asyncio.Semaphore(max_commands)
        self._timeout = timeout
        self._connections: Any = ConnectionPool.from_url(
            url,
            max_connections=max_commands,
            # What may be repeated, and when, is known here; so is how long it may take, with one
            # timer for all of it.
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        self.client: Redis = Redis(connection_pool=self._connections)
        self._execute: Any = self.client.execute_command
        self._beginning: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(
        self, script: Script, names: Sequence[bytes], arguments: Sequence[bytes | int] = ()
    ) -> Any:
        """Execute a script; the namespace is begun if need be.

        Args:
            script: one of ``scripts``.
            names: of keys, beside those of the namespace itself.
            arguments: of the script.

        Raises:
            StoreFullError: the server is out of memory and the script would need some.
            SecondLevelError: the server cannot be reached, was too slow, or refused.
        """
        self._check_loop()
        command = ("EVALSHA", script.sha, 2 + len(names), *self._controls, *names, *arguments)
        failed: Exception = LookupError("the server forgets at once what it is told")
        async with self._limit:
            for _ in range(_ATTEMPTS):
                try:
                    async with asyncio.timeout(self._timeout):
                        answer = await self._answer(command)
                        if answer is not None:
                            return answer
                        await self._begin()
                except OutOfMemoryError as error:
                    raise StoreFullError(f"no room: {error}") from error
                except RedisConnectionError as error:
                    # It may have waited in the pool while the server was restarted.
                    failed = error
                except (RedisError, OSError) as error:
                    raise SecondLevelError(f"{type(error).__name__}: {error}") from error
        raise SecondLevelError(f"{type(failed).__name__}: {failed}") from failed

    async def doubt(self, version: Version) -> None:
        """Begin the namespace anew if the server, not only a connection, is behind a version.

        Raises:
            SecondLevelError: the server cannot be reached, or is a replica.
        """
        try:
            # They may lead to a server that is no longer the one at the address.
            await self._connections.disconnect(inuse_connections=False)
            await self._begin(version)
        except (RedisError, OSError) as error:
            raise SecondLevelError(f"{type(error).__name__}: {error}") from error

    def new_connection(self) -> Any:
        """Return a connection of its owner's, not connected yet and not counted."""
        return self._connections.make_connection()

    async def close(self) -> None:
        """Close all connections."""
        if self._beginning is not None:
            self._beginning.cancel()
        await self.client.aclose()
        await self._connections.disconnect()

    async def _answer(self, command: Sequence[str | bytes | int]) -> Any:
        """Return None if the server does not know the script, or the namespace."""
        try:
            return await self._execute(*command)
        except NoScriptError:
            return None

    async def _begin(self, doubted: Version = UNKNOWN) -> None:
        """Introduce the namespace, once for all who come upon a server that does not know it."""
        if self._beginning is None:
            introducing = self._introduce(doubted)
            self._beginning = asyncio.get_running_loop().create_task(introducing)
            self._beginning.add_done_callback(self._begun)
        # Whose time is up takes nobody along.
        await asyncio.shield(self._beginning)

    def _begun(self, beginning: asyncio.Task[None]) -> None:
        self._beginning = None
        # Those who waited know how it went; perhaps none does any more.
        if not beginning.cancelled():
            beginning.exception()

    async def _introduce(self, doubted: Version) -> None:
        """Let the server look whether the namespace is of its own run, then give it the scripts.

        On one connection, hence to one server, and in this order: one that was started since, on
        an old copy of the data, is not given scripts by who has not made it look.
        """
        connection = self.new_connection()
        try:
            async with asyncio.timeout(self._timeout):
                await self._give_scripts(connection, doubted)
        finally:
            await connection.disconnect(nowait=True)

    async def _give_scripts(self, connection: Any, doubted: Version) -> None:
        await connection.connect()
        arguments = (1 + secrets.randbelow(2**52), to_double(doubted.incarnation), doubted.number)
        text = self.scripts.begin.text
        await connection.send_command("EVAL", text, 2, *self._controls, *arguments)
        await connection.read_response()
        for script in self.scripts.to_load():
            await connection.send_command("SCRIPT LOAD", script.text)
            await connection.read_response()

    def _check_loop(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise SecondLevelError("the connections belong to another event loop")


def to_double(incarnation: bytes) -> int:
    """Return the number that stands for an incarnation within the server; 0 for none."""
    return int(_DOUBLE.unpack(incarnation)[0]) if incarnation else 0

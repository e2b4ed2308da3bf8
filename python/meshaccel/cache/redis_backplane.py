"""A backplane over the publish and subscribe of the server that holds the second level."""

import asyncio
import logging
import random as random_module
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from redis.exceptions import RedisError

from meshaccel.cache.level2 import BackplaneListener, Invalidation, Version
from meshaccel.cache.redis_l2 import RedisL2
from meshaccel.cache.redis_message import from_message
from meshaccel.errors import CacheOptionError

log = logging.getLogger(__name__)

_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 5.0


class RedisBackplane:
    """Tells listeners what other nodes did to the namespace of a ``RedisL2``.

    The second level's own scripts publish, in the order of their numbers, in the same trip: a
    message that is missing is noticed by the next one. What was missed cannot be made up for, so
    listeners are told that they have ``lost`` track: at every connect and disconnect, gap, and
    change of incarnation. One task listens, and connects again after a pause that doubles, up to
    5 s, and is at random up to half as long again. It begins with the first listener.

    Args:
        l2: of this node; what it does itself is not told.
        heartbeat: seconds of silence after which the server is asked whether it is still there;
            after as many more without an answer the connection is given up.
        random: numbers from 0 to 1.

    Raises:
        CacheOptionError: an option is out of its range.
    """

    def __init__(
        self,
        l2: RedisL2,
        *,
        heartbeat: float = 2.0,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        if heartbeat <= 0:
            raise CacheOptionError("heartbeat", "above 0", heartbeat)
        self._l2 = l2
        self._server = l2.server
        self._heartbeat = heartbeat
        self._random = random
        self._listeners: list[BackplaneListener] = []
        self._listening: asyncio.Task[None] | None = None
        self._last: Version | None = None
        self._connected = False

    @property
    def connected(self) -> bool:
        """Whether messages arrive now."""
        return self._connected

    async def publish(self, invalidation: Invalidation) -> None:
        """Do nothing: the script that made the change has told it."""

    def subscribe(self, listener: BackplaneListener) -> None:
        """Be told from now on, in the running event loop."""
        self._listeners.append(listener)
        if self._listening is None:
            self._listening = asyncio.get_running_loop().create_task(self._listen())

    async def close(self) -> None:
        """Stop listening. Listeners are not told."""
        self._listeners.clear()
        if self._listening is not None:
            self._listening.cancel()
            with suppress(asyncio.CancelledError):
                await self._listening

    async def _listen(self) -> None:
        failures = 0
        while True:
            connection = self._server.new_connection()
            try:
                await self._subscribe(connection)
                failures = 0
                self._begin()
                await self._receive(connection)
            except (RedisError, OSError) as error:
                level = logging.WARNING if failures == 0 else logging.DEBUG
                log.log(level, "the backplane is disconnected: %s", error)
            finally:
                await connection.disconnect(nowait=True)
                self._end()
            pause = min(_FIRST_PAUSE_S * 2 ** min(failures, 16), _LONGEST_PAUSE_S)
            failures += 1
            await asyncio.sleep(pause * (1 + 0.5 * self._random()))

    async def _subscribe(self, connection: Any) -> None:
        await connection.connect()
        await connection.send_command("SUBSCRIBE", self._server.channel)
        if await connection.read_response(timeout=self._heartbeat) is None:
            raise ConnectionError("the server does not answer")

    async def _receive(self, connection: Any) -> None:
        silent = False
        while True:
            answer = await connection.read_response(timeout=self._heartbeat)
            if answer is None:
                if silent:
                    raise ConnectionError("the server is silent")
                silent = True
                await connection.send_command("PING")
                continue
            silent = False
            if answer[0] == b"message":
                self._received(answer[2])

    def _received(self, message: bytes) -> None:
        told = from_message(message)
        if told is None:
            log.warning("a message on the channel of the backplane is not one of ours")
            self._lose()
            return
        version, last = told.invalidation.version, self._last
        if last is not None and version != Version(last.incarnation, last.number + 1):
            self._lose()
        self._last = version
        self._l2.learn(version)
        if told.node != self._l2.node:
            for listener in tuple(self._listeners):
                _tell(listener.invalidated, told.invalidation)

    def _begin(self) -> None:
        self._last = None
        self._connected = True
        self._lose()

    def _end(self) -> None:
        if self._connected:
            self._connected = False
            self._lose()

    def _lose(self) -> None:
        for listener in tuple(self._listeners):
            _tell(listener.lost)


def _tell(method: Callable[..., None], *arguments: Invalidation) -> None:
    try:
        method(*arguments)
    except Exception:  # a listener is another's code, and the others are to be told as well
        log.exception("a listener of the backplane failed")

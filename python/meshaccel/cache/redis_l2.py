"""A second level in Redis or Valkey, shared by many nodes."""

import asyncio
import math
import secrets
import struct
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from meshaccel.cache.batching import BatchingReader
from meshaccel.cache.level2 import UNKNOWN, Invalidation, Reading, StoredEntry, Version, Wanted
from meshaccel.cache.record import decode, encode, to_name
from meshaccel.cache.redis_message import NODE_BYTES, to_message
from meshaccel.cache.redis_server import RedisServer
from meshaccel.clock import Clock, SystemClock
from meshaccel.errors import CacheOptionError, SecondLevelError, StoreFullError

_PUT_ATTEMPTS: Final = 8

_LEFT_AT_MOST: Final = 100
"""Former incarnations that are remembered."""

_ANY_NUMBER: Final = 2**53

_DOUBLE: Final = struct.Struct(">d")

_LONGEST_S: Final = 10 * 365 * 24 * 3600.0


class RedisL2:
    """A second level in Redis (7 or later) or Valkey.

    ::

        l2 = RedisL2("redis://cache.internal", namespace="registry")
        cache = HierarchicalCache(TagCache(max_entries=10_000), l2, backplane=RedisBackplane(l2))

    Every call is one trip, and one script that nothing else comes between; reads that are made
    in one iteration of the event loop share a trip. Changes are told on the backplane's channel
    by the script that makes them.

    It belongs to the event loop it was first used in. Connections are opened as they are needed.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``, as redis-py has it.
        namespace: all nodes that share entries name the same; no braces.
        timeout: seconds to connect and get an answer; not counted is the wait for other commands.
        max_commands: how many may be under way at a time, and so the number of connections; the
            others wait.
        max_kept: seconds after which the server forgets any entry.
        max_notes: how many invalidated tags, and how many deleted or put keys, are remembered.
            Forgetting the oldest tenth takes the entries along that are older still.
        clock: tells when entries expire. Whether they are stale is told without.

    Raises:
        CacheOptionError: an option is out of its range.
    """

    def __init__(  # noqa: PLR0913 - options, all with a default
        self,
        url: str,
        *,
        namespace: str = "meshaccel",
        timeout: float = 1.0,
        max_commands: int = 16,
        max_kept: float = 7 * 24 * 3600.0,
        max_notes: int = 100_000,
        clock: Clock | None = None,
    ) -> None:
        if not 0 < max_kept <= _LONGEST_S:
            raise CacheOptionError("max_kept", f"above 0 and at most {_LONGEST_S}", max_kept)
        if max_notes < 1:
            raise CacheOptionError("max_notes", "at least 1", max_notes)
        self.node = secrets.token_bytes(NODE_BYTES)
        """Tells what this node changed from what others did, on the backplane."""
        self.server = RedisServer(
            url, namespace=namespace, timeout=timeout, max_commands=max_commands
        )
        self._reader = BatchingReader(self._read)
        self._max_kept = max_kept
        self._max_notes = max_notes
        self._clock = clock or SystemClock()
        self._known = UNKNOWN
        self._left: deque[bytes] = deque(maxlen=_LEFT_AT_MOST)
        self._puts: dict[str, asyncio.Future[None]] = {}

    async def read(self, wanted: Sequence[Wanted]) -> Reading:
        """Look up entries and the present version, together with others who do now."""
        return await self._reader.read(wanted)

    async def write(self, key: str, entry: StoredEntry) -> bool:
        """Store an entry unless it would be stale at once, or something newer is there.

        If the server has no room it is not stored, and this is no refusal.
        """
        ttl_ms = self._ttl_ms(entry)
        if entry.version.incarnation == b"":
            return False
        if ttl_ms < 1:
            return True
        scripts = self.server.scripts
        try:
            stored = await self.server.run(
                scripts.write, [self._name(key)], [encode(entry), ttl_ms]
            )
        except StoreFullError:
            return True
        return bool(stored)

    async def put(self, key: str, entry: StoredEntry) -> Version:
        """Store an entry as the newest of its key; forget the key if there is no room.

        What others do to the key meanwhile costs another trip; if they go on doing so, the key
        is forgotten.
        """
        if self._ttl_ms(entry) < 1:
            return await self.delete([key])
        while ahead := self._puts.get(key):
            await asyncio.wait([ahead])
        mine = self._puts[key] = asyncio.get_running_loop().create_future()
        try:
            return await self._put(key, entry) or await self.delete([key])
        finally:
            del self._puts[key]
            mine.set_result(None)

    async def delete(self, keys: Sequence[str]) -> Version:
        """Forget keys, and refuse what was computed before."""
        names = [self._name(key) for key in keys]
        return await self._forget(b"d", Invalidation(UNKNOWN, keys=tuple(keys)), names=names)

    async def invalidate(self, tags: Sequence[str]) -> Version:
        """Let no entry with one of these tags ever be served again."""
        return await self._forget(b"t", Invalidation(UNKNOWN, tags=tuple(tags)), tags=tags)

    async def expire(self, tags: Sequence[str]) -> Version:
        """Let entries with one of these tags be served by fail-safe only."""
        return await self._forget(b"x", Invalidation(UNKNOWN, expired=tuple(tags)), tags=tags)

    async def clear(self) -> Version:
        """Forget everything in the namespace. The server frees it as its time is up."""
        return await self._forget(b"c", Invalidation(UNKNOWN, cleared=True))

    def learn(self, version: Version) -> None:
        """Take note that the namespace has come so far: nothing before that is believed."""
        known = self._known
        if version.incarnation == known.incarnation:
            # Answers may arrive in another order than they were given.
            if version.number > known.number:
                self._known = version
        elif version.incarnation not in self._left:
            if known != UNKNOWN:
                self._left.append(known.incarnation)
            self._known = version

    async def close(self) -> None:
        """Close all connections."""
        await self._reader.close()
        await self.server.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def _put(self, key: str, entry: StoredEntry) -> Version | None:
        if self._known == UNKNOWN:
            await self.read(())
        message = to_message(self.node, Invalidation(UNKNOWN, keys=(key,)))
        for _ in range(_PUT_ATTEMPTS):
            record = encode(msgspec.structs.replace(entry, version=self._known))
            try:
                stored, incarnation, number = await self.server.run(
                    self.server.scripts.put,
                    [self._name(key)],
                    [record, self._ttl_ms(entry), self._max_notes, self.server.channel, message],
                )
            except StoreFullError:
                return None
            version = self._learn(incarnation, number)
            if stored:
                return version
        return None

    async def _read(self, wanted: Sequence[Wanted]) -> Reading:
        arguments: list[bytes | int] = []
        for one in wanted:
            arguments.append(len(one.tags))
            arguments.extend(map(to_name, one.tags))
        names = [self._name(one.key) for one in wanted]
        known = self._known
        sign, negated, *found = await self.server.run(self.server.scripts.read, names, arguments)
        version = self._learn(_DOUBLE.pack(-float(sign)), -int(negated))
        await self._check(version, known)
        now = self._now()
        return Reading(
            version,
            tuple(
                _entry(record, expired=expired, now=now)
                for record, expired in zip(found[::2], found[1::2], strict=True)
            ),
        )

    async def _check(self, version: Version, known: Version) -> None:
        """Believe no server that says less than was known when it was asked.

        A primary that has become a replica, for example: it knows the scripts, but not yet what
        was invalidated since.
        """
        if version.incarnation in self._left:
            known = Version(version.incarnation, _ANY_NUMBER)
        elif version.incarnation != known.incarnation or version.number >= known.number:
            return
        await self.server.doubt(known)
        raise SecondLevelError("the server has fallen behind what was known")

    async def _forget(
        self,
        what: bytes,
        told: Invalidation,
        *,
        names: Sequence[bytes] = (),
        tags: Sequence[str] = (),
    ) -> Version:
        message = to_message(self.node, told)
        arguments: list[bytes | int] = [
            what,
            self._max_notes,
            self.server.channel,
            message,
            *map(to_name, tags),
        ]
        return self._learn(*await self.server.run(self.server.scripts.forget, names, arguments))

    def _learn(self, incarnation: bytes, number: bytes | int) -> Version:
        version = Version(incarnation, int(number))
        self.learn(version)
        return version

    def _ttl_ms(self, entry: StoredEntry) -> int:
        return math.ceil(min(entry.kept_until - self._now(), self._max_kept) * 1000)

    def _name(self, key: str) -> bytes:
        return self.server.prefix + b"e:" + to_name(key)

    def _now(self) -> float:
        return self._clock.now_us() / 1e6


def _entry(record: Any, *, expired: int, now: float) -> StoredEntry | None:
    entry = None if record is None else decode(record)
    if entry is None or entry.kept_until <= now:
        return None
    return msgspec.structs.replace(entry, expired=True) if expired else entry

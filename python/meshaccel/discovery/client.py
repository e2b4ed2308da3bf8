"""``IncrementalServiceDiscovery``: the agents of a registry, kept up to date by what changed."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from meshaccel.discovery.follower import Follower
from meshaccel.discovery.guards import Guards
from meshaccel.discovery.http_source import HttpSource
from meshaccel.discovery.http_words import Parameters, parameters_of, read_heartbeat
from meshaccel.discovery.keeping import Keeper
from meshaccel.discovery.protocol import DEFAULT_LIMIT, ChangeSource, ChangesRequest
from meshaccel.discovery.records import KnownAgent
from meshaccel.discovery.selector import Selector
from meshaccel.discovery.sources import HasFeed, change_source
from meshaccel.discovery.stats import DiscoveryStats
from meshaccel.discovery.synchronizing import Synchronizer
from meshaccel.discovery.watching import AgentChange, Watcher, Watchers
from meshaccel.errors import DiscoveryError
from meshaccel.metadata import MetadataPool
from meshaccel.resilience.middleware import ErrorHandlingMiddleware

SAVE_INTERVAL_S = 30.0


class IncrementalServiceDiscovery:
    """The agents of a registry, as of the last ``refresh`` or, while somebody watches, as of now.

    ::

        async with IncrementalServiceDiscovery("http://127.0.0.1:8000") as discovery:
            await discovery.refresh()
            for agent in discovery.by_capability("weather"):
                print(agent.endpoint)
            async for change in discovery.watch():
                print(change.kind, change.agent.id)

    What it holds is at any time exactly what the registry held at some revision: the registry gives
    a hash with what it tells, and answers that do not come to it are not taken. For one event loop.
    """

    def __init__(  # noqa: PLR0913 - options, all with a default
        self,
        source: str | HasFeed | ChangeSource,
        *,
        selector: str | Selector = "",
        state: str | Path | None = None,
        pool: MetadataPool | None = None,
        limit: int = DEFAULT_LIMIT,
        guards: Guards | None = None,
        errors: ErrorHandlingMiddleware | None = None,
        token: str | None = None,
        save_interval_s: float = SAVE_INTERVAL_S,
        draw: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is read before the first ``refresh`` or ``watch``.

        Args:
            source: The registry: its URL, an ``AgentRegistry``, or another source of changes.
            selector: Which agents; see ``Selector``.
            state: A file in which what is held outlives this process.
            pool: Where the records live; one of its own if None.
            limit: Most agents in one answer.
            guards: What to refuse of a registry that gives no hashes.
            errors: How requests to a URL are made that fail: its operation ``discovery.http``. By
                default they are made again for a second.
            token: What a registry at a URL wants to know its readers by.
            save_interval_s: The file is written no more often than that, and when this is closed.
            draw: Returns random numbers from 0 to 1, for waits that differ from client to client.
            sleep: Waits for so many seconds.
            clock: Returns seconds from any start.

        Raises:
            InvalidRequestError: the selector, or the URL, is malformed.
            TokenError: the token is malformed.
        """
        canonical = str(Selector.parse(str(selector)))
        # Each document is read once: to remember texts of JSON would be of no use.
        self._pool = MetadataPool(memo_bytes=0) if pool is None else pool
        asked = change_source(source, errors, token)
        self._http = asked if isinstance(asked, HttpSource) else None
        self._follower = Follower(
            self._pool, selector=canonical, limit=limit, guards=guards or Guards()
        )
        self._synchronizer = Synchronizer(
            self._follower,
            asked,
            noted=self._noted,
            draw=draw,
            sleep=sleep,
        )
        self._watchers = Watchers()
        self._keeping_up: asyncio.Task[None] | None = None
        self._watching = 0
        self._keeper = Keeper(
            self._follower,
            None if state is None else Path(state),
            selector=canonical,
            interval_s=save_interval_s,
            clock=clock,
        )
        self._clock = clock
        self._certain_at: float | None = None
        self._changes = 0
        self._closed = False

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End all watching, write the state and close the connections."""
        self._closed = True
        self._watchers.end()
        await self._rest()
        try:
            await self._keeper.save()
        finally:
            if self._http is not None:
                await self._http.aclose()

    @property
    def agents(self) -> Mapping[str, KnownAgent]:
        """The agents by id, to read. Ask for it anew after a ``refresh`` or a change."""
        return MappingProxyType(self._follower.records.agents)

    def by_capability(self, name: str, *, healthy: bool = True) -> tuple[KnownAgent, ...]:
        """Return who offers a capability; with ``healthy=False`` also who is silent. O(those)."""
        found = self._follower.records.by_capability(name)
        return tuple(agent for agent in found if agent.healthy) if healthy else found

    async def refresh(self) -> tuple[AgentChange, ...]:
        """Bring what is held up to date; return what changed.

        While nothing changed that is one request, of which the answer is empty. If all readers of
        a registry have to begin anew, this waits for its part of a time that the registry names,
        30 seconds at most.

        Raises:
            RegistryUnavailableError: there is no answer now. This and all others lose nothing.
            DatabaseError: the same, of a registry in this process.
            InvalidReplyError: what answers is no registry.
            DivergedError: the registry says one thing and sends another.
            InvalidRequestError: the registry does not understand the selector.
            DiscoveryError: it has no change feed, or this client was closed.
        """
        await self._open()
        with self._watchers.one_more() as watcher:
            await self._synchronizer.catch_up()
            return tuple(self._take(watcher))

    def heartbeat_query(self) -> Parameters:
        """Return the query of a heartbeat whose answer tells what changed; see ``receive``.

        It is empty while there is nothing that a heartbeat could go on from.
        """
        request = self._follower.request()
        if not self._follower.is_following or not isinstance(request, ChangesRequest):
            return {}
        return parameters_of(request)

    async def receive(self, body: bytes) -> tuple[AgentChange, ...]:
        """Take the body of the answer to a heartbeat; return what changed.

        For agents, which call their registry all the time anyway: ``POST
        /heartbeat/AGENT_ID/changes`` with ``heartbeat_query()`` is a heartbeat as ``HEAD`` is, with
        the same status, and keeps what is held up to date without any request of its own. Only
        what it cannot tell, as at the very beginning or after a doubt, is asked for as by
        ``refresh``.

        Raises:
            InvalidReplyError: that is no such body.
            MeshAccelError: as of ``refresh``.
        """
        answer = read_heartbeat(body)
        await self._open()
        with self._watchers.one_more() as watcher:
            await self._synchronizer.receive(answer)
            return tuple(self._take(watcher))

    async def watch(self) -> AsyncGenerator[AgentChange, None]:
        """Follow the registry; yield each change of what ``agents`` holds now.

        A registry that does not answer is waited for. However slowly changes are taken, they do not
        pile up: those of one agent become one.

        Raises:
            InvalidRequestError: the registry does not understand the selector.
            DiscoveryError: it has no change feed, or this client was closed.
        """
        await self._open()
        with self._watchers.one_more() as watcher:
            self._watching += 1
            self._keep_up()
            try:
                more = True
                while more:
                    for change in self._take(watcher):
                        yield change
                    more = await watcher.wait()
            finally:
                self._watching -= 1
                if not self._watching:
                    await self._rest()

    async def save(self) -> None:
        """Write what is held to the state file, in one step.

        Raises:
            OSError: it cannot be written; it holds what it held.
        """
        await self._keeper.save()

    def stats(self) -> DiscoveryStats:
        """Return what is held, and what that took."""
        position = self._follower.position
        return DiscoveryStats(
            agents=len(self._follower.records),
            epoch=position.epoch if position else None,
            revision=position.revision if position else None,
            age_s=None if self._certain_at is None else self._clock() - self._certain_at,
            calls=self._synchronizer.calls,
            received_bytes=self._http.received_bytes if self._http else 0,
            changes=self._changes,
            resyncs=dict(self._follower.resyncs),
            suspicions=dict(self._follower.suspicions),
        )

    # -- inside --------------------------------------------------------------------------

    async def _open(self) -> None:
        if self._closed:
            raise DiscoveryError("this client was closed")
        await self._keeper.restore(self._pool)

    async def _noted(self, before: Mapping[str, KnownAgent | None]) -> None:
        self._certain_at = self._clock()
        self._changes += len(before)
        self._watchers.note(before)
        if before:
            await self._keeper.changed()

    def _take(self, watcher: Watcher) -> Iterator[AgentChange]:
        while (change := watcher.take(self._follower.records.agents)) is not None:
            yield change

    def _keep_up(self) -> None:
        if self._keeping_up is None or self._keeping_up.done():
            self._keeping_up = asyncio.create_task(self._synchronizer.keep_up())
            self._keeping_up.add_done_callback(self._ended)

    def _ended(self, keeping_up: "asyncio.Task[None]") -> None:
        if not keeping_up.cancelled() and (failure := keeping_up.exception()) is not None:
            self._watchers.end(failure)

    async def _rest(self) -> None:
        if self._keeping_up is not None:
            self._keeping_up.cancel()
            await asyncio.wait([self._keeping_up])
            self._keeping_up = None

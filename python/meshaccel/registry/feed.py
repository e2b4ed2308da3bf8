"""The change feed of a registry: answers now, answers that wait, and streams of them."""

import asyncio
import random
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

import msgspec

from meshaccel.db.database import Database
from meshaccel.discovery.protocol import Changes, ChangesRequest, Digest, DigestRequest, Gone
from meshaccel.errors import TooManyReadersError
from meshaccel.registry.feed_answers import FeedAnswers, OutdatedReadError
from meshaccel.registry.readership import FeedStats, Readership
from meshaccel.registry.served import Served
from meshaccel.registry.settings import FeedSettings

T = TypeVar("T")

READERS_PER_S = 50
"""Readers that begin a snapshot in a second, when all have to."""
MAX_SPREAD_S = 30.0

MAX_SHARED = 256
"""Answers that are kept until the next change, for readers with the same question."""
MAX_SHARED_ITEMS = 64
"""Larger answers are not kept."""


class Wake(asyncio.Event):
    """Set by the next commit, which notes when that was."""

    at: float | None = None


class Feed:
    """Tells readers what changed. Nobody's position is remembered between two requests.

    Readers that are up to date ask the same question: it is answered by one reading of the
    database for all of them. While nothing changes, nothing is read.
    """

    def __init__(
        self,
        database: Database,
        settings: FeedSettings,
        served: Served,
        catch_up: Callable[[], Awaitable[None]],
        *,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """``catch_up`` wakes the feed if others have committed something."""
        self._database = database
        self._catch_up = catch_up
        self._settings = settings
        self._served = served
        self._time = asyncio.get_running_loop().time
        self._draw = draw
        self._answers = FeedAnswers(
            epoch=database.carrier.epoch,
            max_selectors=settings.max_selectors,
            answer_bytes=settings.answer_bytes,
        )
        self._shared: dict[ChangesRequestKey, asyncio.Task[Changes | Gone]] = {}
        self._woken = Wake()
        self._stopping = asyncio.Event()
        self._readers = 0
        self._readership = Readership()

    @property
    def epoch(self) -> str:
        """The history that revisions belong to."""
        return self._database.carrier.epoch

    @property
    def readers(self) -> int:
        """How many requests and streams wait for changes."""
        return self._readers

    def wake(self) -> None:
        """Note that something was committed: what was read before may not be all."""
        self._shared = {}
        self._woken.at = self._time()
        self._woken.set()
        self._woken = Wake()

    def stop(self) -> None:
        """Answer all who wait, and end the streams."""
        self._stopping.set()
        self.wake()

    def stats(self) -> FeedStats:
        """Return what readers were told, and what that spared them."""
        return self._readership.stats(self._readers)

    async def changes(self, request: ChangesRequest, *, beside: bool = False) -> Changes | Gone:
        """Answer a request; if nothing changed, wait for as long as it says.

        ``beside`` says that it came with another one, a heartbeat, and is no call of its own.

        Raises:
            InvalidRequestError: its selector is malformed.
            TooManyReadersError: it wants to wait, and too many do.
            DatabaseError: the database cannot serve it now.
        """
        if not beside:
            self._served.begin("changes")
            self._readership.called()
        if request.wait_s <= 0:
            answer = await self._answer(request)
            self._note(request, answer, waited_s=0.0)
            return answer
        with self._reading():
            return await self._wait(request, min(request.wait_s, self._settings.max_wait_s))

    async def digest(self, request: DigestRequest) -> Digest:
        """Return the hashes of the buckets of the selected agents.

        Raises:
            InvalidRequestError: the selector is malformed.
            DatabaseError: the database cannot serve it now.
        """
        self._served.begin("changes")
        await self._catch_up()
        digest = await self._read(lambda conn: self._answers.digest(conn, request))
        self._database.carrier.told(digest.revision)
        return digest

    async def follow(self, request: ChangesRequest) -> AsyncGenerator[Changes | Gone, None]:
        """Answer a request, and go on answering as there are changes.

        A reader that is slow to take an answer is given the next one when it comes for it, with
        all that changed meanwhile: nothing is queued for it. The first answer comes at once, one
        without items whenever nothing happened for a while, and ``Gone`` is the last.

        Raises:
            InvalidRequestError: the selector is malformed.
            TooManyReadersError: too many wait already.
            DatabaseError: the database cannot serve it now.
        """
        self._served.begin("changes")
        self._readership.called()
        with self._reading():
            end = self._time() + self._settings.rotate_s * (0.5 + self._draw())
            wait_s = 0.0
            while not self._stopping.is_set() and self._time() < end:
                answer = await self._wait(request, wait_s)
                yield answer
                if isinstance(answer, Gone):
                    return
                request = msgspec.structs.replace(
                    request, epoch=answer.epoch, since=answer.to, known=answer.known
                )
                wait_s = 0.0 if answer.more else self._settings.bookmark_s

    @contextmanager
    def _reading(self) -> Iterator[None]:
        if self._readers >= self._settings.max_readers:
            raise TooManyReadersError(f"{self._readers} readers wait for changes already")
        self._readers += 1
        try:
            yield
        finally:
            self._readers -= 1

    async def _wait(self, request: ChangesRequest, wait_s: float) -> Changes | Gone:
        begun = self._time()
        answer, committed = await self._news(request, wait_s)
        self._note(request, answer, waited_s=self._time() - begun)
        if committed is not None:
            self._readership.lagged(self._time() - committed)
        return answer

    async def _news(
        self, request: ChangesRequest, wait_s: float
    ) -> tuple[Changes | Gone, float | None]:
        """Return an answer, and when the change was committed if one was waited for."""
        latest = self._time() + wait_s
        earliest = min(latest, self._time() + self._settings.gather_s)
        committed: float | None = None
        while True:
            # Taken before reading: a change that the reading misses sets it.
            woken = self._woken
            answer = await self._answer(request)
            news = isinstance(answer, Gone) or answer.to > request.since
            if isinstance(answer, Gone) or answer.more or self._stopping.is_set():
                return answer, committed if news else None
            until = earliest if news else latest
            if self._time() >= until:
                return answer, committed if news else None
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await (self._stopping if news else woken).wait()
            if not news:
                committed = woken.at

    def _note(self, request: ChangesRequest, answer: Changes | Gone, *, waited_s: float) -> None:
        selected = self._answers.selected(request.selector)
        self._readership.told(answer, waited_s=waited_s, selected=selected)

    async def _answer(self, request: ChangesRequest) -> Changes | Gone:
        """Read, or share what another reader with the same question reads or has read."""
        await self._catch_up()
        key = _key(request)
        reading = self._shared.get(key)
        if reading is None:
            shared = self._shared
            reading = asyncio.create_task(self._read_changes(request))
            if len(shared) >= MAX_SHARED:
                del shared[next(iter(shared))]
            shared[key] = reading
            reading.add_done_callback(lambda done: _keep(done, shared, key))
        # A reader that gives up does not take the answer away from the others.
        return await asyncio.shield(reading)

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        while True:
            try:
                return await self._database.read(work)
            except OutdatedReadError:
                # Transactions only get newer: the next one will do.
                continue

    async def _read_changes(self, request: ChangesRequest) -> Changes | Gone:
        answer = await self._read(lambda conn: self._answers.changes(conn, request))
        self._database.carrier.told(answer.revision if isinstance(answer, Gone) else answer.to)
        if isinstance(answer, Gone):
            spread_s = min(MAX_SPREAD_S, self._readers / READERS_PER_S)
            return msgspec.structs.replace(answer, spread_s=spread_s)
        return answer


ChangesRequestKey = tuple[str | None, int, int | None, tuple[int, ...], str, int]


def _key(request: ChangesRequest) -> ChangesRequestKey:
    """Return what an answer depends on."""
    return (
        request.epoch,
        request.since,
        request.known,
        request.buckets,
        request.selector,
        request.limit,
    )


def _keep(
    reading: "asyncio.Task[Changes | Gone]",
    shared: "dict[ChangesRequestKey, asyncio.Task[Changes | Gone]]",
    key: ChangesRequestKey,
) -> None:
    """Keep a small answer; forget a large one, and a failure."""
    if (
        not reading.cancelled()
        and reading.exception() is None
        and isinstance(answer := reading.result(), Changes)
        and len(answer.items) <= MAX_SHARED_ITEMS
    ):
        return
    if shared.get(key) is reading:
        del shared[key]

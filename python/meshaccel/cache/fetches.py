"""Values on their way, each fetched once for everyone who wants it.

Callers may come from any thread and event loop, and no lock is taken: a finaliser could come
back while it is held. Every step is one atomic call on a dict, and where two steps could be
taken apart, the worst that follows is said.
"""

import asyncio
import os
from collections.abc import Callable, Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Generic, NamedTuple, TypeVar

from meshaccel.cache.first_level import Guard

V = TypeVar("V")


class Outcome(NamedTuple):
    """What has become of a fetch: a value, an error, or neither of them."""

    value: Any = None
    found: bool = False
    error: Exception | None = None
    trace: TracebackType | None = None
    outdated: bool = False
    """Something it depends on was invalidated meanwhile: for those only who came before."""
    again: bool = False
    """It was broken off, for reasons that do not concern the callers: they try again."""


Waiter = asyncio.Future[Outcome]


class Fetch(Generic[V]):
    """A value on its way. It belongs to the loop of its first caller.

    Args:
        key: What is fetched.
        tags: What it is known to depend on. More may be found out while it is under way.
        guard: Made before the fetch.
        in_background: It goes on even if nobody waits.
    """

    __slots__ = (
        "_outcome", "_process", "_waiters", "abandoned", "asked", "guard", "in_background", "key",
        "loop", "patient", "stop", "tags",
    )  # fmt: skip

    def __init__(
        self, key: str, tags: frozenset[str], guard: Guard, *, in_background: bool = False
    ) -> None:
        self.key = key
        self.asked = tags
        """What its first caller said; others who join say no more than that."""
        self.tags = tags
        """What is known of the value that is going to be its outcome, as far as it goes."""
        self.guard = guard
        self.in_background = in_background
        self.loop = asyncio.get_running_loop()
        self.stop: Callable[[], object] | None = None
        """Told, in its loop, when nobody is left who waits."""
        self._process = os.getpid()
        self._waiters: dict[Waiter, None] = {}
        self._outcome: Outcome | None = None
        self.abandoned = False
        """Nobody waits, and nobody can join any more."""
        self.patient = True
        """Nobody of those who wait was told to try again before. Who is told so each time waits for
        ever where changes follow each other faster than trips to the second level take."""

    def joinable(self, tags: frozenset[str]) -> bool:
        """Whether someone who comes now, and knows of these tags, may share its outcome."""
        return (
            not self.abandoned
            and tags <= self.asked
            # What was invalidated before this caller came must not reach it.
            and not self.guard.outdated(self.tags, self.key)
            # A loop that has stopped, or was left behind by a fork, may never go on.
            and (self.loop is asyncio.get_running_loop() or self.loop.is_running())
            and self._process == os.getpid()
        )

    def join(self, *, patient: bool = True) -> Waiter:
        """Become one of those who wait. Whoever stops waiting has to ``leave``."""
        self.patient = self.patient and patient
        loop = asyncio.get_running_loop()
        waiter: Waiter = loop.create_future()
        self._waiters[waiter] = None
        # The outcome may have come just before, and then nobody looks at the waiters again.
        if self._outcome is not None:
            self._waiters.pop(waiter, None)
            _wake(waiter, self._outcome, loop)
        elif self.abandoned:
            self._waiters.pop(waiter, None)
            _wake(waiter, Outcome(again=True), loop)
        return waiter

    def leave(self, waiter: Waiter) -> None:
        """Wait no longer. The last one who leaves stops the fetch."""
        self._waiters.pop(waiter, None)
        settled = self._outcome is not None
        if self._waiters or self.in_background or settled or self.abandoned:
            return
        self.abandoned = True
        # Someone in another thread who joined in this moment is told to try again.
        self._tell_all(Outcome(again=True))
        if self.stop is not None:
            with suppress(RuntimeError):  # the loop is closed, and with it the fetch
                self.loop.call_soon_threadsafe(self.stop)

    def release(self, outcome: Outcome) -> int:
        """Let those go who wait, and count them; the fetch goes on in the background."""
        self.in_background = True
        return self._tell_all(outcome)

    def settle(self, outcome: Outcome) -> None:
        """Tell everyone what has become of it."""
        self._outcome = outcome
        self._tell_all(outcome)

    def _tell_all(self, outcome: Outcome) -> int:
        here, count = _running_loop(), 0
        while self._waiters:
            for waiter in list(self._waiters):
                if self._waiters.pop(waiter, self) is None:
                    _wake(waiter, outcome, here)
                    count += 1
        return count


class Fetches(Generic[V]):
    """Fetches by key: those that can be joined. They are here only while they are under way."""

    def __init__(self) -> None:
        self._by_key: dict[str, Fetch[V]] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def enter(
        self, key: str, tags: frozenset[str], make: Callable[[], Fetch[V]]
    ) -> tuple[Fetch[V], bool]:
        """Return the fetch to join, and whether it is a new one that the caller has to start.

        One that cannot be joined goes on for those who wait for it. Two threads that replace it
        in the same moment may both fetch.
        """
        under_way = self._by_key.get(key)
        if under_way is not None:
            if under_way.joinable(tags):
                return under_way, False
            self.discard(under_way)
        made = make()
        entered = self._by_key.setdefault(key, made)
        if entered is not made:
            if entered.joinable(tags):
                made.guard.end()
                return entered, False
            self._by_key[key] = made
        return made, True

    def discard(self, fetch: Fetch[V]) -> None:
        """Let nobody join it from now on."""
        if self._by_key.get(fetch.key) is fetch:
            self._by_key.pop(fetch.key, None)


class Tasks:
    """Tasks that nobody awaits: a loop itself would let the collector take them."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run a coroutine on this loop."""
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def finish(self) -> None:
        """Wait for the tasks of this loop."""
        loop = asyncio.get_running_loop()
        while here := [task for task in list(self._tasks) if task.get_loop() is loop]:
            await asyncio.wait(here)


def _wake(waiter: Waiter, outcome: Outcome, here: asyncio.AbstractEventLoop | None) -> None:
    loop = waiter.get_loop()
    if loop is here:
        _resolve(waiter, outcome)
    else:
        with suppress(RuntimeError):  # that loop is closed: nobody waits there
            loop.call_soon_threadsafe(_resolve, waiter, outcome)


def _resolve(waiter: Waiter, outcome: Outcome) -> None:
    if not waiter.done():
        waiter.set_result(outcome)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None

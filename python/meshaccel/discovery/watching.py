"""Changes as those who watch are told of them."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

from msgspec import Struct

from meshaccel.discovery.records import KnownAgent


class AgentChange(Struct, frozen=True):
    """What happened to an agent since the watcher last heard of it."""

    kind: Literal["added", "changed", "removed"]
    """An agent that a selector does not select any more is removed, too."""
    agent: KnownAgent
    """As it is now; if it was removed, as it was."""
    before: KnownAgent | None
    """As it was; None if it was added."""


def change(before: KnownAgent | None, after: KnownAgent | None) -> AgentChange | None:
    """Return what happened between two states of an agent, or None."""
    if after is None:
        return None if before is None else AgentChange("removed", before, before)
    if before is None:
        return AgentChange("added", after, None)
    return None if before.hash == after.hash else AgentChange("changed", after, before)


class Watcher:
    """What somebody has not been told yet.

    Of each agent only what the watcher knew of it is kept: however slowly it listens, there are
    never more changes waiting than agents, and what it is told is the present.
    """

    def __init__(self) -> None:
        self._known: dict[str, KnownAgent | None] = {}
        self._news = asyncio.Event()
        self._ended = False
        self._failure: BaseException | None = None

    def note(self, before: Mapping[str, KnownAgent | None]) -> None:
        """Note what there was before of agents that are different now."""
        for agent_id, agent in before.items():
            self._known.setdefault(agent_id, agent)
        if self._known:
            self._news.set()

    def end(self, failure: BaseException | None = None) -> None:
        """Note that there will be no more news, and why."""
        self._ended, self._failure = True, failure
        self._news.set()

    def take(self, agents: Mapping[str, KnownAgent]) -> AgentChange | None:
        """Return the next change to what ``agents`` has now, the longest waiting one first."""
        while self._known:
            agent_id = next(iter(self._known))
            changed = change(self._known.pop(agent_id), agents.get(agent_id))
            if changed is not None:
                return changed
        return None

    async def wait(self) -> bool:
        """Wait for something to take; return False if there will be no more.

        Raises:
            Exception: what ended the news.
        """
        while not self._known and not self._ended:
            self._news.clear()
            await self._news.wait()
        if not self._known and self._failure is not None:
            raise self._failure
        return bool(self._known)


class Watchers:
    """All who are to be told."""

    def __init__(self) -> None:
        self._watchers: set[Watcher] = set()

    @contextmanager
    def one_more(self) -> Iterator[Watcher]:
        """Tell somebody else, for the length of the block."""
        watcher = Watcher()
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    def note(self, before: Mapping[str, KnownAgent | None]) -> None:
        """Note what there was before of agents that are different now."""
        for watcher in self._watchers:
            watcher.note(before)

    def end(self, failure: BaseException | None = None) -> None:
        """Note that there will be no more news, and why."""
        for watcher in self._watchers:
            watcher.end(failure)

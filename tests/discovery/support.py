"""What the tests of the feed and of its client share."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from msgspec import structs
from tests.http.client import QUIET

from meshaccel import (
    AgentRecord,
    AgentRegistry,
    FeedSettings,
    IncrementalServiceDiscovery,
    Tool,
)
from meshaccel.discovery.protocol import Changes, ChangesRequest, Digest, DigestRequest, Gone
from meshaccel.registry.feed import Feed

EAGER = structs.replace(QUIET, feed=FeedSettings(gather_s=0.0))
"""Who waits is answered at once."""


@asynccontextmanager
async def opened(settings: FeedSettings = EAGER.feed) -> AsyncIterator[AgentRegistry]:
    everything = structs.replace(QUIET, feed=settings)
    async with await AgentRegistry.open(":memory:", settings=everything) as registry:
        yield registry


def in_a_loop(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """Let a test be a coroutine."""

    def run() -> None:
        asyncio.run(asyncio.wait_for(test(), 120))

    run.__doc__ = test.__doc__
    return run


async def put(registry: AgentRegistry, agent_id: str, **fields: Any) -> None:
    await registry.put_agent(AgentRecord(id=agent_id, name=agent_id, **fields))


async def readers(registry: AgentRegistry, count: int) -> None:
    """Wait until so many readers wait."""
    while registry.feed.readers != count:  # noqa: ASYNC110  a number is no event
        await asyncio.sleep(0)


async def held(registry: AgentRegistry) -> ChangesRequest:
    """Return the question of a reader that knows everything."""
    answer = await registry.feed.changes(ChangesRequest())
    return ChangesRequest(epoch=answer.epoch, since=await registry.revision())


async def ids(discovery: IncrementalServiceDiscovery) -> list[str]:
    await discovery.refresh()
    return sorted(discovery.agents)


@asynccontextmanager
async def fleet(*names: str) -> AsyncIterator[AgentRegistry]:
    async with opened() as registry:
        for name in names:
            await put(registry, name, tools=(Tool(function_name="f", capability=f"c-{name}"),))
        yield registry


class Spoiled:
    """A source whose answers are changed on the way."""

    def __init__(self, feed: Feed, change: Callable[[Any], Any]) -> None:
        self._feed = feed
        self._change = change
        self.calls: list[object] = []

    async def changes(self, request: ChangesRequest) -> Changes | Gone:
        """Answer, changed."""
        self.calls.append(request)
        answer: Changes | Gone = self._change(await self._feed.changes(request))
        return answer

    async def digest(self, request: DigestRequest) -> Digest:
        """Answer, changed."""
        self.calls.append(request)
        answer: Digest = self._change(await self._feed.digest(request))
        return answer

    def follow(self, request: ChangesRequest) -> AsyncGenerator[Changes | Gone, None]:
        """Answer as it is."""
        return self._feed.follow(request)


def spoiling(kind: type[Changes | Gone], **fields: Any) -> Callable[[Any], Any]:
    """Return a change of one kind of answer."""
    return lambda answer: structs.replace(answer, **fields) if isinstance(answer, kind) else answer

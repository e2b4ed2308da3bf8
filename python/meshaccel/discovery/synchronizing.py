"""Between a follower, which knows the questions, and a source, which has the answers."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing

from meshaccel.discovery.follower import Follower, Step
from meshaccel.discovery.protocol import (
    Changes,
    ChangeSource,
    ChangesRequest,
    DigestRequest,
    Gone,
    Reply,
    Request,
)
from meshaccel.discovery.records import KnownAgent
from meshaccel.errors import (
    DatabaseError,
    DivergedError,
    InvalidReplyError,
    RegistryUnavailableError,
    TooManyReadersError,
)
from meshaccel.resilience.backoff import FullJitter

log = logging.getLogger(__name__)

MAX_DOUBTS = 5
"""Doubts in one attempt to catch up; a registry that can be followed gives rise to one or two."""

PAUSES = FullJitter(base_s=0.1, cap_s=10.0)
"""Between streams: registries that come back are not met by all at once."""

MAX_SPREAD_S = 30.0
"""The longest that a registry may have its readers wait."""

RETRIED = (
    DatabaseError,
    DivergedError,
    InvalidReplyError,
    RegistryUnavailableError,
    TooManyReadersError,
)
"""What may be over the next time."""

Noted = Callable[[Mapping[str, KnownAgent | None]], Awaitable[None]]


class Synchronizer:
    """Asks one question after the other."""

    def __init__(
        self,
        follower: Follower,
        source: ChangeSource,
        *,
        noted: Noted,
        draw: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        """``noted`` is awaited with what there was before of agents that are different now.

        ``draw`` returns random numbers from 0 to 1; ``sleep`` waits for so many seconds.
        """
        self._follower = follower
        self._source = source
        self._noted = noted
        self._draw = draw
        self._sleep = sleep
        self._turn = asyncio.Lock()
        self.calls = 0
        """Requests and streams."""

    async def catch_up(self) -> None:
        """Ask until everything is known.

        Raises:
            RegistryUnavailableError: there is no answer; what was held is held.
            DatabaseError: the same, of a registry in this process.
            InvalidReplyError: what answers is no registry.
            DivergedError: answers never came to the hash that the registry gave.
        """
        async with self._turn:
            doubts = 0
            while True:
                request = self._follower.request()
                step = self._follower.receive(request, await self._ask(request))
                await self._take(step)
                if step.done:
                    return
                doubts += step.reason is not None
                if doubts > MAX_DOUBTS:
                    raise DivergedError(f"{doubts} doubts in a row, the last one: {step.reason}")

    async def receive(self, answer: Changes | Gone | None) -> None:
        """Take an answer that came by another way, and ask for what it leaves open.

        One to a former question changes nothing. Raises as ``catch_up`` does.
        """
        async with self._turn:
            if answer is not None and self._follower.expects(answer):
                await self._take(self._follower.receive(self._follower.request(), answer))
            known = self._follower.is_following
        if not known:
            await self.catch_up()

    async def keep_up(self) -> None:
        """Catch up and follow, whatever happens, until cancelled.

        Raises:
            DiscoveryError: there is no change feed.
            InvalidRequestError: the selector is malformed.
        """
        failures = 0
        while True:
            try:
                if not self._follower.is_following:
                    await self.catch_up()
                failures = 0 if await self._stream() else failures + 1
            except RETRIED as error:
                failures += 1
                log.info("will try again", extra={"error": str(error), "failures": failures})
            pause_s = PAUSES.pause_s(failures + 1, 0.0, None, self._between)
            await self._sleep(pause_s)

    def _between(self, low: float, high: float) -> float:
        return low + self._draw() * (high - low)

    async def _stream(self) -> bool:
        """Take answers for as long as they lead on; return whether any did."""
        request = self._follower.request()
        if not isinstance(request, ChangesRequest):
            return False
        self.calls += 1
        led_on = False
        async with aclosing(self._source.follow(request)) as answers:
            async for answer in answers:
                async with self._turn:
                    if not self._follower.expects(answer):
                        # Somebody else has caught up meanwhile.
                        return led_on
                    step = self._follower.receive(self._follower.request(), answer)
                    await self._take(step)
                if step.reason is not None or step.suspicion is not None:
                    return False
                led_on = True
        return led_on

    async def _ask(self, request: Request) -> Reply:
        self.calls += 1
        if isinstance(request, DigestRequest):
            return await self._source.digest(request)
        return await self._source.changes(request)

    async def _take(self, step: Step) -> None:
        if step.reason is not None:
            log.info("what is held is in doubt", extra={"reason": step.reason})
        if step.suspicion is not None:
            log.warning("an answer was not believed", extra={"suspicion": step.suspicion})
        if step.done and step.suspicion is None:
            await self._noted(step.before)
        if step.spread_s:
            # No registry asks for more; one that does, or for no number at all, is not obeyed.
            await self._sleep(self._draw() * max(0.0, min(MAX_SPREAD_S, step.spread_s)))

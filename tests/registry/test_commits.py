"""Changes whose transaction fails, or is said to have failed."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from tests.http.client import VirtualClock
from tests.registry.test_following import OFFER, declare, on_two, two

from meshaccel import AgentRegistry, DatabaseError, Signal


def test_a_commit_that_was_reported_as_failed(tmp_path: Path) -> None:
    """What is in the database counts, whatever the error said."""

    async def test(here: AgentRegistry, there: AgentRegistry) -> None:
        write = here._database.write

        async def reported(work: Any) -> Any:
            await write(work)
            # Other looks may go past it before that is known.
            here._follower.look()
            raise DatabaseError("disk I/O error")

        async def failing(change: Coroutine[Any, Any, object]) -> None:
            here._database.write = reported  # type: ignore[method-assign]
            with pytest.raises(DatabaseError, match="disk"):
                await change
            here._database.write = write  # type: ignore[method-assign]
            here._follower.look()

        await failing(here.register(declare("p", OFFER)))
        assert await here.heartbeat("p") is Signal.CHANGED
        assert [one.id for one in (await here.list_agents()).agents] == ["p"]
        await failing(here.unregister("p"))
        assert await here.heartbeat("p") is Signal.UNKNOWN
        assert (await here.get_agent("p")).status == "unhealthy"
        await here.register(declare("p", OFFER))
        assert await there.heartbeat("p") is not Signal.UNKNOWN

    on_two(tmp_path, test)


def test_nobody_waits_for_a_farewell_that_fails(tmp_path: Path) -> None:
    """Who did not leave is still there, and silent one day."""
    clock = VirtualClock()

    async def run() -> None:
        async with two(tmp_path / "r.db", clock=clock) as (here, _):
            await here.register(declare("p", OFFER))
            write = here._database.write
            begun, fail = asyncio.Event(), asyncio.Event()

            async def failing(_: object) -> Any:
                begun.set()
                await fail.wait()
                raise DatabaseError("database is locked")

            here._database.write = failing  # type: ignore[method-assign, assignment]
            farewell = asyncio.create_task(here.unregister("p"))
            await begun.wait()
            farewell.cancel()
            await asyncio.wait([farewell])
            fail.set()
            await here._commits.settle()
            here._database.write = write  # type: ignore[method-assign]
            assert (await here.get_agent("p")).status == "healthy"
            assert await here.heartbeat("p") is not Signal.UNKNOWN
            clock.seconds += 60
            assert await here._liveness.expire() == 1

    asyncio.run(run())


def test_an_agent_that_goes_back_to_what_it_was(tmp_path: Path) -> None:
    """The last thing that it says counts, though what it said before is not written yet."""

    async def test(here: AgentRegistry, _: AgentRegistry) -> None:
        await here.register(declare("p", OFFER, port=1), body_digest=b"first")
        write = here._database.write
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slow(work: Any) -> Any:
            begun.set()
            await go_on.wait()
            return await write(work)

        here._database.write = slow  # type: ignore[method-assign]
        second = asyncio.create_task(
            here.register(declare("p", OFFER, port=2), body_digest=b"second")
        )
        await begun.wait()
        again = await here.register_again(b"first")
        third = asyncio.create_task(
            here.register(declare("p", OFFER, port=1), body_digest=b"first")
        )
        go_on.set()
        await asyncio.gather(second, third)
        here._database.write = write  # type: ignore[method-assign]
        assert again is None
        assert (await here.get_agent("p")).record.http_port == 1
        assert await here.register_again(b"second") is None
        assert await here.register_again(b"first") is not None

    on_two(tmp_path, test)

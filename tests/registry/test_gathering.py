"""Small reads made together: when, for whom, and what becomes of them."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from meshaccel.registry.gathering import MAX_KEYS, Gathering


class Source:
    """Returns keys in capitals, when it is let; knows which keys were read together."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.gate = asyncio.Event()
        self.error: Exception | None = None

    async def read(self, keys: Sequence[str]) -> dict[str, str]:
        """Read a batch. An error is raised once."""
        self.batches.append(list(keys))
        await self.gate.wait()
        error, self.error = self.error, None
        if error is not None:
            raise error
        return {key: key.upper() for key in keys}


async def idle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def asynchronous(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    return lambda: asyncio.run(asyncio.wait_for(test(), 120))


@asynchronous
async def test_what_is_asked_for_during_a_read_is_the_next_one() -> None:
    """Also the key that is being read: it may have changed meanwhile."""
    source = Source()
    gathering = Gathering(source.read)
    first = [asyncio.create_task(gathering.read([key])) for key in "ab"]
    await idle()
    assert source.batches == [["a", "b"]]
    second = [asyncio.create_task(gathering.read(list(keys))) for keys in ("b", "cd", "dc")]
    await idle()
    assert len(source.batches) == 1
    source.gate.set()
    assert (await first[1])["b"] == "B"
    assert [(await task).get("d") for task in second] == ["D"] * 3
    assert source.batches[1:] == [["b", "c", "d"]]


@asynchronous
async def test_failed_read_fails_for_its_batch_only() -> None:
    source = Source()
    gathering = Gathering(source.read)
    source.error = OSError("away")
    first = [asyncio.create_task(gathering.read([key])) for key in "ab"]
    await idle()
    second = asyncio.create_task(gathering.read(["c"]))
    source.gate.set()
    for task in first:
        with pytest.raises(OSError, match="away"):
            await task
    assert await second == {"c": "C"}


@asynchronous
async def test_nobody_is_cancelled_with_another() -> None:
    source = Source()
    gathering = Gathering(source.read)
    first, second, third = (asyncio.create_task(gathering.read([key])) for key in "abc")
    await idle()
    first.cancel()
    third.cancel()
    await asyncio.wait([first, third])
    source.gate.set()
    assert (await second)["b"] == "B"
    assert source.batches == [["a", "b", "c"]]


@asynchronous
async def test_batches_are_bounded() -> None:
    source = Source()
    source.gate.set()
    gathering = Gathering(source.read)
    tasks = [asyncio.create_task(gathering.read([str(n)])) for n in range(2 * MAX_KEYS + 1)]
    assert [str(n) in await task for n, task in enumerate(tasks)] == [True] * len(tasks)
    assert [len(batch) for batch in source.batches] == [MAX_KEYS, MAX_KEYS, 1]

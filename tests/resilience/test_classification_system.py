"""Errors of the operating system, asyncio, Python and meshaccel; chains, groups, extensions."""

import asyncio
import concurrent.futures
import errno
import os
import socket
import sqlite3
import ssl
from contextlib import closing, suppress
from pathlib import Path

import pytest
from tests.resilience.classification_support import (
    CONNECTION,
    STATEMENT,
    TRANSACTION,
    A,
    Expected,
    P,
    T,
    X,
    check,
    raised_by,
    raised_by_awaiting,
)

from meshaccel.errors import (
    AttemptTimeoutError,
    BulkheadFullError,
    CircuitOpenError,
    ConnectionPoolExhausted,
    DatabaseError,
    DatabaseReplacedError,
    DeadlineExceededError,
    IncompatibleDatabaseError,
    InvalidRequestError,
    PolicyError,
    PoolClosedError,
    PoolMisuseError,
    UnknownAgentError,
)
from meshaccel.resilience.classification import DEFAULT_CLASSIFIER, Cause, Classifier, Codes, Rule
from meshaccel.resilience.verdicts import Classification
from meshaccel.shape import Shape


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("EAGAIN", (T, STATEMENT, None)),
        ("EINTR", T),
        ("EBUSY", T),
        ("ETXTBSY", T),
        ("EDEADLK", (T, TRANSACTION, None)),
        ("ENOLCK", T),
        ("ECONNREFUSED", (T, CONNECTION, "breaker")),
        ("ENETUNREACH", (T, CONNECTION, "breaker")),
        ("EHOSTUNREACH", (T, CONNECTION, "breaker")),
        ("ECONNRESET", (A, CONNECTION, "breaker")),
        ("ECONNABORTED", (A, CONNECTION, "breaker")),
        ("EPIPE", (A, CONNECTION, "breaker")),
        ("ETIMEDOUT", (A, CONNECTION, "breaker")),
        ("EMFILE", (T, STATEMENT, "bulkhead")),
        ("ENFILE", (T, STATEMENT, "bulkhead")),
        ("ESTALE", (T, CONNECTION, None)),
        ("EIO", (T, CONNECTION, "breaker")),
        ("ENOSPC", P),
        ("EDQUOT", P),
        ("EROFS", P),
        ("ENOENT", P),
        ("EACCES", P),
        ("EINVAL", P),
    ],
)
def test_error_numbers(name: str, expected: Expected) -> None:
    check(OSError(getattr(errno, name), name), expected)


def test_raised_by_the_system(tmp_path: Path) -> None:
    check(raised_by((tmp_path / "nothing").read_text), P)
    check(raised_by(tmp_path.read_text), P)
    check(raised_by(lambda: os.kill(2**22 + 1, 0)), P)
    refused = raised_by(lambda: socket.create_connection(("127.0.0.1", 1)))
    check(refused, (T, CONNECTION, "breaker"))
    check(raised_by(lambda: socket.getaddrinfo("localhost", "no such service")), P)
    with suppress(FileNotFoundError):
        full = os.open("/dev/full", os.O_WRONLY)
        check(raised_by(lambda: os.write(full, b"x")), P)
        os.close(full)
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    check(raised_by(lambda: os.read(reader, 1)), (T, STATEMENT, None))
    os.close(reader)
    check(raised_by(lambda: os.write(writer, b"x")), (A, CONNECTION, "breaker"))
    os.close(writer)


def test_raised_by_sockets() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        with socket.create_connection(address) as client:
            peer, _ = listener.accept()
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            peer.close()
            check(raised_by(lambda: client.recv(1)), (A, CONNECTION, "breaker"))
        with socket.create_connection(address, timeout=0.01) as client:
            check(raised_by(lambda: client.recv(1)), (A, STATEMENT, "breaker"))


def test_raised_by_asyncio() -> None:
    async def run() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        # Two addresses, neither of which answers: an error without a number.
        nowhere = asyncio.open_connection("localhost", port)
        check(await raised_by_awaiting(nowhere), (T, CONNECTION, "breaker"))
        check(OSError("Multiple exceptions: [Errno 111], [Errno 111]"), (T, CONNECTION))
        late = asyncio.wait_for(asyncio.Event().wait(), 0.001)
        check(await raised_by_awaiting(late), (A, STATEMENT, "breaker"))
        reader = asyncio.StreamReader()
        reader.feed_data(b"half")
        reader.feed_eof()
        check(await raised_by_awaiting(reader.readexactly(9)), (A, CONNECTION))
        queue: asyncio.Queue[int] = asyncio.Queue(1)
        check(raised_by(queue.get_nowait), P)
        queue.put_nowait(1)
        check(raised_by(lambda: queue.put_nowait(2)), (T, STATEMENT, "bulkhead"))
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        check(raised_by(future.result), P)
        future.cancel()
        with pytest.raises(asyncio.CancelledError) as cancelled:
            await future
        check(cancelled.value, X)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionRefusedError(), (T, CONNECTION, "breaker")),
        (ConnectionResetError("Connection lost"), (A, CONNECTION, "breaker")),
        (BrokenPipeError(), (A, CONNECTION, "breaker")),
        (TimeoutError(), (A, STATEMENT, "breaker")),
        (socket.gaierror(socket.EAI_AGAIN, "later"), (T, CONNECTION, "breaker")),
        (socket.gaierror(socket.EAI_NONAME, "never"), P),
        (ssl.SSLCertVerificationError(1, "not yours"), P),
        (ssl.SSLEOFError(8, "EOF"), (A, CONNECTION, "breaker")),
        (KeyboardInterrupt(), X),
        (SystemExit(), X),
        (GeneratorExit(), X),
        (concurrent.futures.CancelledError(), X),
        (BaseException(), X),
        (ValueError(), P),
        (MemoryError(), P),
        (ConnectionPoolExhausted("full"), (T, STATEMENT, "bulkhead")),
        (PoolClosedError("closed"), P),
        (PoolMisuseError("misuse"), P),
        (DatabaseError("lost"), (T, CONNECTION, "breaker")),
        (DatabaseReplacedError("another file"), P),
        (IncompatibleDatabaseError("newer"), P),
        (InvalidRequestError("no"), P),
        (UnknownAgentError("who"), P),
        (PolicyError("no"), P),
        (CircuitOpenError("open", 3.0), (T, STATEMENT, None)),
        (BulkheadFullError("full"), (T, STATEMENT, "bulkhead")),
        (AttemptTimeoutError("late"), (A, STATEMENT, "breaker")),
        (DeadlineExceededError("over"), X),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_constructed(error: BaseException, expected: Expected) -> None:
    check(error, expected)


def test_an_open_circuit_says_when_to_come_back() -> None:
    assert DEFAULT_CLASSIFIER.classify(CircuitOpenError("open", 3.0)).retry_after_s == 3.0


def test_errors_of_the_grouper() -> None:
    check(raised_by(lambda: Shape("t", key="id", columns=1)), P)  # type: ignore[arg-type]


def locked() -> sqlite3.OperationalError:
    """Somebody else writes."""
    with (
        closing(sqlite3.connect("file:c?mode=memory&cache=shared", uri=True)) as one,
        closing(sqlite3.connect("file:c?mode=memory&cache=shared", uri=True)) as other,
    ):
        one.execute("CREATE TABLE t (x)")
        one.execute("INSERT INTO t VALUES (1)")
        error = raised_by(lambda: other.execute("SELECT * FROM t"))
    assert isinstance(error, sqlite3.OperationalError)
    return error


class ToolError(Exception):
    """What a framework wraps whatever a tool raises in."""


def wrapped(wrapper: Exception, cause: BaseException) -> Exception:
    """Raise one error from another."""

    def call() -> None:
        raise wrapper from cause

    return raised_by(call)


def test_wrappers_mean_what_they_wrap() -> None:
    check(wrapped(ToolError(), locked()), (T, TRANSACTION, None))
    check(wrapped(ToolError(), wrapped(RuntimeError(), locked())), (T, TRANSACTION, None))
    check(wrapped(ToolError(), asyncio.CancelledError()), X)
    check(wrapped(ToolError(), ValueError()), P)
    check(ToolError(), P)

    def implicitly() -> None:
        try:
            raise locked()
        except sqlite3.OperationalError:
            raise ToolError  # noqa: B904 - its context is what is asked for

    check(raised_by(implicitly), (T, TRANSACTION, None))


def test_ours_say_less_than_their_cause() -> None:
    check(wrapped(DatabaseError("busy"), locked()), (T, TRANSACTION, None))
    full = sqlite3.OperationalError("full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    check(wrapped(DatabaseError("full"), full), P)
    check(wrapped(DatabaseError("?"), ToolError()), (T, CONNECTION, "breaker"))
    check(wrapped(DatabaseReplacedError("another file"), locked()), P)


def test_mistakes_are_no_wrappers() -> None:
    for mistake in (KeyError(), TypeError(), AttributeError(), AssertionError(), NameError()):
        check(wrapped(mistake, locked()), P)


def test_chains_may_be_long_or_round() -> None:
    error: Exception = locked()
    for _ in range(20):
        error = wrapped(ToolError(), error)
    check(error, (T, TRANSACTION, None))
    for _ in range(5000):
        error = wrapped(ToolError(), error)
    check(error, P)
    one, other = ToolError(), ToolError()
    one.__cause__, other.__cause__ = other, one
    check(one, P)


def test_of_a_group_the_worst_counts() -> None:
    check(ExceptionGroup("", [locked(), ConnectionRefusedError()]), (T, CONNECTION))
    check(ExceptionGroup("", [locked(), ConnectionResetError()]), (A, CONNECTION))
    check(ExceptionGroup("", [locked(), KeyError()]), P)
    check(ExceptionGroup("", [locked(), ToolError()]), P)
    check(BaseExceptionGroup("", [locked(), KeyboardInterrupt()]), X)
    check(ExceptionGroup("", [ExceptionGroup("", [locked()])]), (T, TRANSACTION))
    check(wrapped(ToolError(), ExceptionGroup("", [locked()])), (T, TRANSACTION))


class Throttled(Exception):  # noqa: N818 - what happened
    """An error of an application."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


AGAIN = Classification(T, base_delay_s=2.0)
STOP = Classification(P)


def test_a_user_adds_rules() -> None:
    codes = Codes(lambda exc: [exc.code] if isinstance(exc, Throttled) else [], {7: AGAIN})
    by_class = DEFAULT_CLASSIFIER.extended(Rule(Throttled, STOP, codes=codes))
    assert by_class.classify(Throttled(7)) is AGAIN
    assert by_class.classify(Throttled(8)) is STOP
    by_name = DEFAULT_CLASSIFIER.extended(Rule(f"{__name__}.Throttled", AGAIN))
    assert by_name.classify(Throttled(1)) is AGAIN

    class Derived(Throttled):
        pass

    assert by_class.classify(Derived(7)) is AGAIN
    check(Throttled(7), P)  # the classifier that was extended has not changed


def test_a_user_overrules_one_code() -> None:
    """Where somebody makes room on the disk, a full one is worth another attempt."""

    def code(exc: BaseException) -> list[int]:
        return [getattr(exc, "sqlite_errorcode", 0)]

    patient = DEFAULT_CLASSIFIER.extended(
        Rule("sqlite3.OperationalError", codes=Codes(code, {sqlite3.SQLITE_FULL: AGAIN}))
    )
    full = sqlite3.OperationalError("full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    assert patient.classify(full) is AGAIN
    assert patient.classify(locked()) == DEFAULT_CLASSIFIER.classify(locked())


@pytest.mark.parametrize(
    ("cause", "of_locked", "of_full"),
    [(Cause.IGNORED, A, A), (Cause.IF_PERMANENT, A, P), (Cause.FIRST, T, P)],
)
def test_which_causes_are_heard(cause: Cause, of_locked: Expected, of_full: Expected) -> None:
    classifier = DEFAULT_CLASSIFIER.extended(Rule(Throttled, Classification(A), cause=cause))
    full = sqlite3.OperationalError("full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    assert classifier.classify(wrapped(Throttled(1), locked())).verdict is of_locked
    assert classifier.classify(wrapped(Throttled(1), full)).verdict is of_full
    assert classifier.classify(Throttled(1)).verdict is A


def test_a_classifier_without_rules_gives_up() -> None:
    assert Classifier().classify(locked()).verdict is P
    assert Classifier().classify(KeyboardInterrupt()).verdict is X


class Spiteful(Exception):  # noqa: N818 - what it is
    """It cannot be asked anything."""

    def __str__(self) -> str:
        raise RuntimeError

    def __eq__(self, _: object) -> bool:
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise RuntimeError


@pytest.mark.parametrize("base", [sqlite3.OperationalError, OSError, ConnectionError, Exception])
def test_it_does_not_raise(base: type[Exception]) -> None:
    spiteful = type("Hostile", (Spiteful, base), {})
    for argument in (None, object(), b"\xff", 7):
        DEFAULT_CLASSIFIER.classify(spiteful(argument))
        DEFAULT_CLASSIFIER.classify(wrapped(ToolError(), spiteful(argument)))

"""The operating system, asyncio, and Python itself.

``OSError`` is a connection refused as much as a file that is not there: the error number tells
(POSIX ``errno.h``). A time-out is ambiguous, since the work may have been done; whose deadline it
was, the caller's or that of one attempt, only the caller knows.
"""

import errno
import socket
from collections.abc import Iterator

from meshaccel.resilience.classify.rules import (
    LOST,
    NEVER,
    PERMANENT,
    REOPEN_ONCE,
    SATURATED,
    SLOW_S,
    TIMED_OUT,
    TRANSACTION,
    UNREACHABLE,
    Cause,
    Code,
    Codes,
    Rule,
    again,
    permanent,
)
from meshaccel.resilience.verdicts import Classification, Unit

_EXHAUSTED = again(base_delay_s=SLOW_S, feeds="bulkhead")
_SEVERAL_ADDRESSES = "Multiple exceptions: "
"""How asyncio begins if it could connect to none of a host's addresses; no number is given."""

_BY_NAME = {
    again(): ("EAGAIN", "EWOULDBLOCK", "EINTR", "EBUSY", "ETXTBSY", "ENOLCK"),
    TRANSACTION: ("EDEADLK",),
    UNREACHABLE: ("ECONNREFUSED", "EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN", "ENETUNREACH"),
    LOST: (
        "ECONNABORTED",
        "ECONNRESET",
        "ENETRESET",
        "ENOTCONN",
        "EPIPE",
        "ESHUTDOWN",
        "ETIMEDOUT",
    ),
    _EXHAUSTED: ("EADDRNOTAVAIL", "EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"),
    again(Unit.CONNECTION, max_attempts=2): ("ESTALE",),
    REOPEN_ONCE: ("EIO",),
    PERMANENT: ("EDQUOT", "ENOSPC", "EROFS"),
}

ERRNOS: dict[Code, Classification] = {
    getattr(errno, name): means
    for means, names in _BY_NAME.items()
    for name in names
    if hasattr(errno, name)  # not every system has them all
}
"""Error numbers; one that is not listed is permanent."""

RESOLVER: dict[Code, Classification] = {socket.EAI_AGAIN: UNREACHABLE}


def _errno(exc: BaseException) -> Iterator[Code]:
    if isinstance(exc, OSError):
        if exc.errno is not None:
            yield exc.errno
        elif exc.args and str(exc.args[0]).startswith(_SEVERAL_ADDRESSES):
            yield errno.ECONNREFUSED


RULES = (
    Rule("builtins.OSError", PERMANENT, codes=Codes(_errno, ERRNOS), cause=Cause.FIRST),
    # Raised without a number too.
    Rule("builtins.BlockingIOError", again()),
    Rule("builtins.InterruptedError", again()),
    Rule("builtins.ConnectionError", LOST, codes=Codes(_errno, ERRNOS)),
    Rule("builtins.ConnectionRefusedError", UNREACHABLE),
    Rule("builtins.TimeoutError", TIMED_OUT, codes=Codes(_errno, ERRNOS)),
    # Their numbers are from other tables than those of other errors of the system.
    Rule("socket.gaierror", PERMANENT, codes=Codes(_errno, RESOLVER)),
    *permanent("socket.herror", "ssl.SSLError", "ssl.SSLCertVerificationError"),
    Rule("ssl.SSLEOFError", LOST),
    Rule("ssl.SSLZeroReturnError", LOST),
    Rule("ssl.SSLSyscallError", LOST),
    Rule("asyncio.exceptions.IncompleteReadError", LOST),
    Rule("asyncio.queues.QueueFull", SATURATED),
    *permanent(
        "asyncio.exceptions.BrokenBarrierError",
        "asyncio.exceptions.InvalidStateError",
        "asyncio.exceptions.LimitOverrunError",
        "asyncio.exceptions.SendfileNotAvailableError",
        "asyncio.queues.QueueEmpty",
        "asyncio.queues.QueueShutDown",
    ),
    # A mistake in a program is no wrapper, whatever was being handled when it came to light.
    *permanent(
        "builtins.ArithmeticError",
        "builtins.AssertionError",
        "builtins.AttributeError",
        "builtins.ImportError",
        "builtins.LookupError",
        "builtins.MemoryError",
        "builtins.NameError",
        "builtins.NotImplementedError",
        "builtins.RecursionError",
        "builtins.SyntaxError",
        "builtins.TypeError",
    ),
    # Whoever raises these means more than the call.
    *(
        Rule(name, NEVER)
        for name in (
            "asyncio.exceptions.CancelledError",
            "concurrent.futures._base.CancelledError",
            "builtins.GeneratorExit",
            "builtins.KeyboardInterrupt",
            "builtins.SystemExit",
            "builtins.StopAsyncIteration",
            "builtins.StopIteration",
        )
    ),
)

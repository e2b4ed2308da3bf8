"""What classification tests share."""

from collections.abc import Awaitable, Callable

from meshaccel.resilience.classification import DEFAULT_CLASSIFIER
from meshaccel.resilience.verdicts import Unit, Verdict

T, P, A, X = Verdict.TRANSIENT, Verdict.PERMANENT, Verdict.AMBIGUOUS, Verdict.NEVER
STATEMENT, TRANSACTION, CONNECTION = Unit.STATEMENT, Unit.TRANSACTION, Unit.CONNECTION

Expected = Verdict | tuple[Verdict, Unit] | tuple[Verdict, Unit, str | None]
"""A verdict; with the unit; and with what it feeds. A permanent error has the least unit."""


def raised_by(call: Callable[[], object]) -> Exception:
    """Return the exception that a call raises."""
    try:
        call()
    except Exception as error:  # noqa: BLE001 - which one is what is asked
        return error
    raise AssertionError("nothing was raised")


async def raised_by_awaiting(awaitable: Awaitable[object]) -> Exception:
    """Return the exception that an awaitable raises."""
    try:
        await awaitable
    except Exception as error:  # noqa: BLE001 - which one is what is asked
        return error
    raise AssertionError("nothing was raised")


def check(error: BaseException, expected: Expected) -> None:
    """Compare what an error means to what is expected."""
    means = DEFAULT_CLASSIFIER.classify(error)
    got = (means.verdict, means.unit, means.feeds)
    wanted = expected if isinstance(expected, tuple) else (expected,)
    assert got[: len(wanted)] == wanted, f"{type(error)}: {error}: {means}"

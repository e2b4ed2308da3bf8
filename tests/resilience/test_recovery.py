"""Goal of the retries: the faults of every day are recovered from, within ten seconds."""

from statistics import median

import pytest
from tests.resilience.recovery_model import FAULTS, Attempt, MakeRun, Run, recover

from meshaccel.resilience import ErrorHandlingMiddleware, RetryPolicy
from meshaccel.resilience.testing import VirtualTime

OPERATIONS = 3000


def persistent(deadline_s: float) -> MakeRun:
    """The middleware with its usual pauses, and so much time."""

    def make_run(time: VirtualTime) -> Run:
        errors = ErrorHandlingMiddleware(
            clock=time.clock, sleep_sync=time.sleep_sync, uniform=time.uniform
        )
        errors.policy("work", RetryPolicy(deadline_s=deadline_s, idempotent=True))
        return lambda attempt: errors.run_sync("work", attempt)

    return make_run


def three_attempts(time: VirtualTime) -> Run:
    """The control: a loop of three, a tenth of a second apart."""

    def run(attempt: Attempt) -> None:
        for _ in range(2):
            try:
                attempt()
            except Exception:  # noqa: BLE001 - it tries again whatever it was
                time.sleep_sync(0.1)
            else:
                return
        attempt()

    return run


@pytest.mark.parametrize("fault", [name for name in FAULTS if name != "outage of 10 s"])
def test_ten_seconds_are_enough(fault: str) -> None:
    recovered = recover(persistent(10.0), FAULTS[fault], OPERATIONS)
    assert recovered.share >= 0.995
    # And a blip does not cost a second.
    assert median(recovered.first_pauses_s) <= 0.05


def test_an_outage_takes_more_time() -> None:
    """Of which some are as long as one likes: for these there is the parking breaker."""
    assert 0.55 <= recover(persistent(10.0), FAULTS["outage of 10 s"], 1000).share <= 0.70
    assert recover(persistent(30.0), FAULTS["outage of 10 s"], 1000).share >= 0.92


@pytest.mark.parametrize(
    ("fault", "most"),
    [
        ("blips of 0.3", 0.93),
        ("blips of 0.5", 0.78),
        ("failover of 1-5 s", 0.15),
        ("restart of 5-9 s", 0.06),
        ("outage of 10 s", 0.04),
    ],
)
def test_three_attempts_are_not(fault: str, most: float) -> None:
    assert recover(three_attempts, FAULTS[fault], OPERATIONS).share <= most

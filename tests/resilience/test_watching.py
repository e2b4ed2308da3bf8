"""What is counted, logged and scraped, and how users test without waiting."""

import asyncio
import logging
import subprocess
import sys

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from tests.resilience.conftest import Form
from tests.resilience.support import Busy, Script, Told, Wrong, middleware

from meshaccel.resilience import (
    Bulkhead,
    CircuitBreaker,
    Classification,
    ErrorHandlingMiddleware,
    RetryBudget,
    RetryPolicy,
)
from meshaccel.resilience.prometheus import MiddlewareCollector
from meshaccel.resilience.testing import VirtualTime, without_waiting


def test_the_recovery_rate(time: VirtualTime) -> None:
    """Of those that another attempt could save; answers and successes do not count."""
    errors = middleware(time, RetryPolicy(attempts=2))
    for script in (Script(), Script(Busy()), Script(Busy()), Script(Busy())):
        errors.run_sync("op", script)
    for script in (Script(Busy(), Busy()), Script(Wrong())):
        with pytest.raises((Busy, Wrong)):
            errors.run_sync("op", script)
    stats = errors.stats()["op"]
    assert stats.recovery_rate == 0.75
    assert (stats.calls, stats.failed, stats.recovered, stats.unrecovered) == (6, 2, 3, 1)


def test_cancellations_are_neither_recovered_nor_lost(time: VirtualTime) -> None:
    errors = middleware(time)

    async def block() -> None:
        script = Script(Busy(), asyncio.CancelledError())
        async for attempt in errors.attempts("op"):
            async with attempt:
                script()

    async def main() -> None:
        with pytest.raises(asyncio.CancelledError):
            await block()

    asyncio.run(main())
    stats = errors.stats()["op"]
    assert (stats.attempts_failed, stats.recovered, stats.unrecovered) == (1, 0, 0)


def test_each_retry_is_logged_with_its_facts(
    time: VirtualTime, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "meshaccel.resilience")
    errors = middleware(time, RetryPolicy(attempts=2))
    with pytest.raises(Told):
        errors.run_sync("op", Script(Told(0.5), Told(0.5)))
    again, end = [vars(record) for record in caplog.records]
    assert (again["levelname"], again["msg"] % again["args"]) == ("INFO", "op: trying again")
    assert (again["operation"], again["attempt"], again["pause_s"]) == ("op", 1, 0.5)
    assert (again["verdict"], "Told" in again["error"]) == ("transient", True)
    assert (end["levelname"], end["reason"]) == ("WARNING", "after 2 attempts")


def test_a_success_logs_nothing(time: VirtualTime, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "meshaccel.resilience")
    middleware(time).run_sync("op", Script())
    assert caplog.records == []


def test_prometheus_reads_all_figures(time: VirtualTime) -> None:
    errors = middleware(time)
    errors.policy(
        "armed",
        RetryPolicy(),
        breaker=CircuitBreaker(clock=time.clock),
        bulkhead=Bulkhead(3),
        budget=RetryBudget(capacity=5, clock=time.clock),
    )
    errors.run_sync("armed", Script(Busy()))
    errors.run_sync("plain", Script())
    registry = CollectorRegistry()
    registry.register(MiddlewareCollector(errors))
    text = generate_latest(registry).decode()
    for line in (
        'meshaccel_resilience_calls_total{operation="armed"} 1.0',
        'meshaccel_resilience_retries_total{operation="armed"} 1.0',
        'meshaccel_resilience_retries_total{operation="plain"} 0.0',
        'meshaccel_resilience_recovery_rate{operation="armed"} 1.0',
        'meshaccel_resilience_in_use{operation="armed"} 0.0',
        'meshaccel_resilience_budget{operation="armed"} 4.0',
        'meshaccel_resilience_breaker_state{operation="armed",state="closed"} 1.0',
        'meshaccel_resilience_breaker_state{operation="armed",state="open"} 0.0',
    ):
        assert line in text, text
    assert 'recovery_rate{operation="plain"}' not in text
    assert text.count("# HELP") == 20


def test_prometheus_needs_no_docstrings() -> None:
    """Which ``python -OO`` takes away."""
    script = """
from meshaccel.resilience import ErrorHandlingMiddleware
from meshaccel.resilience.prometheus import MiddlewareCollector
errors = ErrorHandlingMiddleware()
errors.run_sync("op", int)
print(sum(1 for _ in MiddlewareCollector(errors).collect()))
"""
    command = [sys.executable, "-OO", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("20\n", "")


def test_figures_are_read_while_operations_are_added() -> None:
    """As threads do: a look at one operation may come before the first call of another."""
    errors = ErrorHandlingMiddleware()

    class Budget(RetryBudget):
        @property
        def balance(self) -> float:
            errors.run_sync("new", int)
            return 1.0

    errors.policy("op", RetryPolicy(), budget=Budget())
    assert list(errors.stats()) == ["op"]
    assert list(errors.stats()) == ["op", "new"]


def test_users_test_without_waiting() -> None:
    """A middleware with real time is lent virtual time, and has its own again afterwards."""
    errors = ErrorHandlingMiddleware()
    before = errors.environment.clock
    with without_waiting(errors) as time:
        errors.run_sync("op", Script(ConnectionRefusedError()))
        script = Script(*(ConnectionRefusedError() for _ in range(3)))

        async def work() -> None:
            script()

        asyncio.run(errors.run("op", work))
    assert len(time.pauses) >= 3
    assert time.now == pytest.approx(sum(time.pauses))
    assert errors.environment.clock is before
    with without_waiting(errors) as again:
        errors.run_sync("op", Script(ConnectionRefusedError()))
    assert len(again.pauses) == 1


def test_a_classifier_that_fails_hides_nothing(
    time: VirtualTime, form: Form, caplog: pytest.LogCaptureFixture
) -> None:
    """Its mistake is logged; the error is raised, and nothing of the gates is kept."""

    class Broken:
        def classify(self, exc: BaseException, /) -> Classification:
            raise ZeroDivisionError from exc

    errors = ErrorHandlingMiddleware(classifier=Broken(), clock=time.clock)
    bulkhead = Bulkhead(1)
    errors.policy("op", RetryPolicy(), bulkhead=bulkhead)
    with pytest.raises(Busy):
        form(errors, "op", Script(Busy()))
    assert bulkhead.in_use == 0
    assert "the classifier fails on Busy" in caplog.text
    assert "ZeroDivisionError" in caplog.text

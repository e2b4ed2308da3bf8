"""Goal of the parking breaker: what waits out an outage recovers, and does not prolong it."""

import asyncio
import random
from collections.abc import Callable
from functools import partial

import pytest
from tests.resilience.outage_model import (
    OUTAGE_S,
    QUIET_S,
    REPAIRED,
    Call,
    Client,
    MakeClient,
    Refused,
    simulate,
)

from meshaccel.resilience import ErrorHandlingMiddleware, RetryPolicy
from meshaccel.resilience.breaker import Permit
from meshaccel.resilience.parking import ParkingBreaker

DEADLINE_S = 30.0


def parking(chance: random.Random, clock: Callable[[], float]) -> Client:
    """Wait at a breaker; between attempts, full jitter."""
    breaker = ParkingBreaker(clock=clock, uniform=chance.uniform)

    async def client(call: Call) -> None:
        deadline = clock() + DEADLINE_S
        pause_s = 0.05
        while True:
            permit: Permit = breaker
            if not breaker.try_enter():
                permit = await breaker.enter(deadline)
            began = clock()
            try:
                await call()
            except Refused:
                permit.failure()
            else:
                permit.success(clock() - began)
                return
            await asyncio.sleep(chance.uniform(0, pause_s))
            pause_s = min(2 * pause_s, 2.0)

    return client


def through_the_middleware(chance: random.Random, clock: Callable[[], float]) -> Client:
    """The same by means of the middleware, as a user would."""
    errors = ErrorHandlingMiddleware(clock=clock, uniform=chance.uniform)
    errors.policy(
        "call",
        RetryPolicy(deadline_s=DEADLINE_S, idempotent=True),
        breaker=ParkingBreaker(clock=clock, uniform=chance.uniform),
    )
    return partial(errors.run, "call")


def naive(chance: random.Random, clock: Callable[[], float]) -> Client:
    """Try again until the deadline, with full jitter, whatever the others do."""

    async def client(call: Call) -> None:
        deadline = clock() + DEADLINE_S
        pause_s = 0.05
        while True:
            try:
                await call()
            except Refused:
                pause = chance.uniform(0, pause_s)
                if clock() + pause > deadline:
                    raise
                await asyncio.sleep(pause)
                pause_s = min(2 * pause_s, 2.0)
            else:
                return

    return client


def fail_fast(chance: random.Random, clock: Callable[[], float]) -> Client:
    """After five failures in a row fail for a second, then probe; three attempts."""
    failures = 0
    until = 0.0

    async def attempt(call: Call) -> None:
        nonlocal failures, until
        if clock() < until:
            raise Refused
        if failures >= 5:
            until = clock() + 1.0  # this is the probe; the others fail meanwhile
        try:
            await call()
        except Refused:
            failures += 1
            if failures >= 5:
                until = clock() + 1.0
            raise
        failures, until = 0, 0.0

    async def client(call: Call) -> None:
        for pause_s in (0.1, 0.2):
            try:
                await attempt(call)
            except Refused:
                await asyncio.sleep(chance.uniform(0, pause_s))
            else:
                return
        await attempt(call)

    return client


@pytest.mark.parametrize(
    ("make_client", "seed"),
    [(parking, 1), (parking, 2), (parking, 3), (through_the_middleware, 1)],
)
def test_parking_outlives_an_outage(make_client: MakeClient, seed: int) -> None:
    outcome = simulate(make_client, seed, after_s=25.0)
    assert outcome.load(QUIET_S, REPAIRED) <= 0.2
    assert outcome.worst_load(REPAIRED, REPAIRED + 25) <= 1.6
    assert outcome.succeeded(QUIET_S, REPAIRED) >= 0.99
    assert outcome.succeeded(REPAIRED, REPAIRED + 3) >= 0.99
    assert outcome.succeeded(REPAIRED + 3, REPAIRED + 25) >= 0.99
    assert outcome.median_s(REPAIRED, REPAIRED + OUTAGE_S) <= 0.25


def test_failing_fast_loses_the_calls() -> None:
    """The control: no load, but nothing that was called during the outage recovers."""
    outcome = simulate(fail_fast, 1, after_s=10.0, scale=10)
    assert outcome.load(QUIET_S, REPAIRED) <= 0.2
    assert outcome.succeeded(QUIET_S, REPAIRED) <= 0.1


def test_trying_again_makes_the_outage_permanent() -> None:
    """The control: each call goes on until its deadline, so the server never catches up."""
    outcome = simulate(naive, 1, after_s=10.0, scale=10)
    assert outcome.load(QUIET_S, REPAIRED) >= 5
    assert outcome.load(REPAIRED, REPAIRED + 10) >= 5
    assert outcome.succeeded(QUIET_S, REPAIRED) <= 0.15
    assert outcome.succeeded(REPAIRED, REPAIRED + 10) <= 0.15

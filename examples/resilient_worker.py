"""A worker that copies readings from an HTTP service that fails now and then into SQLite.

``ErrorHandlingMiddleware`` decides what is tried again, ``ConnectionPool`` writes. Where the worker
has got to is stored in the transaction that stores the readings, so that it may be killed at any
time and goes on from there: none is lost, none is counted twice.

    python examples/resilient_worker.py http://127.0.0.1:8090 readings.db
"""

import asyncio
import logging
import sys
from typing import Any

import httpx

from meshaccel import (
    CircuitBreaker,
    CircuitOpenError,
    ConnectionPool,
    ErrorHandlingMiddleware,
    Failure,
    Retry,
    RetryBudget,
    RetryPolicy,
    Return,
)

GONE = {404, 410}
TABLES = [
    "CREATE TABLE IF NOT EXISTS readings (id INTEGER PRIMARY KEY, value REAL NOT NULL)",
    "CREATE TABLE IF NOT EXISTS progress (worker TEXT PRIMARY KEY, page INTEGER NOT NULL)",
]


def error_handling() -> ErrorHandlingMiddleware:
    """Say once what the rest of the program need not think about."""
    errors = ErrorHandlingMiddleware()
    errors.policy(
        "source.page",
        RetryPolicy(deadline_s=60.0, attempt_timeout_s=20.0, idempotent=True),
        breaker=CircuitBreaker(name="the source", open_s=1.0),
        budget=RetryBudget(0.2),
    )
    errors.policy("store.page", RetryPolicy(deadline_s=10.0, idempotent=True))

    async def gone(failure: Failure[httpx.HTTPStatusError]) -> Return | None:
        return Return([]) if failure.error.response.status_code in GONE else None

    def patient(failure: Failure[CircuitOpenError]) -> Retry:
        return Retry(failure.error.retry_after_s)  # a batch job has time

    errors.add_handler(httpx.HTTPStatusError, gone)  # the page after the last one
    errors.add_handler(CircuitOpenError, patient)
    return errors


class Worker:
    """Copies page after page."""

    def __init__(self, http: httpx.AsyncClient, pool: ConnectionPool) -> None:
        self.errors = error_handling()
        self._http = http
        self._pool = pool

    async def run(self) -> int:
        """Copy what there is; return how many pages that were."""
        await self._pool.batch(TABLES)
        done = await self._pool.fetch_one("SELECT page FROM progress WHERE worker = 'readings'")
        first = page = done[0] + 1 if done else 0
        while readings := await self.errors.run("source.page", self._read, page):
            await self.errors.run("store.page", self._write, page, readings)
            page += 1
        return page - first

    async def _read(self, page: int) -> list[dict[str, Any]]:
        answer = await self._http.get(f"/readings/{page}")
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()
        return found

    async def _write(self, page: int, readings: list[dict[str, Any]]) -> None:
        insert = "INSERT OR REPLACE INTO readings VALUES (:id, :value)"
        note = "INSERT OR REPLACE INTO progress VALUES ('readings', ?)"
        # One transaction: to make it again after an error that leaves its outcome open is harmless.
        await self._pool.batch([*((insert, reading) for reading in readings), (note, (page,))])


async def main(source: str, database: str) -> None:
    """Copy what there is, and tell what became of the failures."""
    async with (
        httpx.AsyncClient(base_url=source, timeout=20.0) as http,
        ConnectionPool(database, max_connections=4) as pool,
    ):
        worker = Worker(http, pool)
        pages = await worker.run()
        stats = worker.errors.stats()["source.page"]
        print(f"{pages} pages; {stats.attempts_failed} attempts failed, {stats.failed} calls did")
        rows = await pool.fetch_one("SELECT count(*) FROM readings")
        print(f"{rows[0] if rows else 0} readings")


if __name__ == "__main__":
    if not sys.argv[2:]:
        sys.exit(__doc__)
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    asyncio.run(main(sys.argv[1], sys.argv[2]))

"""Reading from connections that block."""

import sqlite3
from collections.abc import Generator
from typing import Any

from meshaccel.grouping.drivers.detection import is_one_of
from meshaccel.grouping.drivers.protocols import CHUNK_ROWS, Driver, Records, Sink
from meshaccel.grouping.drivers.sqlite import SQLITE
from meshaccel.grouping.selection import Selection


def driver_of(conn: object) -> Driver:
    """Return the driver of a connection that blocks.

    Raises:
        TypeError: It is none that can be read from.
    """
    if isinstance(conn, sqlite3.Connection):
        return SQLITE
    if is_one_of(conn, "psycopg", "Connection"):
        from meshaccel.grouping.drivers.psycopg import PsycopgDriver  # noqa: PLC0415 - optional

        return PsycopgDriver()
    raise TypeError(
        "expected a sqlite3.Connection or a psycopg.Connection (for asyncio, use fetch),"
        f" got {type(conn).__name__}"
    )


def read_into(conn: Any, driver: Driver, selection: Selection, sink: Sink) -> None:
    """Feed a sink with all rows of a reading."""
    bound = selection.bound(driver.paramstyle)
    with driver.snapshot(conn, len(bound)):
        for statement, parameters in bound:
            with driver.run(conn, statement.text, parameters) as rows:
                sink.feed(rows, statement.path)


def read_chunks(conn: Any, driver: Driver, selection: Selection, sink: Sink) -> Generator[Records]:
    """Yield records as they become complete, at least one chunk of rows at a time."""
    ((statement, parameters),) = selection.bound(driver.paramstyle)
    with (
        driver.snapshot(conn, 1),
        driver.run(conn, statement.text, parameters, in_chunks=True) as rows,
    ):
        while chunk := rows.fetchmany(CHUNK_ROWS):
            yield sink.feed(chunk)
    yield sink.finish()

"""Each exception class of the libraries is in a table: a new one fails here until it is."""

import asyncio
import importlib
import inspect
import pkgutil
import sqlite3
from types import ModuleType

import asyncpg
import httpcore
import httpx
import psycopg
import pytest
import redis

import valkey
from meshaccel.resilience.classification import DEFAULT_CLASSIFIER
from meshaccel.resilience.classify.postgres import SQLSTATES
from meshaccel.resilience.classify.sqlite import SQLITE_CODES

INTERNAL = {
    "asyncpg._testbase.fuzzer.StopServer",
    "asyncpg.cluster.ClusterError",
    "asyncpg.connect_utils._NextHostSignal",
    "asyncpg.connect_utils._RetryConnectSignal",
    "psycopg.errors._WaitTimeout",
    "psycopg.Rollback",  # a user raises it, and the transaction catches it
}
"""Caught by their library before anybody sees them, or raised by its tests only."""


def name_of(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def modules_of(package: ModuleType) -> list[ModuleType]:
    """Import all modules of a package whose own dependencies are there."""
    modules = [package]
    for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not info.name.rpartition(".")[2].startswith("__main__"):
            try:
                modules.append(importlib.import_module(info.name))
            except ImportError:
                continue
    return modules


def errors_of(package: ModuleType) -> set[type[BaseException]]:
    """Return the exception classes that a package defines."""
    return {
        value
        for module in modules_of(package)
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, BaseException)
        and value.__module__.split(".")[0] == package.__name__
    }


@pytest.mark.parametrize(
    "package", [asyncpg, httpcore, httpx, psycopg, redis, valkey], ids=lambda it: it.__name__
)
def test_every_class_is_known(package: ModuleType) -> None:
    errors = errors_of(package)
    assert len(errors) > 10
    unknown = [
        name_of(error)
        for error in errors
        if not DEFAULT_CLASSIFIER.knows(error)
        and not getattr(error, "sqlstate", None)
        and name_of(error) not in INTERNAL
    ]
    assert unknown == []


def test_every_sqlstate_is_known() -> None:
    states = {
        state
        for package in (asyncpg, psycopg)
        for error in errors_of(package)
        if (state := getattr(error, "sqlstate", None))
    }
    assert len(states) > 200
    assert [state for state in states if not {state, state[:2]} & SQLSTATES.keys()] == []


def test_every_result_code_is_known() -> None:
    codes = {
        value
        for name, value in vars(sqlite3).items()
        if name.startswith("SQLITE_")
        and isinstance(value, int)
        and name.removeprefix("SQLITE_").split("_")[0] in PRIMARY
    }
    assert len(codes) > 60
    assert [code for code in codes if not {code, code & 0xFF} & SQLITE_CODES.keys()] == []


# fmt: off
PRIMARY = {
    "ABORT", "AUTH", "BUSY", "CANTOPEN", "CONSTRAINT", "CORRUPT", "EMPTY", "ERROR",
    "FORMAT", "FULL", "INTERNAL", "INTERRUPT", "IOERR", "LOCKED", "MISMATCH", "MISUSE",
    "NOLFS", "NOMEM", "NOTADB", "NOTFOUND", "PERM", "PROTOCOL", "RANGE", "READONLY",
    "SCHEMA", "TOOBIG",
}
# fmt: on


def test_every_class_of_sqlite3_and_asyncio_is_known() -> None:
    errors = [
        value
        for module in (sqlite3, asyncio.exceptions, asyncio.queues)
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, BaseException)
        and value.__module__ in {"sqlite3", "asyncio.exceptions", "asyncio.queues"}
    ]
    assert len(errors) > 15
    assert [error for error in errors if not DEFAULT_CLASSIFIER.knows(error)] == []


def test_a_class_in_no_table_is_noticed() -> None:
    class Brand(httpx.ReadTimeout):
        """A class that a new version might bring."""

    assert not DEFAULT_CLASSIFIER.knows(Brand)
    assert DEFAULT_CLASSIFIER.knows(httpx.ReadTimeout)

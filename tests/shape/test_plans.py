"""Both plans read the same records from SQLite, in the same order, whatever is in there."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st
from tests.shape.n_plus_one import Records, read_one_by_one
from tests.shape.stores import Store, run, stores

from meshaccel.errors import NullKeyError
from meshaccel.reference.grouping import RowGrouper
from meshaccel.shape import Child, Plan, Shape

PLANS: tuple[Plan, ...] = ("joined", "levels")


def read(
    connection: sqlite3.Connection,
    shape: Shape,
    plan: Plan,
    params: Mapping[str, Any],
    **page: Any,
) -> Records:
    """Run the statements of a plan and group what they return."""
    grouper = RowGrouper(shape)
    for statement in shape.sql(plan, **page):
        grouper.feed(run(connection, statement.text, params), statement.path)
    return grouper.finish()


def can_join(shape: Shape) -> bool:
    try:
        shape.sql("joined")
    except ValueError:
        return False
    return True


def outcome(store: Store, connection: sqlite3.Connection, plan: Plan) -> object:
    try:
        return read(connection, store.shape, plan, store.params)
    except NullKeyError:
        return NullKeyError


@given(stores())
def test_both_plans_read_what_one_query_for_each_record_does(store: Store) -> None:
    with store.connection() as connection:
        try:
            expected: object = read_one_by_one(store, connection)
        except NullKeyError:
            expected = NullKeyError
        event(f"lists of {repr(expected).count('[') - repr(expected).count('[]')} records")
        assert outcome(store, connection, "levels") == expected
        if can_join(store.shape):
            assert outcome(store, connection, "joined") == expected


@given(stores(paged=True), st.sampled_from(PLANS), st.integers(1, 3))
def test_page_by_page_is_the_whole_list(store: Store, plan: Plan, size: int) -> None:
    shape = store.shape
    if plan == "joined" and not can_join(shape):
        plan = "levels"
    with store.connection() as connection:
        whole = read(connection, shape, plan, store.params)
        paged: Records = []
        params: dict[str, Any] = {**store.params, "page_limit": size}
        page = read(connection, shape, plan, params, limit=True)
        while page:
            assert len(page) <= size
            paged += page
            cursor = shape.cursor(page[-1])
            bounds = {f"page_after_{n}": value for n, value in enumerate(cursor)}
            page = read(connection, shape, plan, params | bounds, after=True, limit=True)
    event(f"{len(whole) // size} pages")
    assert paged == whole


def test_the_database_matches_children_and_their_columns_tell_if_they_are_there() -> None:
    """NOCASE of the parent counts, and affinity; an absent child has no children."""
    parts = Child(key=("id",), columns=("id",), on={"tool": "id"}, table="parts")
    tools = Child(
        key=("id",),
        columns=("id", "name"),
        present=("name",),
        on={"agent": "id"},
        children={"parts": parts},
    )
    shape = Shape("agents", key=("id",), columns=("id",), children={"tools": tools})
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript("""
            CREATE TABLE agents (id TEXT COLLATE NOCASE);
            CREATE TABLE tools (id INTEGER, name TEXT, agent TEXT);
            CREATE TABLE parts (id, tool TEXT);
            INSERT INTO agents VALUES ('b'), ('A');
            INSERT INTO tools VALUES (1, 'one', 'a'), (2, NULL, 'a'), (NULL, 'three', 'B');
            INSERT INTO parts VALUES (10, '1'), (NULL, '1'), (20, '2');
        """)
        for plan in PLANS:
            assert read(connection, shape, plan, {}) == [
                {"id": "A", "tools": [{"id": 1, "name": "one", "parts": [{"id": 10}]}]},
                {"id": "b", "tools": [{"id": None, "name": "three", "parts": []}]},
            ]

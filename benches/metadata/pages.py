"""Listings, put together of the views of records that are in the pool already."""

from __future__ import annotations

import orjson
from benches.metadata.fleet import Fleet
from benches.metadata.speed import Act, Table

from meshaccel.metadata import MetadataPool

VIEWS = 10_000
WRITTEN = 1_000


def pages() -> list[Table]:
    """Return the tables of a listing of all agents, and of the JSON of one."""
    fleet, pool = Fleet(VIEWS), MetadataPool()
    keys = [pool.intern_json(fleet.text(agent)) for agent in range(VIEWS)]
    views = [pool.get(key) for key in keys]
    strings = [f"string {agent}" for agent in range(VIEWS)]
    # As the records do, the strings stay.
    held = pool.get(pool.intern(strings))
    page = pool.get(pool.intern({"agents": views[:WRITTEN], "count": WRITTEN}))
    plain = page.to_dict()
    assert len(held) == VIEWS
    assert orjson.loads(page.to_json()) == plain

    def listed(agents: list[object]) -> Act:
        return lambda: pool.release(pool.intern({"agents": agents, "count": VIEWS}))

    return [
        Table(
            f"intern and release a page of {VIEWS} views",
            listed(views),
            {"of as many strings": (listed(list(strings)), 1)},
        ),
        Table(
            f"to_json, a page of {WRITTEN} views",
            page.to_json,
            {"orjson.dumps of the dict": (lambda: orjson.dumps(plain), 0.95)},
        ),
    ]

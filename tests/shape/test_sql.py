"""The SQL of a few shapes, as a reader will see it, and what no SQL is written for."""

from dataclasses import replace
from textwrap import dedent
from typing import Any

import pytest

from meshaccel.shape import Child, Shape

LABELS = Child(key=("name",), columns=("name",), table="mesh.tool_labels", on={"tool": "digest"})
TOOLS = Child(
    key=("digest",),
    columns=("digest", "version"),
    present=("version",),
    on={"agent_id": "id"},
    children={"labels": LABELS},
)
HOSTS = Child(
    key=("host", "port"),
    columns=("host", "port"),
    query="SELECT * FROM hosts -- all",
    on={"team": "team"},
    order=("-port",),
)
AGENTS = Shape(
    "agents",
    key=("id",),
    columns=("id", "name"),
    children={"tools": TOOLS, "hosts": HOSTS},
    where="status = :status",
    order=("-name",),
)
LOGS = Child(
    key=(), columns=("line", "extra"), json={"extra": "raw"}, present=("line",), on={"agent": "id"}
)


def plain(sql: str) -> str:
    return dedent(sql).strip()


def test_one_joined_statement_limits_the_parents_and_sorts_at_every_level() -> None:
    (statement,) = replace(AGENTS, limit=10).sql("joined")
    assert statement.path is None
    assert statement.text == plain("""
        SELECT p."id" AS "agents.id", p."name" AS "agents.name",
          c1."digest" AS "tools.digest", c1."version" AS "tools.version",
          c2."name" AS "tools.labels.name",
          c3."host" AS "hosts.host", c3."port" AS "hosts.port"
        FROM (
          SELECT "agents"."id" AS "id", "agents"."name" AS "name", "agents"."team" AS "team"
          FROM "agents"
          WHERE (status = :status)
          ORDER BY "agents"."name" DESC, "agents"."id"
          LIMIT 10
        ) AS p
        LEFT JOIN "tools" AS c1 ON p."id" = c1."agent_id"
        LEFT JOIN "mesh"."tool_labels" AS c2 ON c1."digest" = c2."tool"
        LEFT JOIN (SELECT * FROM hosts -- all
        ) AS c3 ON p."team" = c3."team"
        ORDER BY p."name" DESC, p."id", c1."digest", c2."name", c3."port" DESC, c3."host"
    """)


def test_each_level_has_the_keys_that_the_database_matched() -> None:
    agents, tools, labels, hosts = AGENTS.sql("levels")
    assert [s.path for s in (agents, tools, labels, hosts)] == [*AGENTS.levels()]
    assert agents.text == plain("""
        SELECT "agents"."id" AS "agents.id", "agents"."name" AS "agents.name"
        FROM "agents"
        WHERE (status = :status)
        ORDER BY "agents"."name" DESC, "agents"."id"
    """)
    assert labels.text == plain("""
        SELECT p."id" AS "agents.id",
          c1."digest" AS "tools.digest",
          c2."name" AS "tools.labels.name"
        FROM (
          SELECT "agents"."id" AS "id", "agents"."name" AS "name"
          FROM "agents"
          WHERE (status = :status)
        ) AS p
        CROSS JOIN "tools" AS c1
        CROSS JOIN "mesh"."tool_labels" AS c2
        WHERE p."id" = c1."agent_id" AND c1."version" IS NOT NULL
          AND c1."digest" = c2."tool" AND c2."name" IS NOT NULL
        ORDER BY p."name" DESC, p."id", c1."digest", c2."name"
    """)
    assert 'AND (c3."host" IS NOT NULL OR c3."port" IS NOT NULL)' in hosts.text


@pytest.mark.parametrize(
    ("order", "condition"),
    [
        ((), '"agents"."id" > :page_after_0'),
        (("name",), '("agents"."name", "agents"."id") > (:page_after_0, :page_after_1)'),
        (
            ("-name", "-id"),
            '("agents"."name", "agents"."id") < (:page_after_0, :page_after_1)',
        ),
        (
            ("-name",),
            (
                '("agents"."name" <= :page_after_0 AND ("agents"."name" < :page_after_0 OR '
                '"agents"."id" > :page_after_1))'
            ),
        ),
    ],
)
def test_a_page_starts_after_a_cursor_and_ends_by_a_parameter(
    order: tuple[str, ...], condition: str
) -> None:
    shape = replace(AGENTS, order=order, limit=3)
    for statement in (
        *shape.sql("joined", after=True, limit=True),
        *shape.sql("levels", after=True),
    ):
        assert f"WHERE (status = :status) AND {condition}\n" in statement.text
    assert "LIMIT :page_limit" in shape.sql("joined", limit=True)[0].text
    assert "LIMIT 3" in shape.sql("joined")[0].text


def test_names_are_quoted_and_parameters_are_those_of_the_driver() -> None:
    shape = Shape('100% "odd"', key=("a", "%"), columns=("a", "%"))
    texts = {
        style: shape.sql(paramstyle=style, after=True, limit=True, params=2)[0].text.splitlines()
        for style in ("named", "pyformat", "numeric_dollar")
    }
    name = '"100% ""odd"""'
    assert texts["named"][1:] == [
        f"FROM {name}",
        f'WHERE ({name}."a", {name}."%") > (:page_after_0, :page_after_1)',
        f'ORDER BY {name}."a", {name}."%"',
        "LIMIT :page_limit",
    ]
    assert texts["pyformat"][2].endswith("> (%(page_after_0)s, %(page_after_1)s)")
    assert texts["pyformat"][1] == 'FROM "100%% ""odd"""'
    assert texts["numeric_dollar"][2].endswith("> ($3, $4)")
    assert texts["numeric_dollar"][4] == "LIMIT $5"


def test_without_a_key_all_columns_order_the_children() -> None:
    shape = Shape("agents", key=("id",), columns=("id",), children={"logs": LOGS})
    order = 'ORDER BY p."id", c1."line", CAST(c1."extra" AS TEXT)'
    for plan in ("joined", "levels"):
        assert shape.sql(plan)[-1].text.endswith(order)


@pytest.mark.parametrize(
    ("children", "plan", "message"),
    [
        ({"logs": LOGS, "hosts": HOSTS}, "joined", "logs: without a key, its rows cannot be told"),
        (
            {"tools": replace(TOOLS, children={"logs": LOGS}), "hosts": HOSTS},
            "joined",
            "tools.logs: without a key, its rows cannot be told",
        ),
        (
            {"logs": replace(LOGS, children={"labels": LABELS})},
            None,
            "logs: without a key, children of its own cannot find it",
        ),
        ({"tools": replace(TOOLS, on={})}, None, "tools: `on` must say by which columns"),
        ({"to\0ols": TOOLS}, None, r"no SQL can be written with the name 'to\x00ols"),
        ({}, "both", 'agents: plan must be "joined" or "levels"'),
    ],
)
def test_what_the_plans_cannot_read_alike_is_refused(
    children: dict[str, Child], plan: Any, message: str
) -> None:
    shape = replace(AGENTS, children=children)
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        shape.sql(plan)
    assert str(caught.value).startswith(message)


def test_the_default_plan_repeats_only_narrow_parents() -> None:
    narrow = Shape("agents", key=("id",), columns=("id",), children={"tools": TOOLS})
    assert narrow.plan == "joined"
    assert [statement.path for statement in narrow.sql()] == [None]
    wide = replace(narrow, columns=("id", "a", "b", "c"))
    assert wide.plan == AGENTS.plan == "levels"
    assert replace(narrow, columns=("id", "config"), json={"config": "raw"}).plan == "levels"
    assert replace(wide, children={}).plan == "joined"

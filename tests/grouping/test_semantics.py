"""What tools that read nested rows get wrong, case by case, on real databases.

The cases are those where ORMs and hand-written loops are known to lose, double or mix up
children. Each runs on every driver, with both plans.
"""

import json
from dataclasses import replace
from typing import Any

import pytest
from psycopg.types.json import set_json_loads

from meshaccel.errors import (
    AmbiguousColumnError,
    InvalidJsonError,
    JsonValueError,
    NullKeyError,
    OrphanError,
    ReopenedGroupError,
    TooManyRowsError,
    UnhashableKeyError,
)
from meshaccel.grouping import Child, Plan, RowGrouper, Shape

from .backends import AsyncPsycopg, Backend, Psycopg

TOOLS = Child(key=("id",), columns=("id", "label"), on={"agent": "id"})
AGENTS = Shape("agents", key=("id",), columns=("id", "name"), children={"tools": TOOLS})
HOSTS = Child(key=("host",), columns=("host",), on={"agent": "id"})
BOTH = replace(AGENTS, children={"tools": TOOLS, "hosts": HOSTS})

MESH = """
    CREATE TABLE agents (id TEXT PRIMARY KEY, name TEXT);
    CREATE TABLE tools (id INTEGER PRIMARY KEY, agent TEXT, label TEXT);
    CREATE TABLE hosts (agent TEXT, host TEXT);
    INSERT INTO agents VALUES ('a', 'first'), ('b', NULL), ('c', 'idle');
    INSERT INTO tools VALUES (3, 'b', NULL), (2, 'a', 'same'), (1, 'a', 'same');
    INSERT INTO hosts VALUES ('a', 'h2'), ('a', 'h1');
"""


@pytest.fixture(params=["joined", "levels"])
def plan(request: pytest.FixtureRequest) -> Plan:
    """Both ways to read, in turn."""
    chosen: Plan = request.param
    return chosen


# 1. The database decides what is equal.


def test_case_does_not_count_in_sqlite_where_the_collation_says_so(
    sqlite_only: Backend, plan: Plan
) -> None:
    sqlite_only.script("""
        CREATE TABLE agents (id TEXT COLLATE NOCASE, name TEXT);
        CREATE TABLE tools (id INTEGER, agent TEXT, label TEXT);
        INSERT INTO agents VALUES ('Ann', NULL);
        INSERT INTO tools VALUES (1, 'ann', 'x'), (2, 'ANN', 'y');
    """)
    (ann,) = sqlite_only.read(AGENTS, plan=plan)
    assert [tool["id"] for tool in ann["tools"]] == [1, 2]


def test_a_number_matches_its_text_where_the_column_says_so(
    sqlite_only: Backend, plan: Plan
) -> None:
    sqlite_only.script("""
        CREATE TABLE agents (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE tools (id INTEGER, agent TEXT, label TEXT);
        INSERT INTO agents VALUES (1, NULL);
        INSERT INTO tools VALUES (1, '1', 'x');
    """)
    (agent,) = sqlite_only.read(AGENTS, plan=plan)
    assert agent["tools"] == [{"id": 1, "label": "x"}]


def test_padding_does_not_count_where_the_type_says_so(postgres_only: Backend, plan: Plan) -> None:
    postgres_only.script("""
        CREATE TABLE agents (id CHAR(5), name TEXT);
        CREATE TABLE tools (id INTEGER, agent CHAR(3), label TEXT);
        INSERT INTO agents VALUES ('a', NULL);
        INSERT INTO tools VALUES (1, 'a', 'x');
    """)
    (agent,) = postgres_only.read(AGENTS, plan=plan)
    assert (agent["id"], len(agent["tools"])) == ("a    ", 1)


# 2. A parent without children has none.


def test_without_a_child_the_collection_is_empty(backend: Backend, plan: Plan) -> None:
    backend.script(MESH)
    assert backend.read(AGENTS, plan=plan)[2] == {"id": "c", "name": "idle", "tools": []}
    assert json.loads(backend.read_json(AGENTS, plan=plan))[2]["tools"] == []


def test_a_child_of_nothing_but_null_is_one_if_its_key_is_not(backend: Backend, plan: Plan) -> None:
    backend.script(MESH)
    assert backend.read(AGENTS, plan=plan)[1]["tools"] == [{"id": 3, "label": None}]


# 3. Two collections do not multiply.


def test_two_collections_do_not_multiply(backend: Backend, plan: Plan) -> None:
    backend.script(MESH)
    assert backend.read(BOTH, plan=plan)[0] == {
        "id": "a",
        "name": "first",
        "tools": [{"id": 1, "label": "same"}, {"id": 2, "label": "same"}],
        "hosts": [{"host": "h1"}, {"host": "h2"}],
    }


# 4. Children that look the same are not.


def test_children_that_look_the_same_are_two(backend: Backend, plan: Plan) -> None:
    backend.script(MESH)
    unkeyed = Child(
        key=(), columns=("label",), present=("label",), table="tools", on={"agent": "id"}
    )
    shape = replace(AGENTS, children={"tools": unkeyed})
    first = backend.read(shape, plan=plan)[0]
    assert first["tools"] == [{"label": "same"}, {"label": "same"}]


def test_a_keyless_collection_beside_another_is_never_joined(backend: Backend) -> None:
    backend.script(MESH)
    unkeyed = Child(
        key=(), columns=("label",), present=("label",), table="tools", on={"agent": "id"}
    )
    shape = replace(BOTH, children={"labels": unkeyed, "hosts": HOSTS})
    with pytest.raises(ValueError, match="key"):
        backend.read(shape, plan="joined")
    first = backend.read(shape)[0]
    assert (len(first["labels"]), len(first["hosts"])) == (2, 2)


# 5. Rows need no order.


def test_rows_of_a_parent_may_be_apart(backend: Backend) -> None:
    backend.script(MESH)
    query = """SELECT a.id, a.name, t.id AS tool, t.label FROM agents a
        LEFT JOIN tools t ON t.agent = a.id ORDER BY t.label IS NULL, t.id DESC, a.id"""
    grouped = backend.read(AGENTS, sql=query)
    assert {agent["id"]: len(agent["tools"]) for agent in grouped} == {"a": 2, "b": 1, "c": 0}


def test_an_order_that_was_promised_is_checked() -> None:
    stream = RowGrouper(AGENTS).stream(ordered=True)
    assert stream.feed([("a", None, 1, None), ("b", None, 2, None)]) == [
        {"id": "a", "name": None, "tools": [{"id": 1, "label": None}]}
    ]
    with pytest.raises(ReopenedGroupError, match="agents"):
        stream.feed([("a", None, 3, None)])


# 6. Keys are equal as Python says where Python holds the rows.


def test_numbers_are_one_key_and_text_another(sqlite_only: Backend) -> None:
    sqlite_only.script("CREATE TABLE things (id, name)")
    sqlite_only.script("INSERT INTO things VALUES (1, 'a'), (1.0, 'b'), ('1', 'c'), (x'31', 'd')")
    rows = sqlite_only.rows("SELECT id, name FROM things ORDER BY name")
    things = Shape("things", key=("id",), columns=("id", "name"))
    assert [thing["name"] for thing in RowGrouper(things).group(rows)] == ["a", "c", "d"]
    assert len(RowGrouper(things).group([(1, "int"), (True, "bool")])) == 1


def test_large_integers_are_not_rounded(backend: Backend, plan: Plan) -> None:
    backend.script("""
        CREATE TABLE agents (id BIGINT PRIMARY KEY, name TEXT);
        CREATE TABLE tools (id BIGINT, agent BIGINT, label TEXT);
        INSERT INTO agents VALUES (9007199254740992, 'even'), (9007199254740993, 'odd');
        INSERT INTO tools VALUES (1, 9007199254740993, NULL);
    """)
    counts = {agent["name"]: len(agent["tools"]) for agent in backend.read(AGENTS, plan=plan)}
    assert counts == {"even": 0, "odd": 1}


@pytest.mark.parametrize(("null_key", "names"), [("skip", ["x"]), ("group", [None, "x"])])
def test_null_keys_go_where_they_are_told(
    backend: Backend, plan: Plan, null_key: Any, names: list[str | None]
) -> None:
    backend.script("""
        CREATE TABLE agents (id TEXT, name TEXT);
        CREATE TABLE tools (id INTEGER, agent TEXT, label TEXT);
        INSERT INTO agents VALUES (NULL, NULL), ('a', 'x');
        INSERT INTO tools VALUES (1, NULL, 'nobody'), (2, 'a', NULL);
    """)
    with pytest.raises(NullKeyError, match="agents"):
        backend.read(AGENTS, plan=plan)
    read = backend.read(replace(AGENTS, null_key=null_key), plan=plan)
    assert sorted((agent["name"] for agent in read), key=str) == names
    assert sum(len(agent["tools"]) for agent in read) == 1  # NULL = NULL is not true


# 7. Composite keys are tuples.


def test_composite_keys_do_not_run_together(backend: Backend, plan: Plan) -> None:
    backend.script("""
        CREATE TABLE pairs (x TEXT, y TEXT);
        CREATE TABLE parts (x TEXT, y TEXT, part INTEGER);
        INSERT INTO pairs VALUES ('a', 'bc'), ('ab', 'c'), ('abc', '');
        INSERT INTO parts VALUES ('ab', 'c', 2), ('a', 'bc', 1);
    """)
    parts = Child(key=("part",), columns=("part",), on={"x": "x", "y": "y"})
    shape = Shape("pairs", key=("x", "y"), columns=("x", "y"), children={"parts": parts})
    assert [len(pair["parts"]) for pair in backend.read(shape, plan=plan)] == [1, 1, 0]


# 8. Order is kept.


def test_order_is_that_of_the_shape(backend: Backend, plan: Plan) -> None:
    backend.script(MESH)
    tools = replace(TOOLS, order=("label", "-id"))
    shape = replace(AGENTS, order=("-id",), children={"tools": tools})
    read = backend.read(shape, plan=plan)
    assert [agent["id"] for agent in read] == ["c", "b", "a"]
    assert [tool["id"] for tool in read[2]["tools"]] == [2, 1]


# 9. A limit counts parents.


def test_a_limit_counts_parents_not_rows(backend: Backend, plan: Plan) -> None:
    backend.script(MESH)
    read = backend.read(AGENTS, plan=plan, limit=2)
    assert [(agent["id"], len(agent["tools"])) for agent in read] == [("a", 2), ("b", 1)]
    assert backend.read(AGENTS, plan=plan, limit=0) == []


def test_pages_add_up_to_the_whole(backend: Backend, plan: Plan) -> None:
    backend.script(MESH)
    pages = []
    after = None
    while page := backend.read(BOTH, plan=plan, limit=1, after=after):
        pages += page
        after = BOTH.cursor(page[-1])
    assert pages == backend.read(BOTH, plan=plan)


def test_a_condition_comes_before_the_limit(backend: Backend, plan: Plan) -> None:
    backend.script(MESH)
    shape = replace(AGENTS, where=f"id <> {backend.mark('unwanted', 1)}", limit=1)
    params = backend.parameters(unwanted="a")
    assert [agent["id"] for agent in backend.read(shape, params=params, plan=plan)] == ["b"]
    page = backend.read(shape, params=params, plan=plan, after=("b",))
    assert [agent["id"] for agent in page] == ["c"]


# 10. Columns of one name.


def test_columns_of_one_name_are_told_apart_by_position(backend: Backend) -> None:
    backend.script(MESH)
    query = "SELECT a.id, a.name, t.id, t.label FROM agents a JOIN tools t ON t.agent = a.id"
    read = backend.read(AGENTS, sql=f"{query} ORDER BY t.id")
    assert [tool["id"] for agent in read for tool in agent["tools"]] == [1, 2, 3]


def test_rows_by_name_must_name_each_column_apart() -> None:
    with pytest.raises(AmbiguousColumnError, match="id"):
        RowGrouper(AGENTS).group([{"id": 1, "name": "n", "label": "l"}])
    row = {"agents.id": 1, "name": "n", "tools.id": 2, "label": "l"}
    assert RowGrouper(AGENTS).group([row]) == [
        {"id": 1, "name": "n", "tools": [{"id": 2, "label": "l"}]}
    ]


# 11. Values that do not survive JSON written by the database.


def test_values_are_those_of_the_driver(sqlite_only: Backend, plan: Plan) -> None:
    sqlite_only.script(MESH)
    sqlite_only.script("ALTER TABLE agents ADD COLUMN weight REAL")
    sqlite_only.script("ALTER TABLE agents ADD COLUMN image BLOB")
    sqlite_only.script("UPDATE agents SET weight = 0.1 + 0.2, image = x'00ff' WHERE id = 'a'")
    sqlite_only.script("UPDATE agents SET weight = 9e999 WHERE id = 'b'")
    shape = replace(AGENTS, columns=("id", "name", "weight", "image"))
    first, second, _ = sqlite_only.read(shape, plan=plan)
    assert (first["weight"], first["image"]) == (0.1 + 0.2, b"\x00\xff")
    assert second["weight"] == float("inf")
    no_image = replace(AGENTS, columns=("id", "weight"), where="id = 'a'")
    assert json.loads(sqlite_only.read_json(no_image, plan=plan))[0]["weight"] == 0.1 + 0.2
    with pytest.raises(JsonValueError, match=r"agents\.image.*bytes"):
        sqlite_only.read_json(shape, plan=plan)
    with pytest.raises(JsonValueError, match=r"agents\.weight"):
        sqlite_only.read_json(replace(no_image, where="id = 'b'"), plan=plan)


def test_any_number_of_columns(backend: Backend, plan: Plan) -> None:
    columns = tuple(f"c{n}" for n in range(200))  # json_object() takes 127 arguments
    backend.script(f"CREATE TABLE wide (id INTEGER, {', '.join(f'{c} INTEGER' for c in columns)})")
    backend.script(f"INSERT INTO wide VALUES (1, {', '.join(map(str, range(200)))})")
    shape = Shape("wide", key=("id",), columns=("id", *columns))
    expected = {"id": 1, **{column: n for n, column in enumerate(columns)}}
    assert backend.read(shape, plan=plan) == [expected]
    assert json.loads(backend.read_json(shape, plan=plan)) == [expected]


# 12. JSON columns.

DOCUMENT = '{"b": [1, 2.5, null], "a": "\\u00e9"}'
VALUE = {"b": [1, 2.5, None], "a": "é"}


def with_documents(backend: Backend, policy: Any) -> Shape:
    backend.script(MESH)
    backend.script("ALTER TABLE tools ADD COLUMN document TEXT")
    backend.script(f"UPDATE tools SET document = '{DOCUMENT}'")
    tools = replace(TOOLS, columns=("id", "document"), json={"document": policy})
    return replace(AGENTS, children={"tools": tools})


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("text", DOCUMENT),
        ("raw", DOCUMENT.encode()),
        ("lazy", VALUE),
        ("shared", VALUE),
        ("eager", VALUE),
    ],
)
def test_documents_as_they_are_wanted(
    backend: Backend, plan: Plan, policy: Any, expected: object
) -> None:
    shape = with_documents(backend, policy)
    first = backend.read(shape, plan=plan)[0]
    one, two = (tool["document"] for tool in first["tools"])
    assert one == expected
    assert two == expected
    if policy in ("shared", "eager"):
        assert (one is two) == (policy == "shared")
    found = json.loads(backend.read_json(shape, plan=plan))[0]["tools"][0]["document"]
    assert found == (DOCUMENT if policy == "text" else VALUE)


def test_shared_documents_are_read_only(backend: Backend) -> None:
    first = backend.read(with_documents(backend, "shared"))[0]
    document = first["tools"][0]["document"]
    with pytest.raises(TypeError):
        document["b"] = 1
    with pytest.raises(TypeError):
        document["b"].append(1)


def looked_at(agents: list[dict[str, Any]]) -> bool:
    documents = [tool["document"] for agent in agents for tool in agent["tools"]]
    return all(document in (VALUE, DOCUMENT.encode()) for document in documents)


@pytest.mark.parametrize("policy", ["raw", "lazy", "shared", "eager"])
def test_a_broken_document_is_named(backend: Backend, plan: Plan, policy: Any) -> None:
    shape = with_documents(backend, policy)
    backend.script("UPDATE tools SET document = '{\"b\": oops}' WHERE id = 2")
    with pytest.raises(InvalidJsonError) as caught:
        looked_at(backend.read(shape, plan=plan))
    assert (caught.value.column, caught.value.key) == ("tools.document", (2,))
    with pytest.raises(InvalidJsonError, match=r"tools\.document"):
        backend.read_json(shape, plan=plan)


def test_documents_that_psycopg_would_decode_itself(postgres_only: Backend, plan: Plan) -> None:
    postgres_only.script("CREATE TABLE docs (id INTEGER PRIMARY KEY, a JSON, b JSONB)")
    postgres_only.script("INSERT INTO docs VALUES (1, '[1, 2]', '{\"a\": 1}')")
    docs = Shape("docs", key=("id",), columns=("id", "a", "b"), json={"a": "eager", "b": "lazy"})
    if isinstance(postgres_only, Psycopg | AsyncPsycopg):
        with pytest.raises(InvalidJsonError, match=r"docs\.a.*expected text, got list"):
            postgres_only.read(docs, plan=plan)
        set_json_loads(lambda text: text, postgres_only.conn)
    assert postgres_only.read(docs, plan=plan) == [{"id": 1, "a": [1, 2], "b": {"a": 1}}]


# 13. One snapshot; children without parent.


def test_a_reading_ends_the_transaction_it_began_and_no_other(backend: Backend, plan: Plan) -> None:
    backend.script(MESH)
    backend.read(AGENTS, plan=plan)
    assert not backend.in_transaction()
    with pytest.raises(ValueError, match="limit"):
        backend.read(AGENTS, plan=plan, limit=-1)
    assert not backend.in_transaction()
    backend.begin()
    backend.read(AGENTS, plan=plan)
    assert backend.in_transaction()


@pytest.mark.parametrize("each", [False, True])
def test_a_server_is_told_to_read_only_and_one_snapshot(
    postgres_only: Backend, each: object
) -> None:
    query = """SELECT current_setting('transaction_isolation') AS isolation,
        current_setting('transaction_read_only') AS read_only"""
    shape = Shape("t", key=("isolation",), columns=("isolation", "read_only"), query=query)
    read = postgres_only.read_each if each else postgres_only.read
    assert list(read(shape)) == [{"isolation": "repeatable read", "read_only": "on"}]


def test_children_whose_parent_was_not_read() -> None:
    agents = [("a", None)]
    tools = [("b", 1, None), ("a", 2, None)]
    grouper = RowGrouper(AGENTS)
    grouper.feed(agents, "")
    with pytest.raises(OrphanError, match="tools"):
        grouper.feed(tools, "tools")
    ignoring = RowGrouper(replace(AGENTS, orphans="ignore"))
    ignoring.feed(agents, "")
    ignoring.feed(tools, "tools")
    (agent,) = ignoring.finish()
    assert agent["tools"] == [{"id": 2, "label": None}]


# 14. Rows of any driver, keys of any type.


def test_rows_in_hand_are_grouped_as_they_are_read(backend: Backend) -> None:
    backend.script(MESH)
    (statement,) = BOTH.sql("joined")
    rows = backend.rows(statement.text)
    assert RowGrouper(BOTH).group(rows) == backend.read(BOTH)
    assert json.loads(RowGrouper(BOTH).group_json(rows)) == backend.read(BOTH)
    by_level = RowGrouper(BOTH).stream()
    for statement in BOTH.sql("levels"):
        by_level.feed(backend.rows(statement.text), statement.path)
    assert by_level.finish() == backend.read(BOTH)


def test_a_list_is_no_key(postgres_only: Backend, plan: Plan) -> None:
    postgres_only.script("""
        CREATE TABLE agents (id INTEGER[], name TEXT);
        CREATE TABLE tools (id INTEGER, agent INTEGER[], label TEXT);
        INSERT INTO agents VALUES ('{1,2}', NULL);
    """)
    with pytest.raises(UnhashableKeyError, match=r"agents\.id.*list"):
        postgres_only.read(AGENTS, plan=plan)


# 15. Huge results.


def test_records_come_as_soon_as_they_are_complete(backend: Backend) -> None:
    backend.script(MESH)
    assert list(backend.read_each(AGENTS)) == backend.read(AGENTS)


def test_records_are_read_while_others_are_read(backend: Backend) -> None:
    backend.script(MESH)
    outer = backend.read_each(AGENTS)
    assert next(outer)["id"] == "a"
    assert [agent["id"] for agent in backend.read_each(AGENTS)] == ["a", "b", "c"]
    assert [agent["id"] for agent in outer] == ["b", "c"]
    assert not backend.in_transaction()


def test_too_many_rows_are_refused() -> None:
    grouper = RowGrouper(AGENTS, max_rows=2)
    rows = [("a", None, n, None) for n in range(3)]
    assert len(grouper.group(rows[:2])) == 1
    with pytest.raises(TooManyRowsError, match="2"):
        grouper.group(rows)

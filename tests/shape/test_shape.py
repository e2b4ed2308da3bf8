"""Shapes say what a row holds, and refuse to contradict themselves."""

import copy
import pickle
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from meshaccel.shape import Child, Shape

LABELS = Child(key=("name",), columns=("name",), on={"tool": "digest"})
TOOLS = Child(key=("digest",), columns=("digest", "version"), children={"labels": LABELS})
HOSTS = Child(key=(), columns=("host",), present=("host",))
AGENTS = Shape(
    "agents",
    key=("id",),
    columns=("id", "name"),
    json={"name": "raw"},
    children={"tools": TOOLS, "hosts": HOSTS},
)


def test_a_row_is_laid_out_depth_first() -> None:
    assert AGENTS.row_columns() == (
        "agents.id",
        "agents.name",
        "tools.digest",
        "tools.version",
        "tools.labels.name",
        "hosts.host",
    )
    assert AGENTS.width == 6


def test_a_row_of_a_level_starts_with_the_keys_above_it() -> None:
    assert AGENTS.levels() == ("", "tools", "tools.labels", "hosts")
    assert AGENTS.level_columns("") == ("agents.id", "agents.name")
    assert AGENTS.level_columns("tools.labels") == (
        "agents.id",
        "tools.digest",
        "tools.labels.name",
    )
    with pytest.raises(ValueError, match=r"^agents: no collection is called 'labels'$"):
        AGENTS.level_columns("labels")
    shape = replace(AGENTS, children={"hosts": replace(HOSTS, children={"labels": LABELS})})
    with pytest.raises(ValueError, match=r"^hosts: without a key, children of its own cannot"):
        shape.level_columns("hosts.labels")


def test_a_cursor_is_where_a_record_is_in_the_whole_order() -> None:
    shape = replace(AGENTS, json={}, key=("name", "id"), order=("-id",))
    assert shape.cursor({"name": "n", "id": 1, "tools": []}) == (1, "n")
    with pytest.raises(ValueError, match=r"^agents: no page can follow a record with NULL"):
        shape.cursor({"name": None, "id": 1})


def test_presence_is_the_key_unless_said_otherwise() -> None:
    assert TOOLS.presence == ("digest",)
    assert replace(TOOLS, present=("version",)).presence == ("version",)


def test_shapes_are_values() -> None:
    children: dict[str, Child] = {"tools": TOOLS, "hosts": HOSTS}
    twin = replace(AGENTS, children=children)
    children.clear()
    for same in (twin, pickle.loads(pickle.dumps(AGENTS)), copy.deepcopy(AGENTS)):  # noqa: S301
        assert same == AGENTS
        assert hash(same) == hash(AGENTS)
        assert same.row_columns() == AGENTS.row_columns()
        with pytest.raises(TypeError):
            same.children["tools"].on["more"] = "id"  # type: ignore[index]
    assert replace(AGENTS, null_key="skip") != AGENTS
    with pytest.raises(FrozenInstanceError):
        AGENTS.table = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        AGENTS.children["more"] = HOSTS  # type: ignore[index]
    assert replace(AGENTS, json={"name": "lazy"}) != AGENTS


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"columns": ("id", "id")}, "agents: column 'id' is listed twice"),
        ({"key": ("uid",)}, "agents: key column 'uid' is not among the columns"),
        ({"key": ()}, "agents: the key must name at least one column"),
        ({"key": "id"}, "agents: key must be a tuple of names, not the string 'id'"),
        ({"columns": ("id", 3)}, r"agents: columns must be names, got \('id', 3\)"),
        ({"children": {"name": HOSTS}}, "agents: 'name' names both a column and a child"),
        ({"null_key": "drop"}, 'agents: null_key must be "error", "skip" or "group"'),
        ({"table": 3}, "shape: table must be a string, got 3"),
        ({"where": None}, "agents: where must be a string, got None"),
        ({"query": 3}, "agents: query must be a string, got 3"),
        ({"orphans": "drop"}, 'agents: orphans must be "error" or "ignore"'),
        ({"limit": -1}, "agents: limit must be a number of records, got -1"),
        ({"limit": True}, "agents: limit must be a number of records, got True"),
        ({"key": ("id", "id")}, "agents: key column 'id' is listed twice"),
        ({"order": ("-uid",)}, "agents: order column 'uid' is not among the columns"),
        ({"order": ("id", "-id")}, "agents: order column 'id' is listed twice"),
        ({"order": ("name",)}, "agents: JSON column 'name' cannot be in the key or the order"),
        ({"json": {"uid": "raw"}}, "agents: json column 'uid' is not among the columns"),
        (
            {"json": {"name": "fast"}},
            'agents: the policy of \'name\' must be "text", "raw", "lazy", "shared" or "eager"',
        ),
        (
            {"children": {"x.y": LABELS, "x": replace(LABELS, children={"y": LABELS})}},
            "agents: two columns of a row are called 'x.y.name'",
        ),
        ({"children": {"": HOSTS}}, "agents: two collections are called ''"),
        (
            {"children": {"agents": Child(key=("id",), columns=("id",))}},
            "agents: two columns of a row are called 'agents.id'",
        ),
    ],
)
def test_a_shape_that_contradicts_itself_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        replace(AGENTS, **wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"columns": ("digest", "digest")}, "column 'digest' is listed twice"),
        ({"key": ("uid",)}, "key column 'uid' is not among the columns"),
        ({"present": ("uid",)}, "present column 'uid' is not among the columns"),
        ({"key": ()}, "without a key, name the columns that are NULL if it is absent"),
        ({"on": {"agent": 3}}, r"on must be names, got \(3,\)"),
        ({"table": 3}, "table must be a string, got 3"),
        ({"children": {"version": LABELS}}, "'version' names both a column and a child"),
    ],
)
def test_a_child_that_contradicts_itself_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^child: {message}$"):
        replace(TOOLS, **wrong)

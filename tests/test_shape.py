"""Shapes say what a row holds, and refuse to contradict themselves."""

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from meshaccel.shape import Child, Shape

LABELS = Child(key=("name",), columns=("name",))
TOOLS = Child(key=("digest",), columns=("digest", "version"), children={"labels": LABELS})
HOSTS = Child(key=(), columns=("host",), present=("host",))
AGENTS = Shape(
    "agents", key=("id",), columns=("id", "name"), children={"tools": TOOLS, "hosts": HOSTS}
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


def test_presence_is_the_key_unless_said_otherwise() -> None:
    assert TOOLS.presence == ("digest",)
    assert replace(TOOLS, present=("version",)).presence == ("version",)


def test_shapes_are_values() -> None:
    children: dict[str, Child] = {"tools": TOOLS, "hosts": HOSTS}
    twin = Shape("agents", key=("id",), columns=("id", "name"), children=children)
    children.clear()
    assert twin == AGENTS
    assert hash(twin) == hash(AGENTS)
    assert replace(AGENTS, null_key="skip") != AGENTS
    with pytest.raises(FrozenInstanceError):
        AGENTS.table = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        AGENTS.children["more"] = HOSTS  # type: ignore[index]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"columns": ("id", "id")}, "agents: column 'id' is listed twice"),
        ({"key": ("uid",)}, "agents: key column 'uid' is not among the columns"),
        ({"key": ()}, "agents: the key must name at least one column"),
        ({"key": "id"}, "agents: key must be a tuple of names, not the string 'id'"),
        ({"columns": ("id", 3)}, r"agents: columns must be names, got \('id', 3\)"),
        ({"children": {"name": HOSTS}}, "agents: 'name' names both a column and a child"),
        ({"null_key": "group"}, 'agents: null_key must be "error" or "skip"'),
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
        ({"children": {"version": LABELS}}, "'version' names both a column and a child"),
    ],
)
def test_a_child_that_contradicts_itself_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^child: {message}$"):
        replace(TOOLS, **wrong)

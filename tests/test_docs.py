"""The documents hang together: links lead somewhere, commands, tests and docstrings are there."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType

import pytest

import meshaccel
from meshaccel import _native

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PARTS = [
    "rows",
    "pool",
    "metadata",
    "cache",
    "cache_l1",
    "cache_l2",
    "resilience",
    "classification",
    "discovery",
]
HEADINGS = [
    "In use",
    "What is promised",
    "Errors",
    "Cost",
    "Limits",
    "When not to use it",
]
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: str(page.name))
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(FENCE.sub("", page.read_text())):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("part", PARTS)
def test_pages_of_parts_have_one_form(part: str) -> None:
    """Who knows one page finds his way in all."""
    text = FENCE.sub("", (DOCS / f"{part}.md").read_text())
    assert text.splitlines()[2].startswith("For "), "first it says what it is for"
    assert set(HEADINGS) <= set(re.findall(r"^## (.*)$", text, re.MULTILINE))
    in_use = text.split("## In use\n")[1].split("\n## ")[0]
    assert re.search(r"\(\.\./examples/\w+\.py\)", in_use), "there is a program to see"


def test_index_names_every_page() -> None:
    index = (DOCS / "README.md").read_text()
    named = {link for link in LINK.findall(index) if "/" not in link}
    assert named == {page.name for page in PAGES} - {"README.md"}


def test_brief_names_commands_and_tests_that_exist() -> None:
    text = (DOCS / "brief.md").read_text()
    commands = re.findall(r"`python -m ([\w.]+)", text)
    assert len(set(commands)) >= 8
    places = [ROOT / each.replace(".", "/") for each in commands]
    assert [
        each
        for each in places
        if not (each.with_suffix(".py").exists() or (each / "__main__.py").exists())
    ] == []
    tests = re.findall(r"`(tests/[\w/.]+)`", text)
    assert len(tests) >= 8
    assert [each for each in tests if not (ROOT / each).exists()] == []


def methods(kind: type) -> Iterator[tuple[str, FunctionType]]:
    """Return the public functions and properties that a Python class defines."""
    for name, value in vars(kind).items():
        function = value.fget if isinstance(value, property) else value
        function = getattr(function, "__func__", function)
        if not name.startswith("_") and inspect.isfunction(function):
            yield name, function


CLASSES = [
    value
    for name in meshaccel.__all__
    if isinstance(value := getattr(meshaccel, name), type)
    # A frozen container refuses whatever changes a dict or a list; dict and list describe that.
    if value not in (meshaccel.FrozenDict, meshaccel.FrozenList)
]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: str(kind.__name__))
def test_methods_are_documented_with_what_they_raise(kind: type) -> None:
    assert (kind.__doc__ or "").strip()
    for name, function in methods(kind):
        doc = inspect.getdoc(function) or ""
        assert doc, f"{kind.__name__}.{name}"
        for error in re.findall(
            r"^ +raise (\w+Error|PoolFull)\(", inspect.getsource(function), re.MULTILINE
        ):
            assert error in doc, f"{kind.__name__}.{name} raises {error}"


def test_native_members_say_what_they_are() -> None:
    """`help` of a native class tells in a line what the stub tells in full."""
    native = [kind for kind in CLASSES if getattr(_native, kind.__name__, None) is kind]
    assert meshaccel.TagCache in native
    silent = [
        f"{kind.__name__}.{name}"
        for kind in native
        for name, value in vars(kind).items()
        if not name.startswith("_") and not (getattr(value, "__doc__", None) or "").strip()
    ]
    assert silent == []

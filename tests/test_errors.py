"""What is written of the errors is what there is."""

import pickle
import re
from pathlib import Path
from typing import Any

import pytest

import meshaccel.errors
from meshaccel.errors import MeshAccelError
from meshaccel.http.app import _STATUS

PAGE = (Path(__file__).parent.parent / "docs" / "errors.md").read_text()
NAMED = re.compile(r"(\w+)`?(?: \((\w+)\))?")


def subclasses(kind: type[MeshAccelError]) -> list[type[MeshAccelError]]:
    """Return the errors below one, depth first, as they are defined."""
    return [each for own in kind.__subclasses__() for each in (own, *subclasses(own))]


ERRORS = [each for each in subclasses(MeshAccelError) if each.__module__ == "meshaccel.errors"]


def also(kind: type[MeshAccelError]) -> str:
    """Name the class of Python that an error is as well, if its base class is not."""
    own = [base.__name__ for base in kind.__bases__ if not issubclass(base, MeshAccelError)]
    return "".join(own)


def test_tree_in_the_module_is_that_of_the_classes() -> None:
    """Name by name, with depth, order and the classes of Python."""
    drawn = re.findall(
        r"^    ([│├└─ ]*)(\w+)(?: \((\w+)\))?", meshaccel.errors.__doc__ or "", re.MULTILINE
    )
    assert [(len(lines) // 4, name, builtin) for lines, name, builtin in drawn[1:]] == [
        (kind.__mro__.index(MeshAccelError), kind.__name__, also(kind)) for kind in ERRORS
    ]
    *_, last = drawn
    assert last[0] == "└── "


def test_page_describes_every_error() -> None:
    """A new error needs a row or heading in docs/errors.md, under its base class."""
    described: dict[str, tuple[str, str]] = {}
    section = ""
    for line in PAGE.splitlines():
        if line.startswith("## ") and (named := NAMED.fullmatch(line[3:])):
            section = named[1]
            described[section] = ("MeshAccelError", named[2] or "")
        elif line.startswith("## "):
            section = "MeshAccelError"
        elif line.startswith("| `") and (named := NAMED.match(line[3:])):
            described[named[1]] = (section, named[2] or "")
    bases = {kind.__name__: kind.__mro__[kind.__mro__.index(MeshAccelError) - 1] for kind in ERRORS}
    assert described == {
        kind.__name__: (
            "MeshAccelError" if bases[kind.__name__] is kind else bases[kind.__name__].__name__,
            also(kind),
        )
        for kind in ERRORS
    }


def test_page_tells_the_status_of_each_answer() -> None:
    answered = dict(re.findall(r"`(\w+)`.*answered with (\d+)", PAGE))
    answered["DatabaseError"] = "503"
    assert "The registry answers with 503" in PAGE
    public = {kind: status for kind, status in _STATUS.items() if kind in ERRORS}
    assert answered == {kind.__name__: str(status) for kind, status in public.items()}


SAMPLES: dict[str, Any] = {"row": 3, "key": ("a",), "path": ("a", 0), "limit": 9, "seconds": 1.5}


@pytest.mark.parametrize("kind", ERRORS)
def test_errors_say_something_and_survive_pickling(kind: type[MeshAccelError]) -> None:
    """An error may have to travel from a worker process to whoever waits."""
    code = getattr(kind.__init__, "__code__", None)
    names = code.co_varnames[1 : code.co_argcount] if code else ("message",)
    error = kind(*(SAMPLES.get(name, name) for name in names))
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert (type(again), str(again), vars(again)) == (kind, str(error), vars(error))
    assert str(error)
    assert kind.__doc__

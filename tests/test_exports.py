"""The names that `meshaccel` promises."""

import subprocess
import sys

import meshaccel

VALUES = {"MISS", "__version__"}
"""All others are classes."""


def test_every_exported_name_is_there() -> None:
    """Each name of __all__ loads, and from the module that defines it."""
    for name in meshaccel.__all__:
        value = getattr(meshaccel, name)
        if name not in VALUES:
            assert value.__name__ == name


def test_exports_are_sorted() -> None:
    """A reader finds a name where the alphabet puts it, constants first."""
    names = meshaccel.__all__
    assert names == sorted(names, key=lambda name: (not name.isupper(), name))


def test_one_primitive_loads_alone() -> None:
    """The grouper needs neither the database driver nor the HTTP server."""
    program = (
        "import sys; from meshaccel import RowGrouper;"
        "heavy = {'aiosqlite', 'msgspec', 'uvicorn', 'asyncio'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)

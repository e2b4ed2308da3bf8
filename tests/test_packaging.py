"""One wheel for every CPython from 3.11 on: it installs into an empty environment and imports."""

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OLDEST = (3, 11)
ASK = "import sys, sysconfig; print(*sys.version_info[:2], sys.implementation.name, sys.executable)"
PROGRAM = (
    "import meshaccel; from meshaccel import RowGrouper, Shape;"
    "assert RowGrouper(Shape('t', key=('a',), columns=('a',))).group([(1,)]) == [{'a': 1}];"
    "import meshaccel.db.migrations; assert meshaccel.db.migrations.available();"
    "from meshaccel.http.ui.files import page_files;"
    "assert {'index.html', 'main.js', 'base.css'} <= set(page_files());"
    "print(meshaccel.__version__)"
)


@cache
def interpreters() -> list[str]:
    """Return one executable per CPython version on this machine, from 3.11 on."""
    folders = [Path(folder) for folder in os.environ["PATH"].split(os.pathsep)]
    folders += sorted(Path.home().glob(".pyenv/versions/*/bin"))
    found: dict[tuple[int, int], str] = {sys.version_info[:2]: sys.executable}
    for folder in folders:
        for executable in folder.glob("python3.*") if folder.is_dir() else ():
            if re.fullmatch(r"python3\.\d+", executable.name):
                _note(executable, found)
    return [found[version] for version in sorted(found)]


def _note(executable: Path, found: dict[tuple[int, int], str]) -> None:
    asked = subprocess.run([executable, "-c", ASK], capture_output=True, text=True, check=False)
    if asked.returncode == 0:
        major, minor, implementation, path = asked.stdout.split(maxsplit=3)
        version = int(major), int(minor)
        if implementation == "cpython" and version >= OLDEST:
            found.setdefault(version, path.strip())


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as `make build` builds it."""
    if shutil.which("maturin", path=str(Path(sys.executable).parent)) is None:
        pytest.skip("needs maturin beside the interpreter")
    out = tmp_path_factory.mktemp("dist")
    maturin = Path(sys.executable).parent / "maturin"
    command: list[str | Path] = [maturin, "build", "--release", "--quiet", "--out", out]
    subprocess.run(command, cwd=ROOT, check=True, timeout=500)
    (built,) = out.glob("*.whl")
    return built


def test_wheel_is_for_the_stable_abi(wheel: Path) -> None:
    """The file name promises every CPython from 3.11 on."""
    assert "-cp311-abi3-" in wheel.name


@pytest.mark.parametrize("python", interpreters())
def test_wheel_installs_and_imports(python: str, wheel: Path, tmp_path: Path) -> None:
    """In a new environment the wheel and what it needs install, and the command line answers."""
    environment = tmp_path / "empty"
    subprocess.run([python, "-m", "venv", environment], check=True)
    binaries = environment / ("Scripts" if os.name == "nt" else "bin")
    install: list[str | Path] = [binaries / "python", "-m", "pip", "install", "--quiet", wheel]
    subprocess.run(install, check=True, cwd=tmp_path)
    isolated: list[str | Path] = [binaries / "python", "-I", "-W", "error", "-c", PROGRAM]
    printed = subprocess.run(isolated, check=True, cwd=tmp_path, capture_output=True, text=True)
    command = subprocess.run(
        [binaries / "meshaccel", "--version"], check=True, capture_output=True, text=True
    )
    assert printed.stdout.strip() in command.stdout

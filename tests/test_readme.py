"""What README and docs show works: their Python runs, and so do the README's five minutes."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.integration.processes import free_port

ROOT = Path(__file__).parent.parent
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = FENCED.findall((ROOT / "README.md").read_text())
PYTHON = [
    pytest.param(text, id=f"{page.name}-{number}")
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    for number, (kind, text) in enumerate(FENCED.findall(page.read_text()))
    if kind == "python"
]
SERVERS = ("make serve", "hello_provider.py", "hello_consumer.py")
"""What marks a command that does not end by itself."""

DEADLINE_S = 180.0


@pytest.mark.parametrize("program", PYTHON)
def test_python_blocks_run(program: str) -> None:
    """Each Python block is a program of its own whose assertions hold."""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=DEADLINE_S)


class Terminal:
    """Runs the README's shell blocks on ports of its own."""

    def __init__(self, folder: Path) -> None:
        self._ports = {"8000": free_port(), "9001": free_port(), "9002": free_port()}
        registry = f"http://127.0.0.1:{self._ports['8000']}"
        self._environment = os.environ | {
            "PORT": str(self._ports["8000"]),
            "DATABASE_URL": str(folder / "meshaccel.db"),
            "MCP_MESH_REGISTRY_URL": registry,
            "MCP_MESH_HEALTH_INTERVAL": "1",
        }
        self._log = (folder / "log").open("w+")
        self._servers: list[subprocess.Popen[str]] = []

    def run(self, block: str) -> str:
        """Run a block; return what it prints, or nothing if it goes on in the background."""
        for documented, free in self._ports.items():
            block = block.replace(f":{documented}", f":{free}")
        environment = dict(self._environment)
        for name, documented in (("provider", "9001"), ("consumer", "9002")):
            if f"hello_{name}.py" in block:
                environment["MCP_MESH_HTTP_PORT"] = str(self._ports[documented])
        command = ["sh", "-ec", block]
        if any(server in block for server in SERVERS):
            self._servers.append(
                subprocess.Popen(
                    command,
                    cwd=ROOT,
                    env=environment,
                    stdout=self._log,
                    stderr=self._log,
                    text=True,
                    start_new_session=True,
                )
            )
            return ""
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        return done.stdout + done.stderr

    def log(self) -> str:
        """Return what the servers printed."""
        self._log.flush()
        return Path(self._log.name).read_text()

    def close(self) -> None:
        """End everything that was started."""
        for server in self._servers:
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
            server.wait()
        self._log.close()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal whose servers end with the test."""
    opened = Terminal(tmp_path)
    yield opened
    opened.close()


@pytest.mark.skipif(find_spec("mesh") is None, reason="needs the agents' SDK: pip install mcp-mesh")
@pytest.mark.skipif(not (ROOT / ".venv").exists(), reason="the README's commands use .venv")
def test_five_minutes(terminal: Terminal) -> None:
    """Typed in one after the other, the commands print what the README says they print."""
    shell = [(kind, text) for kind, text in BLOCKS if kind in {"sh", "text"}]
    for number, (kind, text) in enumerate(shell):
        if kind == "text":
            continue
        follows = shell[number + 1] if number + 1 < len(shell) else ("", "")
        wanted = follows[1].splitlines() if follows[0] == "text" else []
        deadline = time.monotonic() + DEADLINE_S
        while True:
            printed = terminal.run(text)
            if all(line in printed for line in wanted):
                break
            assert time.monotonic() < deadline, f"{text}\n{printed}\n{terminal.log()}"
            time.sleep(0.5)

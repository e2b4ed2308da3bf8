"""Registries as processes of a bench: ours, and upstream's binary for comparison."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benches.loadgen import HOST, cpu_seconds, resident_bytes

NPM_PACKAGE = "@mcpmesh/cli-linux-x64"
OURS, UPSTREAM = "ours", "upstream"
OUR_COMMAND = (sys.executable, "-m", "meshaccel", "serve")
START_S = 20.0


def fetch_upstream(folder: Path) -> Path:
    """Install upstream's package from npm into a folder; return the registry in it."""
    subprocess.run(
        ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, NPM_PACKAGE],
        check=True,
        stdout=sys.stderr,
    )
    return folder / "node_modules" / NPM_PACKAGE / "bin" / "mcp-mesh-registry"


class Registry:
    """A registry on a new database of its own; leaving the context ends it."""

    def __init__(self, name: str, command: Sequence[str], folder: Path) -> None:
        self.name = name
        self.port = _free_port()
        self._command = command
        self._log = (folder / f"{name}.log").open("wb")
        self._process = subprocess.Popen(
            command,
            env=_environment(self.port, folder / f"{name}.db"),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        try:
            self._wait()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def end(self) -> None:
        """Kill the process group and wait for it."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._log.close()

    def cpu_seconds(self) -> float:
        """Return the CPU time that the service has taken so far."""
        return cpu_seconds(self._process.pid)

    def resident_mb(self) -> float:
        """Return the resident memory of the service."""
        return resident_bytes(self._process.pid) / 1e6

    def version(self) -> str:
        """Return what the service says of itself; upstream's says it on its command line."""
        if self.name == UPSTREAM:
            asked = [*self._command, "--version"]
            said = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=10)
            return said.stdout.partition("\n")[0]
        return str(self.get("/health")["version"])

    def get(self, path: str) -> Any:
        """Return the JSON answer to GET."""
        with urllib.request.urlopen(f"http://{HOST}:{self.port}{path}", timeout=30) as answer:
            return json.load(answer)

    def _wait(self) -> None:
        deadline = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                text = Path(self._log.name).read_text(errors="replace")
                raise RuntimeError(f"{self.name} does not answer:\n{text[-3000:]}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            return bool(self.get("/health")["status"] == "healthy")
        except OSError:
            return False


def _environment(port: int, database: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MCP_MESH_")}
    settings = {
        "HOST": HOST,
        "PORT": str(port),
        "DATABASE_URL": str(database),
        # Nobody here falls silent: an agent that is not heard for a while stays healthy.
        "DEFAULT_TIMEOUT_THRESHOLD": "3600",
        "HEALTH_CHECK_INTERVAL": "10",
        "MCP_MESH_LOG_LEVEL": "INFO",
    }
    return kept | settings | {"NO_PROXY": HOST, "no_proxy": HOST}


def _free_port() -> int:
    """Return a free port below the ephemeral range: no outgoing connection can take it."""
    for port in random.sample(range(10_000, 20_000), 100):
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)):
                return port
    raise RuntimeError("no free port found")

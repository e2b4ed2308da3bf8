"""Start, watch, crash and stop the registry and agent processes of the integration tests."""

from __future__ import annotations

import http.client
import json
import logging
import os
import random
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar
from urllib.parse import urlencode, urlsplit

log = logging.getLogger(__name__)
T = TypeVar("T")

HOST = "127.0.0.1"
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
POLL_SECONDS = 0.05
# What a developer's shell may have set for a registry or agent of their own.
_FOREIGN_SETTINGS = {
    "HOST",
    "PORT",
    "DATABASE_URL",
    "DEFAULT_TIMEOUT_THRESHOLD",
    "HEALTH_CHECK_INTERVAL",
    "GREETING",
}


def registry_command() -> list[str]:
    """The registry under test: ours, or the command in MESHACCEL_TEST_REGISTRY."""
    override = os.environ.get("MESHACCEL_TEST_REGISTRY")
    return shlex.split(override) if override else [sys.executable, "-m", "meshaccel", "serve"]


def is_upstream() -> bool:
    """Whether the registry under test is upstream's binary, run for comparison."""
    return Path(registry_command()[0]).name.startswith("mcp-mesh-registry")


def free_port() -> int:
    """A free port below the ephemeral range, so that no outgoing connection can take it."""
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return port
    raise RuntimeError("no free port found")


class Response(NamedTuple):
    """Status and body of an HTTP answer."""

    status: int
    body: bytes


def request(
    method: str,
    url: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 60.0,
) -> Response:
    """One HTTP request on a connection of its own; OSError if nobody answers."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=timeout)
    try:
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request(method, target, body, dict(headers or {}))
        answer = connection.getresponse()
        return Response(answer.status, answer.read())
    except http.client.HTTPException as error:
        raise OSError(f"{method} {url}: {error!r}") from error
    finally:
        connection.close()


class Process:
    """A child in its own process group whose output is kept in a log file."""

    def __init__(
        self, name: str, command: Sequence[str], env: Mapping[str, str], directory: Path
    ) -> None:
        """Describe the process; `start` runs it."""
        self.name = name
        self.command = list(command)
        self.env = dict(env)
        self.directory = directory
        self.log = directory / f"{name}.log"
        self._child: subprocess.Popen[bytes] | None = None
        self._should_run = False

    @property
    def pid(self) -> int:
        """The process id of the latest start."""
        assert self._child is not None, f"{self.name} was never started"
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._child is not None and self._child.poll() is None

    @property
    def died(self) -> bool:
        """Whether the process ended although nobody here asked it to."""
        return self._should_run and not self.running

    def start(self) -> None:
        """Run the process; the output is appended to the log of earlier runs."""
        assert not self.running, f"{self.name} is already running"
        with self.log.open("ab") as output:
            self._child = subprocess.Popen(
                self.command,
                env=_clean_environment() | self.env,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._should_run = True

    def kill(self) -> None:
        """End the process and its children with SIGKILL, as a crash would."""
        self._should_run = False
        if self._child is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()

    def terminate(self, timeout: float = 60.0) -> int:
        """Ask the process to end with SIGTERM and return its exit code."""
        assert self._child is not None, f"{self.name} was never started"
        self._should_run = False
        self._child.terminate()
        try:
            return self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(
                f"{self.name} ignored SIGTERM for {timeout} s\n{self.tail()}"
            ) from None

    def tail(self, lines: int = 40) -> str:
        """The end of the log, headed by the name and state of the process."""
        code = None if self._child is None else self._child.poll()
        state = "not started" if self._child is None else "running"
        state = state if code is None else f"ended with {code}"
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join([f"--- {self.name} ({state})", *text.splitlines()[-lines:]])


def _clean_environment() -> dict[str, str]:
    """The environment without foreign mesh settings and proxies."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if key not in _FOREIGN_SETTINGS and not key.startswith("MCP_MESH_")
    }
    return kept | {"NO_PROXY": HOST, "no_proxy": HOST, "PYTHONUNBUFFERED": "1"}


class Registry(Process):
    """A registry on a port and database of its own, which survive restarts."""

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        command: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Describe the registry; `env` overrides the quick test settings."""
        self.port = port or free_port()
        self.url = f"http://{HOST}:{self.port}"
        settings = {
            "HOST": HOST,
            "PORT": str(self.port),
            "DATABASE_URL": str(directory / "registry.db"),
            "DEFAULT_TIMEOUT_THRESHOLD": "8",
            "HEALTH_CHECK_INTERVAL": "1",
            "MCP_MESH_LOG_LEVEL": "INFO",
        }
        super().__init__(
            "registry", command or registry_command(), settings | dict(env or {}), directory
        )

    def start(self) -> None:
        """Run the registry and wait until it answers."""
        super().start()
        wait_for("registry answers GET /health", self._health, lambda code: code == 200, [self])

    def _health(self) -> int:
        return request("GET", f"{self.url}/health").status

    def get(self, path: str, **query: str) -> Any:
        """The JSON answer of GET `path`."""
        answer = request("GET", f"{self.url}{path}?{urlencode(query)}")
        if answer.status != 200:
            raise OSError(f"GET {path} answered {answer.status}: {answer.body[:200]!r}")
        return json.loads(answer.body)

    def agents(self) -> dict[str, dict[str, Any]]:
        """GET /agents, by agent id."""
        return {agent["id"]: agent for agent in self.get("/agents")["agents"] or []}

    def head(self, agent_id: str) -> int:
        """The status of HEAD /heartbeat/{agent_id}: 200 means known and up to date."""
        return request("HEAD", f"{self.url}/heartbeat/{agent_id}").status

    def events(self, **query: str) -> list[dict[str, Any]]:
        """GET /events, newest first."""
        events: list[dict[str, Any]] = self.get("/events", **query)["events"] or []
        return events


class Agent(Process):
    """One of the example agents under a pinned agent id, on a port of the system's choice."""

    def __init__(
        self, script: str, agent_id: str, registry_url: str, directory: Path, **env: str
    ) -> None:
        """Describe the agent; `env` adds to or overrides its settings."""
        self.agent_id = agent_id
        settings = {
            "HOST": HOST,
            "MCP_MESH_AGENT_ID": agent_id,
            "MCP_MESH_HEALTH_INTERVAL": "1",
            "MCP_MESH_HTTP_HOST": HOST,
            "MCP_MESH_HTTP_PORT": "0",
            "MCP_MESH_REGISTRY_URL": registry_url,
            # Answer early calls with the wiring of the moment instead of waiting for a better one.
            "MCP_MESH_SETTLE_TIMEOUT": "0",
        }
        command = [
            os.environ.get("MESHACCEL_TEST_AGENT_PYTHON", sys.executable),
            str(EXAMPLES / script),
        ]
        super().__init__(agent_id, command, settings | env, directory)


class Mesh:
    """A registry and its agents; leaving the context kills them all."""

    def __init__(self, registry: Registry, *, agent_registry_url: str | None = None) -> None:
        """Describe the mesh; agents may be given the address of a proxy instead."""
        self.registry = registry
        self.members: list[Agent] = []
        self._agent_registry_url = agent_registry_url or registry.url
        self._cleanup = ExitStack()

    def __enter__(self) -> Self:
        """Start the registry."""
        self._cleanup.callback(self.registry.kill)
        try:
            self.registry.start()
        except BaseException:
            self._cleanup.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill every process of the mesh."""
        self._cleanup.close()

    def start_agent(self, script: str, agent_id: str, **env: str) -> Agent:
        """Start an agent without waiting for it, so that several can start at once."""
        agent = Agent(script, agent_id, self._agent_registry_url, self.registry.directory, **env)
        self.members.append(agent)
        self._cleanup.callback(agent.kill)
        agent.start()
        return agent

    def wait_for(
        self, what: str, probe: Callable[[], T], done: Callable[[T], bool], timeout: float = 90.0
    ) -> T:
        """Like the function `wait_for`, watching all processes of this mesh."""
        return wait_for(what, probe, done, [self.registry, *self.members], timeout)

    def wait_healthy(self, *agents: Agent) -> None:
        """Wait until the registry lists the agents as healthy."""
        ids = [agent.agent_id for agent in agents]
        self.wait_for(
            f"{', '.join(ids)} healthy in GET /agents",
            lambda: {one: self.status(one) for one in ids},
            lambda status: set(status.values()) == {"healthy"},
        )

    def status(self, agent_id: str) -> str:
        """The status GET /agents shows for an agent, or `absent`."""
        return str(self.registry.agents().get(agent_id, {}).get("status", "absent"))

    def endpoint(self, agent: Agent) -> str:
        """The address under which the registry lists an agent; OSError if it does not."""
        listed = self.registry.agents().get(agent.agent_id)
        if listed is None:
            raise OSError(f"{agent.agent_id} is not in GET /agents")
        return str(listed["endpoint"])


def wait_for(
    what: str,
    probe: Callable[[], T],
    done: Callable[[T], bool],
    processes: Iterable[Process],
    timeout: float = 90.0,
) -> T:
    """Poll until `done(probe())`, or fail with the last value and the ends of all logs."""
    __tracebackhide__ = True
    watched = list(processes)
    started = time.monotonic()
    last: object = None
    while time.monotonic() - started < timeout:
        try:
            last = value = probe()
            if done(value):
                log.info("%s: after %.2f s", what, time.monotonic() - started)
                return value
        except OSError as error:
            last = error
        dead = [process.name for process in watched if process.died]
        if dead:
            what = f"{', '.join(dead)} ended by itself; {what}"
            break
        time.sleep(POLL_SECONDS)
    elapsed = time.monotonic() - started
    tails = "\n".join(process.tail() for process in watched)
    raise AssertionError(f"{what}: not within {elapsed:.1f} s; last seen: {last!r}\n{tails}")

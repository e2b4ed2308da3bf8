"""Unmodified agents from PyPI, as real processes, against a real registry process.

The registry under test is ours unless MESHACCEL_TEST_REGISTRY names another command.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from .mcp_call import ToolCallError, call_tool
from .processes import Agent, Mesh, Registry, is_upstream
from .recording_proxy import Exchange, RecordingProxy

# Only look for the SDK: importing it would start its runtime in this process.
pytestmark = pytest.mark.skipif(
    find_spec("mesh") is None and "MESHACCEL_TEST_AGENT_PYTHON" not in os.environ,
    reason="needs the agents' SDK: pip install mcp-mesh",
)

PROVIDER, CONSUMER = "hello_provider.py", "hello_consumer.py"
GREETED = "Hello, Ann! Welcome to the mesh."
OUTAGE_S = 10.0
"""Longer than the time after which silence counts as death."""
BACK_S = 120.0
"""Agents that found no registry wait up to 30 seconds between two attempts."""
UNHEARD = "Nobody is here to greet Ann."

# Upstream's registry is known to fail these; strict, so that we notice when it no longer does.
ours_only = pytest.mark.xfail(
    is_upstream(),
    raises=AssertionError,
    strict=True,
    reason="upstream's registry does not do this",
)


def welcome(mesh: Mesh, consumer: Agent) -> str:
    """Call the consumer's tool, which calls the injected provider; failures become text."""
    try:
        return call_tool(mesh.endpoint(consumer), "welcome", {"name": "Ann"})
    except ToolCallError as error:
        return f"tool failed: {error}"


def wait_greeted(mesh: Mesh, consumer: Agent, greeting: str, timeout: float = 120.0) -> None:
    """Wait until the consumer's call is answered by the provider that greets so."""
    mesh.wait_for(
        f"{consumer.agent_id} gets {greeting!r}",
        lambda: welcome(mesh, consumer),
        lambda reply: reply == f"{greeting}, Ann! Welcome to the mesh.",
        timeout,
    )


class Trio:
    """A consumer with two providers, of which the first is preferred (by agent id)."""

    def __init__(self, mesh: Mesh) -> None:
        """Start all three at once."""
        self.mesh = mesh
        self.first = mesh.start_agent(PROVIDER, "provider-1", GREETING="Hello")
        self.second = mesh.start_agent(PROVIDER, "provider-2", GREETING="Bonjour")
        self.consumer = mesh.start_agent(CONSUMER, "consumer-1")
        self.members = (self.first, self.second, self.consumer)

    def restore(self) -> None:
        """Start again what a former test ended, and wait for the usual wiring."""
        for process in (self.mesh.registry, *self.members):
            if not process.running:
                process.start()
        self.mesh.wait_healthy(*self.members)
        wait_greeted(self.mesh, self.consumer, "Hello")


@pytest.fixture(scope="module")
def started_trio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trio]:
    """The trio's processes, shared by the tests of this module."""
    with Mesh(Registry(tmp_path_factory.mktemp("trio"))) as mesh:
        yield Trio(mesh)


@pytest.fixture
def trio(started_trio: Trio) -> Trio:
    """The trio, complete and wired to the first provider."""
    started_trio.restore()
    return started_trio


def test_agents_appear_healthy(trio: Trio) -> None:
    """Real agents register: GET /agents lists them as healthy, with endpoint and wiring."""
    agents = trio.mesh.registry.agents()
    assert set(agents) == {"provider-1", "provider-2", "consumer-1"}
    assert {agent["status"] for agent in agents.values()} == {"healthy"}
    assert len({agent["endpoint"] for agent in agents.values()}) == 3
    consumer = agents["consumer-1"]
    assert consumer["name"] == "hello-consumer"
    assert (consumer["total_dependencies"], consumer["dependencies_resolved"]) == (1, 1)
    [wiring] = consumer["dependency_resolutions"]
    assert wiring["provider_agent_id"] == "provider-1"
    assert wiring["endpoint"] == agents["provider-1"]["endpoint"]


def test_call_goes_through_the_injected_dependency(trio: Trio) -> None:
    """A call of the consumer's tool returns what the injected provider answered."""
    assert welcome(trio.mesh, trio.consumer) == "Hello, Ann! Welcome to the mesh."


def test_crashed_provider_is_replaced(trio: Trio) -> None:
    """After kill -9 of its provider a running consumer is rewired to the second one."""
    pid = trio.consumer.pid
    trio.first.kill()
    wait_greeted(trio.mesh, trio.consumer, "Bonjour")
    assert trio.mesh.status("provider-1") == "unhealthy"
    assert trio.consumer.running
    assert trio.consumer.pid == pid


def test_agents_survive_a_registry_crash(trio: Trio) -> None:
    """Calls work while the registry is down, and all agents return to the restarted one."""
    registry, endpoint = trio.mesh.registry, trio.mesh.endpoint(trio.consumer)
    pids = [agent.pid for agent in trio.members]
    registry.kill()
    assert call_tool(endpoint, "welcome", {"name": "Bob"}) == "Hello, Bob! Welcome to the mesh."
    registry.start()
    wait_for_beats(trio)
    wait_settled(trio)
    wait_greeted(trio.mesh, trio.consumer, "Hello")
    assert registry.agents()["consumer-1"]["dependencies_resolved"] == 1
    assert [agent.pid for agent in trio.members] == pids


def test_agents_survive_the_loss_of_the_database(trio: Trio) -> None:
    """Agents unknown to a registry that lost its database register again by themselves."""
    registry = trio.mesh.registry
    registry.kill()
    for file in registry.directory.glob("registry.db*"):
        file.unlink()
    registry.start()
    trio.mesh.wait_healthy(*trio.members)
    wait_settled(trio)
    wait_greeted(trio.mesh, trio.consumer, "Hello")


def wait_settled(trio: Trio) -> None:
    """Wait until the registry asks no agent for another full heartbeat."""
    ids = [agent.agent_id for agent in trio.members]
    trio.mesh.wait_for(
        "HEAD of every agent is 200",
        lambda: {one: trio.mesh.registry.head(one) for one in ids},
        lambda status: set(status.values()) == {200},
    )


def wait_for_beats(trio: Trio) -> None:
    """Wait until every agent was seen once more than it is now, and is healthy."""

    def last_seen() -> dict[str, str]:
        agents = trio.mesh.registry.agents().values()
        return {one["id"]: one["last_seen"] for one in agents if one["status"] == "healthy"}

    before = last_seen()
    trio.mesh.wait_for(
        "all agents healthy and heard of again",
        last_seen,
        lambda now: len(now) == 3 and all(now[one] != before.get(one) for one in now),
    )


@ours_only
def test_outage_longer_than_the_timeout_unwires_nobody(trio: Trio) -> None:
    """Time in which the registry was down is not the agents' silence: calls never miss a beat."""
    # Upstream marks all it has not heard for long when it starts, and a consumer that returns
    # before its provider is told that there is none.
    registry, endpoint = trio.mesh.registry, trio.mesh.endpoint(trio.consumer)
    registry.kill()
    outage_ends = time.monotonic() + OUTAGE_S
    while time.monotonic() < outage_ends:
        assert call_tool(endpoint, "welcome", {"name": "Ann"}) == GREETED
    registry.start()
    last_seen = {one["id"]: one["last_seen"] for one in registry.agents().values()}
    back_before = time.monotonic() + BACK_S
    unheard = set(last_seen)
    while unheard:
        assert time.monotonic() < back_before, f"not heard again: {unheard}"
        assert call_tool(endpoint, "welcome", {"name": "Ann"}) == GREETED
        agents = registry.agents()
        assert {agents[one]["status"] for one in last_seen} == {"healthy"}
        unheard = {one for one in last_seen if agents[one]["last_seen"] == last_seen[one]}


def test_provider_dying_during_a_registry_outage_is_replaced(trio: Trio) -> None:
    """A restarted registry notices that a provider it remembers is dead."""
    trio.mesh.registry.kill()
    trio.first.kill()
    trio.mesh.registry.start()
    # Long enough for a registry that gives agents it remembers time to reconnect (up to 30 s).
    wait_greeted(trio.mesh, trio.consumer, "Bonjour")


def test_sigterm_unregisters(trio: Trio) -> None:
    """An agent that ends properly sends its DELETE, and its consumer is rewired."""
    trio.first.terminate()
    trio.mesh.wait_for(
        "provider-1 gone or unhealthy",
        lambda: trio.mesh.status("provider-1"),
        lambda status: status in {"absent", "unhealthy"},
    )
    assert trio.mesh.registry.events(type="unregister", agent_id="provider-1", limit="1")
    wait_greeted(trio.mesh, trio.consumer, "Bonjour")


class Observed:
    """Two consumers behind a recording proxy; their registry never times anybody out."""

    def __init__(self, mesh: Mesh, proxy: RecordingProxy) -> None:
        """Start the consumers, without a provider."""
        self.mesh = mesh
        self.proxy = proxy
        self.consumers = [mesh.start_agent(CONSUMER, f"consumer-{number}") for number in (1, 2)]
        self.provider: Agent | None = None

    def wired_provider(self) -> Agent:
        """The provider, after it has been wired into both consumers."""
        if self.provider is None:
            self.provider = self.mesh.start_agent(PROVIDER, "provider-1", GREETING="Hello")
        for consumer in self.consumers:
            wait_greeted(self.mesh, consumer, self.provider.env["GREETING"])
        return self.provider

    def wait_quiet(self, since: int) -> None:
        """Wait until the last three exchanges of each consumer are HEADs answered 200."""
        ids = [consumer.agent_id for consumer in self.consumers]
        self.mesh.wait_for(
            f"{', '.join(ids)} only send HEADs",
            lambda: [self.proxy.exchanges(one, since)[-3:] for one in ids],
            lambda ends: ends == [[Exchange("HEAD", one, 200)] * 3 for one in ids],
        )


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    """The observed consumers, shared by the tests of this module."""
    patience = {"DEFAULT_TIMEOUT_THRESHOLD": "600"}
    registry = Registry(tmp_path_factory.mktemp("observed"), env=patience)
    with (
        RecordingProxy(registry.port) as proxy,
        Mesh(registry, agent_registry_url=proxy.url) as mesh,
    ):
        yield Observed(mesh, proxy)


def test_consumer_started_first_is_wired_when_its_provider_arrives(observed: Observed) -> None:
    """Consumers run without a provider and get one as soon as it registers."""
    observed.mesh.wait_healthy(*observed.consumers)
    for consumer in observed.consumers:
        wait_answering(observed.mesh, consumer)
        assert welcome(observed.mesh, consumer) == UNHEARD
    observed.wired_provider()


def wait_answering(mesh: Mesh, consumer: Agent) -> None:
    """Wait until the consumer serves MCP; it registers a moment before it does."""
    mesh.wait_for(
        f"{consumer.agent_id} answers calls",
        lambda: welcome(mesh, consumer),
        lambda reply: not reply.startswith("tool failed"),
    )


@ours_only
def test_unrelated_agent_wakes_nobody(observed: Observed) -> None:
    """An agent nobody depends on joins, and no consumer sends another full heartbeat."""
    # Upstream answers 202 to every agent on any event, so each sends a POST: a herd of N.
    observed.wired_provider()
    observed.wait_quiet(0)
    mark = observed.proxy.mark()
    stranger = observed.mesh.start_agent(CONSUMER, "stranger-1")
    observed.mesh.wait_healthy(stranger)
    observed.wait_quiet(observed.proxy.mark())
    methods = {
        exchange.method
        for consumer in observed.consumers
        for exchange in observed.proxy.exchanges(consumer.agent_id, mark)
    }
    assert methods == {"HEAD"}


@ours_only
def test_provider_restarted_on_another_port_is_rewired(observed: Observed) -> None:
    """A provider that returns at another address before its death was noticed is followed."""
    # Upstream takes the second registration of a healthy agent for nothing new, so consumers
    # go on calling the address of the dead process.
    provider = observed.wired_provider()
    former = observed.mesh.endpoint(provider)
    provider.kill()
    provider.env["GREETING"] = "Hello again"
    provider.start()
    observed.mesh.wait_for(
        "provider-1 registered its new address",
        lambda: observed.mesh.endpoint(provider),
        lambda endpoint: endpoint != former,
    )
    for consumer in observed.consumers:
        wait_greeted(observed.mesh, consumer, "Hello again")

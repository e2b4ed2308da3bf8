"""A registry's upkeep at the time that a test chooses, and what is listed then."""

from tests.http.client import Client, Json
from tests.service import Service


def sweep(server: Service) -> int:
    return server.call(lambda registry: registry._liveness.sweep())


def flush(server: Service) -> None:
    server.call(lambda registry: registry._liveness.flush())


def agents(client: Client) -> dict[str, Json]:
    return {agent["id"]: agent for agent in client.get("/agents")["agents"]}


def events(client: Client, **query: str) -> list[str]:
    """Return types of events, oldest first."""
    return [event["event_type"] for event in reversed(client.get("/events", **query)["events"])]

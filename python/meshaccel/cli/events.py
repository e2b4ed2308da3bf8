"""``meshaccel events``: what happened in the mesh."""

import click
import httpx
import msgspec

from meshaccel.cli import output, tables
from meshaccel.cli.client import Client, registry_options
from meshaccel.cli.records import Event, Events
from meshaccel.cli.tables import Column, Table
from meshaccel.models import JsonObject

_MOST = 500
"""Events that a registry gives at once."""

_EPILOG = """
\b
Examples:
  meshaccel events
  meshaccel events --type unhealthy
  meshaccel events --agent weather-1a2b3c4d --limit 200
  meshaccel events --json | jq -r '.[].event_type'
"""


@click.command("events", epilog=_EPILOG)
@registry_options
@click.option(
    "--type",
    "event_type",
    metavar="TYPE",
    help="Only these: register, unregister, unhealthy, expire, dependency_resolved, "
    "dependency_unresolved.",
)
@click.option("--agent", metavar="ID", help="Only events of this agent.")
@click.option("--function", metavar="NAME", help="Only events of this function of an agent.")
@click.option(
    "--limit",
    type=click.IntRange(1, _MOST),
    default=50,
    show_default=True,
    help="At most so many.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array with all there is.")
def command(  # noqa: PLR0913  one for each option
    *,
    registry: httpx.URL,
    token: str | None,
    event_type: str | None,
    agent: str | None,
    function: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Show what happened in the mesh, the newest first.

    Agents come (register) and leave (unregister, unhealthy, expire); their dependencies find
    a provider (dependency_resolved) or have none any more (dependency_unresolved).
    """
    filters = {"type": event_type, "agent_id": agent, "function_name": function}
    parameters = {name: value for name, value in filters.items() if value is not None}
    with Client(registry, token) as client:
        answer = client.get("/events", {**parameters, "limit": limit})
        found = client.decode(answer, Events).events or []
        if as_json:
            output.print_json_array(map(bytes, found))
        else:
            _print([client.decode(raw, Event) for raw in found])


def _print(events: list[Event]) -> None:
    if not events:
        click.echo("no events", err=True)
        return
    table = Table(
        Column("TIME"),
        Column("EVENT"),
        Column("AGENT", fit="wrap"),
        Column("FUNCTION", fit="wrap"),
        Column("DETAILS", fit="wrap"),
    )
    for event in events:
        table.add(
            tables.time(event.timestamp),
            event.event_type,
            event.agent_id,
            event.function_name or "-",
            details(event.data or {}),
        )
    table.print()


def details(data: JsonObject) -> str:
    """Say what a person wants to know of an event's data; ``--json`` has the rest."""
    match data:
        case {"spec": {"capability": str(wanted)}, "chosen": {"agent_id": str(provider)}}:
            return f"{wanted} from {provider}"
        case {"spec": {"capability": str(wanted)}}:
            return f"{wanted} from nobody"
        case {"reason": str(reason)}:
            return reason
        case {"agent_type": _, "version": _}:
            # A first registration; its data repeat the agent's record.
            return ""
        case _:
            return msgspec.json.encode(data).decode() if data else ""

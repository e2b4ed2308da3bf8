"""``meshaccel list``: who is in the mesh."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import get_args

import click
import httpx

from meshaccel.cli import output, tables
from meshaccel.cli.client import Client, Parameters, registry_options
from meshaccel.cli.records import Agent, Page
from meshaccel.cli.tables import Column, Table
from meshaccel.models import AgentStatus, AgentType

PAGE_SIZE = 500
"""Agents asked for at a time."""

_EPILOG = """
\b
Examples:
  meshaccel list
  meshaccel list --status unhealthy
  meshaccel list --capability weather --capability maps
  meshaccel list --fuzzy --capability search
  meshaccel list --json | jq -r '.[].id'
"""


@click.command("list", epilog=_EPILOG)
@registry_options
@click.option(
    "--status", type=click.Choice(get_args(AgentStatus)), help="Only agents with this status."
)
@click.option("--namespace", help="Only agents of this namespace.")
@click.option(
    "--type", "agent_type", type=click.Choice(get_args(AgentType)), help="Only agents of this type."
)
@click.option(
    "--capability",
    "capabilities",
    multiple=True,
    metavar="NAME",
    help="Only agents that offer this; may be repeated: any of them.",
)
@click.option("--fuzzy", is_flag=True, help="--capability is a part of a name, in any case.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array with all there is.")
def command(  # noqa: PLR0913  one for each option
    *,
    registry: httpx.URL,
    token: str | None,
    status: str | None,
    namespace: str | None,
    agent_type: str | None,
    capabilities: tuple[str, ...],
    fuzzy: bool,
    as_json: bool,
) -> None:
    """List the agents of a registry.

    DEPS is how many of an agent's dependencies are served, of how many. TOOLS leaves out
    those that every agent has (their names start with two underscores). 'meshaccel show AGENT'
    has the details. A terminal too narrow for all columns loses ENDPOINT and NAME first.
    """
    filters = {"status": status, "namespace": namespace, "type": agent_type}
    parameters: Parameters = {
        **{name: value for name, value in filters.items() if value is not None},
        **({"capabilities": capabilities} if capabilities else {}),
        **({"fuzzy": "true"} if fuzzy else {}),
    }
    with Client(registry, token) as client:
        found = pages(client, parameters)
        if as_json:
            output.print_json_array(bytes(raw) for page in found for raw in page.agents or ())
            return
        table = _table()
        for page in found:
            now = page.timestamp or datetime.now(UTC)
            for raw in page.agents or ():
                _add(table, client.decode(raw, Agent), now)
    if table:
        table.print()
    else:
        click.echo("no agents", err=True)


def pages(client: Client, parameters: Parameters | None = None) -> Iterator[Page]:
    """Yield the pages of the listing."""
    parameters = {**(parameters or {}), "limit": PAGE_SIZE}
    page = client.decode(client.get("/agents", parameters), Page)
    yield page
    while page.next_cursor:
        after = {**parameters, "cursor": page.next_cursor}
        page = client.decode(client.get("/agents", after), Page)
        yield page


def _table() -> Table:
    return Table(
        Column("ID", fit="wrap"),
        Column("NAME", fit="drop"),
        Column("TYPE"),
        Column("STATUS"),
        Column("DEPS", right=True),
        Column("TOOLS", right=True),
        Column("LAST SEEN"),
        Column("ENDPOINT", fit="drop"),
    )


def _add(table: Table, agent: Agent, now: datetime) -> None:
    seen = "-" if agent.last_seen is None else tables.ago((now - agent.last_seen).total_seconds())
    table.add(
        agent.id,
        agent.name,
        agent.agent_type,
        tables.status(agent.status),
        f"{agent.dependencies_resolved}/{agent.total_dependencies}",
        str(len(agent.own_capabilities)),
        seen,
        agent.endpoint,
    )

"""``meshaccel show``: all about one agent."""

from collections.abc import Iterator, Sequence

import click
import httpx

from meshaccel.cli import output, tables
from meshaccel.cli.client import Client, NotFoundError, agent_path, registry_options
from meshaccel.cli.listing import pages
from meshaccel.cli.output import Failure
from meshaccel.cli.records import Agent, Capability, Resolution
from meshaccel.cli.tables import Cell, Column, Table

_EPILOG = """
\b
Examples:
  meshaccel show weather-1a2b3c4d
  meshaccel show com.example/mail
  meshaccel show weather-1a2b3c4d --json | jq '.tools[].inputSchema'
"""


MOST_NAMED = 5
"""Agents named where several may be meant."""


@click.command("show", epilog=_EPILOG)
@click.argument("agent")
@registry_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with schemas and all there is.")
def command(*, agent: str, registry: httpx.URL, token: str | None, as_json: bool) -> None:
    """Show one agent: what it is, what it offers, and who serves what it needs.

    AGENT is an id as 'meshaccel list' shows it, or the beginning of one, or a name, as long as
    only one agent is meant.
    """
    if not agent:
        raise click.BadParameter("is empty.", param_hint="AGENT")
    with Client(registry, token) as client:
        answer = _find(client, agent)
        found = client.decode(answer, Agent)
    if as_json:
        click.echo(output.json_text(answer, indent=2))
        return
    _print_fields(found)
    _print_capabilities(found)
    _print_resolutions("Dependencies", found.dependency_resolutions)
    _print_resolutions("LLM tools", found.llm_tool_resolutions)
    _print_resolutions("LLM providers", found.llm_provider_resolutions)


def _find(client: Client, agent: str) -> bytes:
    """Return the agent with this id, or the only one whose id begins so or whose name it is."""
    try:
        return client.get(agent_path(agent))
    except NotFoundError:
        meant = [
            listed.id
            for page in pages(client)
            for listed in (client.decode(raw, Agent) for raw in page.agents or ())
            if listed.id.startswith(agent) or listed.name == agent
        ]
        if not meant:
            raise
    if len(meant) > 1:
        some = ", ".join(meant[:MOST_NAMED]) + (", ..." if len(meant) > MOST_NAMED else "")
        raise Failure(f"{agent!r} may mean any of {len(meant)} agents: {output.safe(some)}")
    return client.get(agent_path(meant[0]))


def _print_fields(agent: Agent) -> None:
    table = Table(Column(""), Column("", fit="wrap"))
    for name, value in _fields(agent):
        cell = Cell(value) if isinstance(value, str) else value
        if cell.text:
            table.add(Cell(name, "bold"), cell)
    table.print()


def _fields(agent: Agent) -> Iterator[tuple[str, Cell | str]]:
    yield "id", agent.id
    yield "name", agent.name
    yield "status", tables.status(agent.status)
    yield "type", agent.agent_type
    yield "namespace", agent.namespace
    yield "version", agent.version
    yield "runtime", agent.runtime
    yield "endpoint", agent.endpoint
    yield "registered", tables.time(agent.created_at)
    # An agent that was imported gives no signs of life.
    yield "last seen", tables.time(agent.last_seen) if agent.leased else ""
    yield "source", agent.source or ""
    yield "tags", ", ".join(agent.tags)
    for name, value in sorted(agent.labels.items()):
        yield f"label {name}", value
    yield "description", Cell(agent.description, lines=True)


def _print_capabilities(agent: Agent) -> None:
    own = agent.own_capabilities
    table = Table(
        Column("NAME", fit="wrap"),
        Column("FUNCTION", fit="wrap"),
        Column("VERSION"),
        Column("AVAILABLE", fit="wrap"),
        Column("TAGS", fit="wrap"),
        Column("DESCRIPTION", fit="cut"),
    )
    for capability in own:
        table.add(
            capability.name,
            capability.function_name,
            capability.version,
            _availability(capability),
            ", ".join(capability.tags),
            " ".join(capability.description.split()),
        )
    framework = len(agent.capabilities or ()) - len(own)
    _print_section(f"Capabilities ({len(own)})", table)
    if framework:
        click.echo(f"and {framework} of the framework")


def _availability(capability: Capability) -> Cell:
    if capability.available:
        return Cell("yes", "green")
    return Cell(f"no: {capability.unavailable_reason or 'no reason given'}", "red")


def _print_resolutions(title: str, resolutions: Sequence[Resolution] | None) -> None:
    if not resolutions:
        return
    table = Table(
        Column("FUNCTION", fit="wrap"),
        Column("NEEDS", fit="wrap"),
        Column("STATUS"),
        Column("SERVED BY", fit="wrap"),
        Column("ENDPOINT", fit="wrap"),
    )
    for told in resolutions:
        table.add(
            told.function_name,
            told.wanted,
            tables.status(told.status),
            told.provider,
            told.endpoint or "-",
        )
    _print_section(f"{title} ({len(table)})", table)


def _print_section(title: str, table: Table) -> None:
    click.echo()
    click.secho(title, bold=True)
    if table:
        table.print()

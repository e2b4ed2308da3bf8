"""``meshaccel show``: all about one agent."""

from collections.abc import Iterator, Sequence

import click
import httpx
from rich.console import Console
from rich.text import Text

from meshaccel.cli import output
from meshaccel.cli.client import Client, agent_path, registry_option
from meshaccel.cli.records import Agent, Capability, Resolution

_EPILOG = """
\b
Examples:
  meshaccel show weather-1a2b3c4d
  meshaccel show com.example/mail
  meshaccel show weather-1a2b3c4d --json | jq '.tools[].inputSchema'
"""


@click.command("show", epilog=_EPILOG)
@click.argument("agent")
@registry_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with schemas and all there is.")
def command(*, agent: str, registry: httpx.URL, as_json: bool) -> None:
    """Show one agent: what it is, what it offers, and who serves what it needs.

    AGENT is an id as 'meshaccel list' shows it.
    """
    if not agent:
        raise click.BadParameter("is empty.", param_hint="AGENT")
    with Client(registry) as client:
        answer = client.get(agent_path(agent))
        found = client.decode(answer, Agent)
    if as_json:
        click.echo(output.json_text(answer, indent=2))
        return
    console = output.console()
    _print_fields(console, found)
    _print_capabilities(console, found)
    _print_resolutions(console, "Dependencies", found.dependency_resolutions)
    _print_resolutions(console, "LLM tools", found.llm_tool_resolutions)
    _print_resolutions(console, "LLM providers", found.llm_provider_resolutions)


def _print_fields(console: Console, agent: Agent) -> None:
    fields = output.table("", "", header=False)
    for name, value in _fields(agent):
        if value:
            fields.add_row(output.cell(name, "bold"), value)
    console.print(fields)


def _fields(agent: Agent) -> Iterator[tuple[str, Text]]:
    yield "id", output.cell(agent.id)
    yield "name", output.cell(agent.name)
    yield "status", output.status_cell(agent.status)
    yield "type", output.cell(agent.agent_type)
    yield "namespace", output.cell(agent.namespace)
    yield "version", output.cell(agent.version)
    yield "runtime", output.cell(agent.runtime)
    yield "endpoint", output.cell(agent.endpoint)
    yield "registered", output.cell(output.time_text(agent.created_at))
    # An agent that was imported gives no signs of life.
    yield "last seen", output.cell(output.time_text(agent.last_seen) if agent.leased else "")
    yield "source", output.cell(agent.source or "")
    yield "tags", output.cell(", ".join(agent.tags))
    labels = (f"{name}={value}" for name, value in sorted(agent.labels.items()))
    yield "labels", output.lines(labels)
    yield "description", output.lines(agent.description.splitlines())


def _print_capabilities(console: Console, agent: Agent) -> None:
    own = agent.own_capabilities
    table = output.table(
        output.column("NAME", keep=True),
        output.column("FUNCTION"),
        output.column("VERSION"),
        output.column("AVAILABLE"),
        output.column("TAGS"),
        output.column("DESCRIPTION"),
    )
    for capability in own:
        table.add_row(
            output.cell(capability.name),
            output.cell(capability.function_name),
            output.cell(capability.version),
            _availability(capability),
            output.cell(", ".join(capability.tags)),
            output.cell(" ".join(capability.description.split())),
        )
    framework = len(agent.capabilities or ()) - len(own)
    title = f"Capabilities ({len(own)}{f', and {framework} of the framework' * bool(framework)})"
    _print_section(console, title, table)


def _availability(capability: Capability) -> Text:
    if capability.available:
        return output.cell("yes", "green")
    return output.cell(f"no: {capability.unavailable_reason or 'no reason given'}", "red")


def _print_resolutions(
    console: Console, title: str, resolutions: Sequence[Resolution] | None
) -> None:
    table = output.table(
        output.column("FUNCTION"),
        output.column("NEEDS", keep=True),
        output.column("STATUS"),
        output.column("SERVED BY", keep=True),
        output.column("ENDPOINT"),
    )
    for told in resolutions or ():
        table.add_row(
            output.cell(told.function_name),
            output.cell(told.wanted),
            output.status_cell(told.status),
            output.cell(told.provider),
            output.cell(told.endpoint or "-"),
        )
    if table.row_count:
        _print_section(console, f"{title} ({table.row_count})", table)


def _print_section(console: Console, title: str, table: output.Table) -> None:
    console.print()
    console.print(Text(title, "bold"))
    if table.row_count:
        console.print(table)

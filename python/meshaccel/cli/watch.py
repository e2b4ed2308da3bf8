"""``meshaccel watch``: changes of the mesh, as they happen."""

import asyncio
from contextlib import aclosing, suppress
from datetime import UTC, datetime

import click
import httpx
import msgspec

from meshaccel.cli import output, tables
from meshaccel.cli.client import UnreachableError, registry_options
from meshaccel.cli.output import Failure
from meshaccel.discovery.client import IncrementalServiceDiscovery
from meshaccel.discovery.watching import AgentChange
from meshaccel.errors import (
    DiscoveryError,
    InvalidRequestError,
    RegistryUnavailableError,
)

_EPILOG = """
\b
Examples:
  meshaccel watch
  meshaccel watch --selector namespace=eu,capability=weather
  meshaccel watch --selector status=healthy,label.tier=gold
  meshaccel watch --json | jq -r 'select(.change == "removed").id'
"""

_STYLES = {"added": "green", "changed": "yellow", "removed": "red"}


@click.command("watch", epilog=_EPILOG)
@registry_options
@click.option(
    "--selector",
    default="",
    metavar="TERMS",
    help="Only agents that meet all of these, joined by commas: namespace=NAME, status=STATUS, "
    "label.NAME=VALUE; and that offer at least one capability=NAME.",
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="End after so many changes.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line.")
def command(
    *, registry: httpx.URL, token: str | None, selector: str, limit: int | None, as_json: bool
) -> None:
    """Show agents come, change and go, as it happens; Ctrl-C ends.

    The registry sends changes as there are, and nothing else. While it is away it is waited for,
    and what happened meanwhile is shown then, one line an agent.
    """
    try:
        discovery = IncrementalServiceDiscovery(str(registry), selector=selector, token=token)
        with suppress(KeyboardInterrupt):
            asyncio.run(_watch(discovery, limit, as_json=as_json))
    except RegistryUnavailableError as error:
        raise UnreachableError(
            f"{error}: start one with 'meshaccel serve', or name another with --registry URL "
            "or MCP_MESH_REGISTRY_URL"
        ) from error
    except InvalidRequestError as error:
        raise click.BadParameter(str(error), param_hint="'--selector'") from error
    except DiscoveryError as error:
        raise Failure(str(error)) from error


async def _watch(
    discovery: IncrementalServiceDiscovery, limit: int | None, *, as_json: bool
) -> None:
    async with discovery:
        await discovery.refresh()
        click.echo(f"{len(discovery.agents)} agents; waiting for changes", err=True)
        shown = 0
        async with aclosing(discovery.watch()) as changes:
            async for change in changes:
                click.echo(_json(change) if as_json else _line(change))
                shown += 1
                if shown == limit:
                    return


def _line(change: AgentChange) -> str:
    agent = change.agent
    status = "" if change.kind == "removed" else agent.status
    words = [
        tables.time(datetime.now(UTC)),
        click.style(f"{change.kind:7}", fg=_STYLES[change.kind]),
        f"{status:9}",
        output.safe(agent.id),
        output.safe(agent.endpoint),
        output.safe(", ".join(agent.capabilities)),
    ]
    return "  ".join(words).rstrip()


def _json(change: AgentChange) -> str:
    agent = change.agent
    shown = {
        "change": change.kind,
        "id": agent.id,
        "revision": agent.revision,
        "status": agent.status,
        "agent": msgspec.Raw(agent.record.to_json()),
    }
    return output.json_text(msgspec.json.encode(shown), indent=-1)

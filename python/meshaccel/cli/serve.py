"""``meshaccel serve``: a registry, until a signal ends it."""

import asyncio
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click

from meshaccel.cli import logs, values
from meshaccel.cli.durations import duration, duration_or_zero
from meshaccel.cli.output import Failure
from meshaccel.errors import DatabaseError, IncompatibleDatabaseError, TokenError
from meshaccel.http.app import DEFAULT_MAX_BODY
from meshaccel.http.server import ServerSettings, serve
from meshaccel.registry.service import DEFAULT_DATABASE
from meshaccel.registry.settings import RegistrySettings

_UNLIMITED_EVENTS = 2**63 - 1
"""More rows than SQLite can count."""

_EPILOG = """
\b
Examples:
  meshaccel serve
  meshaccel serve --host 0.0.0.0 --port 9000 --database /var/lib/meshaccel/agents.db
  DATABASE_URL=sqlite:////data/agents.db MCP_MESH_LOG_LEVEL=debug meshaccel serve

Durations are written 20s, 5m, 1h30m or 250ms; a plain number is seconds.

The registry speaks plain HTTP. For TLS put a proxy in front that terminates it; with
MCP_MESH_TLS_MODE set to anything but 'off' the registry does not start.

SIGTERM and Ctrl-C end it in good order; nothing that was registered is lost by a crash.
"""


@click.command("serve", epilog=_EPILOG, context_settings={"show_default": True})
@click.option(
    "--host",
    envvar="HOST",
    show_envvar=True,
    default="127.0.0.1",
    help="Address to listen on; 0.0.0.0 is all of IPv4, :: all of IPv6.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    envvar="PORT",
    show_envvar=True,
    default=8000,
    help="Port to listen on; 0 takes any free one, and the log says which.",
)
@click.option(
    "--database",
    type=values.database_path,
    metavar="PATH",
    envvar="DATABASE_URL",
    show_envvar=True,
    default=DEFAULT_DATABASE,
    help="SQLite file, made if missing; also as sqlite:///relative or sqlite:////absolute.",
)
@click.option(
    "--timeout",
    type=duration,
    metavar="DURATION",
    envvar="DEFAULT_TIMEOUT_THRESHOLD",
    show_envvar=True,
    default="20s",
    help="Silence after which an agent is unhealthy.",
)
@click.option(
    "--check-interval",
    type=duration,
    metavar="DURATION",
    envvar="HEALTH_CHECK_INTERVAL",
    show_envvar=True,
    default="10s",
    help="How often silent agents are looked for.",
)
@click.option(
    "--retention",
    type=duration_or_zero,
    metavar="DURATION",
    envvar="MCP_MESH_RETENTION",
    show_envvar=True,
    default="1h",
    help="How long an unhealthy agent stays listed; 0 is for ever.",
)
@click.option(
    "--sweep-interval",
    type=duration,
    metavar="DURATION",
    envvar="MCP_MESH_SWEEP_INTERVAL",
    show_envvar=True,
    default="5m",
    help="How often agents past retention, and events past their number, are removed.",
)
@click.option(
    "--max-events",
    type=click.IntRange(0),
    envvar="MCP_MESH_EVENT_MAX_ROWS",
    show_envvar=True,
    default=100_000,
    help="Events that are kept; 0 keeps them all.",
)
@click.option(
    "--max-agents",
    type=click.IntRange(1),
    envvar="MESHACCEL_MAX_AGENTS",
    show_envvar=True,
    default=100_000,
    help="Agents that can be registered at a time; no more can join then.",
)
@click.option(
    "--startup-grace",
    type=duration_or_zero,
    metavar="DURATION",
    envvar="MESHACCEL_STARTUP_GRACE",
    show_envvar=True,
    default="30s",
    help="Time that agents known from before have to be heard again after a start.",
)
@click.option(
    "--max-body",
    type=click.IntRange(1),
    envvar="MESHACCEL_MAX_BODY",
    show_envvar=True,
    default=DEFAULT_MAX_BODY,
    metavar="BYTES",
    help="Largest request body.",
)
@click.option(
    "--write-token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="MESHACCEL_WRITE_TOKEN_FILE",
    show_envvar=True,
    help="File of tokens, one a line, of which one is needed to change anything. Agents send it "
    "with MCP_MESH_REGISTRY_URL=http://agent:TOKEN@HOST:PORT. Read anew when it changes.",
)
@click.option(
    "--read-token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="MESHACCEL_READ_TOKEN_FILE",
    show_envvar=True,
    help="The same for reading; tokens that may write may read, too.",
)
@click.option(
    "--allowed-host",
    "allowed_hosts",
    type=values.host_names,
    metavar="NAME[,NAME]",
    envvar="MESHACCEL_ALLOWED_HOSTS",
    show_envvar=True,
    default="",
    help="Names that clients may call the registry by, besides addresses and local names. Only "
    "looked at if given, or if --host is this machine alone.",
)
@click.option(
    "--log-level",
    type=values.log_level,
    metavar="LEVEL",
    envvar="MCP_MESH_LOG_LEVEL",
    show_envvar=True,
    default="INFO",
    help="Least serious logs to write: TRACE or DEBUG, INFO, WARN or WARNING, ERROR, CRITICAL.",
)
@click.option(
    "--tls-mode",
    hidden=True,
    expose_value=False,
    envvar="MCP_MESH_TLS_MODE",
    show_envvar=True,
    callback=values.refuse_tls,
)
def command(  # noqa: PLR0913  one for each option
    *,
    host: str,
    port: int,
    database: str,
    timeout: float,
    check_interval: float,
    retention: float,
    sweep_interval: float,
    max_events: int,
    max_agents: int,
    startup_grace: float,
    max_body: int,
    write_token_file: Path | None,
    read_token_file: Path | None,
    allowed_hosts: tuple[str, ...],
    log_level: int,
) -> None:
    """Run a registry that MCP Mesh agents find by MCP_MESH_REGISTRY_URL=http://HOST:PORT.

    It keeps all it knows in one SQLite file and logs to stderr: readable on a terminal, a JSON
    object a line otherwise.
    """
    if read_token_file is not None and write_token_file is None:
        raise click.UsageError("--read-token-file is of no use without --write-token-file.")
    logs.configure(log_level)
    settings = ServerSettings(
        host=host,
        port=port,
        database=database,
        max_body=max_body,
        write_token_file=write_token_file,
        read_token_file=read_token_file,
        allowed_hosts=allowed_hosts,
        registry=RegistrySettings(
            timeout_s=timeout,
            check_interval_s=check_interval,
            retention_s=retention,
            sweep_interval_s=sweep_interval,
            startup_grace_s=startup_grace,
            max_agents=max_agents,
            max_events=max_events or _UNLIMITED_EVENTS,
        ),
    )
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(serve(settings))
    except IncompatibleDatabaseError as error:
        raise Failure(f"{database}: {error}") from error
    except DatabaseError as error:
        hint = "" if Path(database).parent.is_dir() else "; its directory does not exist"
        raise Failure(f"{error}{hint}") from error
    except TokenError as error:
        raise Failure(str(error)) from error
    except OSError as error:
        raise Failure(f"cannot listen on {host}:{port}: {error.strerror or error}") from error


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's where it is installed (it is not made for Windows); None is asyncio's."""
    if sys.platform == "win32" or find_spec("uvloop") is None:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = import_module("uvloop").new_event_loop
    return factory

"""The ``meshaccel`` command. Its modules are the only ones that read the environment."""

import sys
from importlib import import_module
from io import TextIOWrapper

import click

from meshaccel import __version__

__all__ = ["main"]

# Module and one-line help by command: what a command needs is imported when it is called, so
# that `meshaccel --help` answers at once. No module may be called as a built-in function: once
# imported, it would hide that function in this one.
_COMMANDS = {
    "serve": ("serve", "Run a registry."),
    "list": ("listing", "List the agents of a registry."),
    "show": ("show", "Show one agent and how it is wired."),
    "events": ("events", "Show what happened in the mesh."),
    "watch": ("watch", "Show agents come, change and go, live."),
    "stats": ("figures", "Show what a registry does, and what it saves."),
    "import": ("importing", "Load agents from JSON Lines files."),
}

_EPILOG = """
\b
Start a registry, put agents in it, look at them:
  meshaccel serve
  meshaccel import agents.jsonl
  meshaccel list

All commands but 'serve' talk to the registry at --registry URL, or at
MCP_MESH_REGISTRY_URL, or at http://127.0.0.1:8000.
'meshaccel COMMAND --help' tells more.
"""


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return list(_COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002  click's signature
        cmd_name: str,
    ) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"{__name__}.{_COMMANDS[cmd_name][0]}").command
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002  click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in _COMMANDS.items()])


@click.group(
    "meshaccel",
    cls=_LazyGroup,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, package_name="meshaccel")
def main() -> None:
    """Run a registry for MCP Mesh agents, and look into one that runs."""
    if isinstance(sys.stdout, TextIOWrapper):
        # Agents write in every script; what the terminal's encoding lacks is shown escaped.
        sys.stdout.reconfigure(errors="backslashreplace")

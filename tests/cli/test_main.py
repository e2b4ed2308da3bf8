"""What `meshaccel` itself does: help, version, and as little as possible."""

import subprocess
import sys

import click
import pytest
from tests.cli.conftest import Run

import meshaccel
from meshaccel.cli import main

COMMANDS = ("serve", "list", "show", "events", "watch", "stats", "import")


def test_version(run: Run) -> None:
    assert run("--version").stdout == f"meshaccel, version {meshaccel.__version__}\n"


def test_help_names_every_command_in_its_own_words(run: Run) -> None:
    text = run("--help").stdout
    context = click.Context(main)
    assert tuple(main.list_commands(context)) == COMMANDS
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert f"\n  {name} " in text


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_has_examples(run: Run, command: str) -> None:
    text = run(command, "--help").stdout
    assert "Examples:\n  " in text.replace("\n    ", "\n  ")
    assert f"meshaccel {command}" in text
    assert "env var: " in " ".join(text.split())
    assert run(command, "-h").stdout == text


def test_an_unknown_command(run: Run) -> None:
    result = run("lst")
    assert result.exit_code == 2
    assert "No such command 'lst'" in result.stderr


def test_help_waits_for_nothing() -> None:
    """Neither the server nor the client nor the tables are loaded to say what there is."""
    program = (
        "import sys; from meshaccel.cli import main; main(['--help'], standalone_mode=False);"
        "heavy = {'httpx', 'rich', 'uvicorn', 'structlog', 'sqlite3'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)

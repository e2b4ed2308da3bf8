"""``meshaccel import``: agents from files into a registry."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import click
import httpx
import msgspec
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from meshaccel.cli import output
from meshaccel.cli.client import Client, UnreachableError, registry_options
from meshaccel.cli.lines import InputError, Line, open_input
from meshaccel.cli.uploads import FAILED, Result, upload

_EPILOG = """
\b
A record, on one line; only agent_id is needed:
  {"agent_id": "weather", "name": "Weather", "endpoint": "http://10.0.0.7:8080",
   "namespace": "default", "version": "1.2.0", "description": "...",
   "tags": ["weather"], "labels": {"team": "maps"}, "source": "catalogue",
   "capabilities": [{"name": "forecast", "version": "1.0.0", "description": "...",
                     "tags": ["read-only"], "input_schema": {"type": "object"}}]}

\b
Examples:
  meshaccel import agents.jsonl
  meshaccel import catalogue.jsonl.gz more.jsonl
  curl -s https://example.com/agents.jsonl | meshaccel import -
"""


@click.command("import", epilog=_EPILOG)
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True),
)
@registry_options
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(
    *, files: tuple[str, ...], registry: httpx.URL, token: str | None, as_json: bool
) -> None:
    """Load agents from JSON Lines files, plain or gzip; '-' is standard input.

    The agents stay listed, without heartbeats, until they are unregistered or imported anew.
    Importing the same again changes nothing. A line that cannot be imported is reported as
    FILE:LINE: REASON, and the others are imported all the same; the exit code is then 1.
    """
    run = _Run(files)
    try:
        with Client(registry, token) as client, run.display():
            for result in upload(client, run.lines()):
                run.settle(result)
    except UnreachableError as error:
        raise UnreachableError(f"{error.message}; {run.how_far()}") from error
    finally:
        click.echo(run.summary_json() if as_json else run.summary())
    if run.failed:
        raise click.exceptions.Exit(1)


class _Run:
    """One call of the command: what it reads, what came of it, and how that is shown."""

    def __init__(self, files: Sequence[str]) -> None:
        self._files = files
        self._counts = Counter({"created": 0, "updated": 0, "unchanged": 0, FAILED: 0})
        self._last: Line | None = None
        self._console = output.console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.fields[agents]} agents"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
        self._task = self._progress.add_task("", total=_size(files), agents=0)

    @property
    def failed(self) -> bool:
        """Whether anything could not be imported."""
        return self._counts[FAILED] > 0

    def display(self) -> AbstractContextManager[object]:
        """Show the progress meanwhile, if somebody is there to see it."""
        return self._progress if self._console.is_terminal else nullcontext()

    def lines(self) -> Iterator[Line]:
        """Yield the lines of all files; a file that cannot be read counts as a failure."""
        before = 0
        for file in self._files:
            try:
                with open_input(file) as opened:
                    for line in opened.lines():
                        yield line
                        self._progress.update(self._task, completed=before + opened.position())
                    before += opened.position()
            except InputError as error:
                self._counts[FAILED] += 1
                self._report(str(error))

    def settle(self, result: Result) -> None:
        """Note what became of a line."""
        self._counts[result.outcome] += 1
        self._last = result.line
        self._progress.update(self._task, agents=self._counts.total())
        if result.reason:
            self._report(f"{result.line.place}: {result.reason}")

    def how_far(self) -> str:
        """Say where the files were left, and how to go on."""
        if self._last is None:
            return "nothing was imported"
        return f"stopped after {self._last.place}; to go on, import the same again"

    def summary(self) -> str:
        """Return the counts as a sentence."""
        counts = ", ".join(f"{count} {outcome}" for outcome, count in self._counts.items())
        return f"{self._counts.total()} agents: {counts}"

    def summary_json(self) -> bytes:
        """Return the counts as JSON."""
        return msgspec.json.encode({"agents": self._counts.total(), **self._counts})

    def _report(self, problem: str) -> None:
        self._console.print(output.safe(problem), soft_wrap=True)


def _size(files: Sequence[str]) -> int | None:
    """Return the bytes of all files; None if they are not known beforehand."""
    paths = list(map(Path, files))
    # Standard input, as "-", and pipes are no files.
    return sum(path.stat().st_size for path in paths) if all(map(Path.is_file, paths)) else None

"""``meshaccel stats``: a registry in figures."""

import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count

import click
import httpx

from meshaccel.cli import output, tables
from meshaccel.cli.client import Client, registry_options
from meshaccel.cli.durations import duration
from meshaccel.cli.records import Brief, Figures
from meshaccel.cli.tables import Cell, Column, Table

_EPILOG = """
\b
Examples:
  meshaccel stats
  meshaccel stats --watch
  meshaccel stats --watch --json | jq '.brief.cache_hit_ratio'
"""

NOTHING = "-"
"""Shown where nothing has happened that could be counted."""


@click.command("stats", epilog=_EPILOG)
@registry_options
@click.option("--watch", is_flag=True, help="Show them again and again; Ctrl-C ends.")
@click.option(
    "--interval",
    type=duration,
    metavar="DURATION",
    default="5s",
    show_default=True,
    help="How often --watch asks.",
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="End --watch after so many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with all there is.")
def command(
    *,
    registry: httpx.URL,
    token: str | None,
    watch: bool,
    interval: float,
    limit: int | None,
    as_json: bool,
) -> None:
    """Show what a registry does, and what it saves.

    Figures are of this registry's process, since it started. A latency is an upper bound: that of
    the bucket it was counted in. With --watch the rate of requests is that since the last time.
    """
    with Client(registry, token) as client, suppress(KeyboardInterrupt):
        before: Figures | None = None
        for number in count() if watch else range(1):
            if number:
                time.sleep(interval)
            answer = client.get("/stats")
            if as_json:
                click.echo(output.json_text(answer, indent=-1 if watch else 2))
            else:
                if number:
                    click.echo()
                found = client.decode(answer, Figures)
                _print(found, before)
                before = found
            if number + 1 == limit:
                return


def _print(figures: Figures, before: Figures | None) -> None:
    click.secho(
        f"meshaccel {output.safe(figures.version)}, up {_time(figures.uptime_s)}, "
        f"{figures.agents.healthy} of {figures.agents.total} agents healthy",
        bold=True,
    )
    table = Table(Column(""), Column("", right=True))
    for name, value in _brief(figures.brief):
        table.add(Cell(name), value)
    for name, number in (
        ("capabilities", figures.capabilities),
        ("revision", figures.revision),
        ("readers who wait for changes", figures.feed.readers),
    ):
        table.add(name, NOTHING if number is None else str(number))
    table.print()
    if figures.requests:
        click.echo()
        _requests(figures, before).print()


def _brief(brief: Brief) -> Iterator[tuple[str, str]]:
    yield "queries per operation", _number(brief.queries_per_operation, "{:.2f}")
    yield "metadata memory saved", _number(brief.metadata_saved_percent, "{:.1f} %")
    ratio = brief.cache_hit_ratio
    yield "cache reads that hit", _number(None if ratio is None else ratio * 100, "{:.1f} %")
    yield "calls avoided", _number(brief.calls_avoided_percent, "{:.1f} %")
    yield "bytes avoided", _number(brief.bytes_avoided, "{:,}")
    rate = brief.recovery_rate
    yield "database trouble mended", _number(None if rate is None else rate * 100, "{:.1f} %")
    yield "wait for a connection, p50", _number(brief.acquire_ms_p50, "{:g} ms")
    yield "wait for a connection, p99", _number(brief.acquire_ms_p99, "{:g} ms")


def _requests(figures: Figures, before: Figures | None) -> Table:
    table = Table(
        Column("METHOD"),
        Column("ROUTE", fit="wrap"),
        Column("REQUESTS", right=True),
        Column("A SECOND", right=True),
        Column("ERRORS", right=True),
        Column("P50 MS", right=True),
        Column("P99 MS", right=True),
    )
    # After a restart the figures begin anew.
    began_anew = before is None or before.started_at != figures.started_at
    counted = {} if began_anew or before is None else before.counts()
    seconds = figures.uptime_s - (0.0 if began_anew or before is None else before.uptime_s)
    for route in sorted(figures.requests, key=lambda route: -route.count):
        asked = route.count - counted.get((route.method, route.route), 0)
        table.add(
            route.method,
            route.route,
            str(route.count),
            _number(asked / seconds if seconds > 0 else None, "{:.1f}"),
            Cell(str(route.errors), "red" if route.errors else ""),
            _number(route.p50_ms, "{:g}"),
            _number(route.p99_ms, "{:g}"),
        )
    return table


def _number(value: float | None, form: str) -> str:
    return NOTHING if value is None else form.format(value)


def _time(seconds: float) -> str:
    return tables.ago(seconds).removesuffix(" ago")

"""Kinds of values that the options of ``meshaccel serve`` take."""

import logging
import re

import click

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:", re.IGNORECASE)
_SQLITE = re.compile(r"sqlite:///(?P<path>[^?]+)", re.IGNORECASE)
_KEYWORDS = re.compile(r"(^|\s)(host|user|password|dbname)\s*=")
"""The other way to write the address of a PostgreSQL database."""

_LEVELS = {
    "TRACE": logging.DEBUG,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "WARNING": logging.WARNING,
    "ERROR": logging.ERROR,
    "CRITICAL": logging.CRITICAL,
}


class DatabasePath(click.ParamType):
    """Where the SQLite file is. What is refused is never repeated: it may hold a password."""

    name = "path"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the path of a file."""
        if value == ":memory:":
            return value
        url = _SQLITE.fullmatch(value)
        if url:
            return url["path"]
        if _SCHEME.match(value) or _KEYWORDS.search(value):
            self.fail(
                "this version stores in SQLite only: expected the path of a file, or "
                "sqlite:///relative/path or sqlite:////absolute/path without parameters.",
                param,
                ctx,
            )
        return value


class LogLevel(click.ParamType):
    """A level of ``logging`` by its name, in any case."""

    name = "level"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Return the level's number."""
        if isinstance(value, int):
            return value
        level = _LEVELS.get(value.strip().upper())
        if level is None:
            self.fail(f"{value!r} is not one of {', '.join(_LEVELS)}.", param, ctx)
        return level


def refuse_tls(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    """Refuse to serve plain HTTP to who asked for TLS."""
    if value is not None and value.strip().lower() != "off":
        raise click.BadParameter(
            "TLS is not supported yet: put a proxy that terminates TLS in front of the registry "
            "and set MCP_MESH_TLS_MODE=off.",
            ctx=ctx,
            param=param,
        )

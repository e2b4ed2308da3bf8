"""Kinds of values that the options of ``meshaccel serve`` take."""

import logging
import re

import click

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:", re.IGNORECASE)
_SQLITE = re.compile(r"sqlite:///(?P<path>[^?]+)", re.IGNORECASE)
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
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


def database_path(value: str) -> str:
    """Return the path of a SQLite file. What is refused is not repeated: it may hold a password."""
    url = _SQLITE.fullmatch(value)
    if url:
        return url["path"]
    if _SCHEME.match(value) or _KEYWORDS.search(value):
        raise click.BadParameter(
            "this version stores in SQLite only: expected the path of a file, or "
            "sqlite:///relative/path or sqlite:////absolute/path without parameters."
        )
    return value


def log_level(value: str) -> int:
    """Return the number of a level of ``logging``, named in any case."""
    level = _LEVELS.get(value.strip().upper())
    if level is None:
        raise click.BadParameter(f"{value!r} is not one of {', '.join(_LEVELS)}.")
    return level


def host_names(value: str) -> tuple[str, ...]:
    """Return names of hosts, joined by commas, without ports."""
    names = tuple(filter(None, (name.strip().lower().rstrip(".") for name in value.split(","))))
    for name in names:
        if not _HOST.fullmatch(name):
            raise click.BadParameter(f"{name!r} is not the name of a host, without a port.")
    return names


def refuse_tls(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    """Refuse to serve plain HTTP to who asked for TLS."""
    if value is not None and value.strip().lower() != "off":
        raise click.BadParameter(
            "TLS is not supported yet: put a proxy that terminates TLS in front of the registry "
            "and set MCP_MESH_TLS_MODE=off.",
            ctx=ctx,
            param=param,
        )

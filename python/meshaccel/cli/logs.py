"""The logs of ``meshaccel serve``, on stderr.

The library logs to the standard ``logging`` with fields as ``extra=``; here they get their
form: coloured ``key=value`` on a terminal, a JSON object a line anywhere else.
"""

import logging
import sys
from typing import TextIO

import structlog
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.stdlib import ExtraAdder, ProcessorFormatter, add_log_level, add_logger_name
from structlog.typing import EventDict, Processor, WrappedLogger

from meshaccel.cli.output import safe

_OURS = ("meshaccel", "uvicorn.error")
"""What is logged at the level asked for; other libraries only speak of trouble."""


def configure(level: int, stream: TextIO | None = None) -> None:
    """Send all logs of this process to ``stream``, or to stderr."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_formatter(terminal=stream.isatty()))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level, logging.WARNING))
    for name in _OURS:
        logging.getLogger(name).setLevel(level)


def _formatter(*, terminal: bool) -> logging.Formatter:
    return ProcessorFormatter(
        foreign_pre_chain=[
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            add_log_level,
            add_logger_name,
            ExtraAdder(),
            _drop_colours,
        ],
        processors=[
            ProcessorFormatter.remove_processors_meta,
            *(_for_terminals() if terminal else _for_programs()),
        ],
    )


def _for_terminals() -> list[Processor]:
    return [
        structlog.processors.format_exc_info,
        _make_safe,
        # Rich tracebacks would print local variables, and with them whatever a request held.
        ConsoleRenderer(exception_formatter=plain_traceback),
    ]


def _for_programs() -> list[Processor]:
    return [
        structlog.processors.format_exc_info,
        structlog.processors.EventRenamer("message"),
        structlog.processors.JSONRenderer(),
    ]


def _drop_colours(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Leave out the second, coloured wording that uvicorn adds to its messages."""
    event.pop("color_message", None)
    return event


def _make_safe(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Escape what agents and clients may have put into a log; a traceback keeps its lines."""
    trace = event.pop("exception", None)
    shown = {key: safe(value) if isinstance(value, str) else value for key, value in event.items()}
    if trace:
        shown["exception"] = "\n".join(map(safe, trace.splitlines()))
    return shown

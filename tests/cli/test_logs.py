"""The form of the logs of `meshaccel serve`."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from meshaccel.cli import logs


class Terminal(io.StringIO):
    """A stream that people read."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.fixture(autouse=True)
def loggers_restored() -> Iterator[None]:
    """The tests configure the loggers of the whole process."""
    loggers = [logging.getLogger(name) for name in ("", "meshaccel", "uvicorn.error")]
    before = [(logger, logger.handlers, logger.level) for logger in loggers]
    yield
    for logger, handlers, level in before:
        logger.handlers = handlers
        logger.setLevel(level)


def records(stream: io.StringIO) -> list[dict[str, Any]]:
    """Read JSON logs."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_programs_get_an_object_a_line() -> None:
    stream = io.StringIO()
    logs.configure(logging.INFO, stream)
    logging.getLogger("meshaccel.x").info("agent\nleft", extra={"agent_id": "a", "ms": 1.5})
    (record,) = records(stream)
    assert record.pop("timestamp").endswith("Z")
    assert record == {
        "level": "info",
        "logger": "meshaccel.x",
        "message": "agent\nleft",
        "agent_id": "a",
        "ms": 1.5,
    }


def test_people_get_colours_and_nothing_else_that_acts() -> None:
    stream = Terminal()
    logs.configure(logging.DEBUG, stream)
    logging.getLogger("meshaccel").debug("request", extra={"path": "/\x1b[2J\r\n"})
    text = stream.getvalue()
    assert "\x1b[0m" in text
    assert r"/\x1b[2J\r\n" in text
    assert "\x1b[2J" not in text
    assert text.count("\n") == 1


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["json", "terminal"])
def test_a_traceback_shows_no_values(stream: io.StringIO) -> None:
    """Local variables may be anything that a request held; the message is made harmless."""
    logs.configure(logging.INFO, stream)
    secret = "x" * 99
    try:
        int("\x1b[2J" * len(secret))
    except ValueError:
        logging.getLogger("meshaccel").exception("request failed")
    assert "ValueError: invalid literal" in stream.getvalue()
    assert secret not in stream.getvalue()
    assert "\x1b[2J" not in stream.getvalue()


def test_the_level_is_ours_and_the_server_s() -> None:
    """Other libraries log how they work, statement by statement: only their trouble matters."""
    stream = io.StringIO()
    logs.configure(logging.DEBUG, stream)
    for name in ("meshaccel", "uvicorn.error", "aiosqlite"):
        logging.getLogger(name).debug("detail")
        logging.getLogger(name).warning("trouble")
    assert [(record["logger"], record["message"]) for record in records(stream)] == [
        ("meshaccel", "detail"),
        ("meshaccel", "trouble"),
        ("uvicorn.error", "detail"),
        ("uvicorn.error", "trouble"),
        ("aiosqlite", "trouble"),
    ]


def test_a_higher_level_is_for_all() -> None:
    stream = io.StringIO()
    logs.configure(logging.ERROR, stream)
    for name in ("meshaccel", "uvicorn.error", "aiosqlite"):
        logging.getLogger(name).warning("trouble")
    assert not stream.getvalue()


def test_uvicorn_s_coloured_twin_of_a_message_is_left_out() -> None:
    stream = io.StringIO()
    logs.configure(logging.INFO, stream)
    logging.getLogger("uvicorn.error").info("Started [%d]", 7, extra={"color_message": "\x1b[1m"})
    (record,) = records(stream)
    assert record["message"] == "Started [7]"
    assert "color_message" not in record

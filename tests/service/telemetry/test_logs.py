"""The forms of a log line, and that nothing in it can pass for another line."""

import io
import json
import logging
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.app import create_app
from service.server import uvicorn_config
from service.settings import Settings
from service.telemetry.logs import (
    JsonFormatter,
    TextFormatter,
    configure_logging,
    with_fields,
)
from tests.service.fakes import FakeBackend

# What ends a line somewhere: in a file, a terminal, a browser or JavaScript.
LINE_ENDS = re.compile("[\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029]")


def record(message: str = "hello", **fields: Any) -> logging.LogRecord:
    made = logging.LogRecord("stn_serving", logging.INFO, "", 0, "%s", (message,), None)
    made.created = 1_700_000_000.25
    made.__dict__.update(with_fields(**fields))
    return made


def failing(message: str) -> logging.LogRecord:
    made = record("it failed")
    try:
        raise ValueError(message)
    except ValueError as error:
        made.exc_info = (ValueError, error, error.__traceback__)
    return made


def test_a_json_line_has_time_level_logger_message_and_fields() -> None:
    line = JsonFormatter().format(record(request_id="r1", stages_ms={"decode": 0.5}))

    assert json.loads(line) == {
        "time": "2023-11-14T22:13:20.250000Z",
        "level": "info",
        "logger": "stn_serving",
        "message": "hello",
        "request_id": "r1",
        "stages_ms": {"decode": 0.5},
    }


def test_a_text_line_has_time_level_message_and_fields() -> None:
    line = TextFormatter().format(
        record(request_id="r1", stages_ms={"decode": 0.5}, error='no "x" here', none=None)
    )

    assert re.fullmatch(r"\d\d:13:20 INFO    (.*)", line)
    assert line.endswith('hello request_id=r1 stages_ms.decode=0.5 error="no \\"x\\" here"')


ANYTHING = st.text(st.characters(exclude_categories=()))


@example("\ud800", "\ud800", "\ud800")
@given(ANYTHING, ANYTHING, ANYTHING)
def test_whatever_a_json_line_holds_it_is_one_line_and_parses(
    message: str, field: str, fault: str
) -> None:
    """Half a surrogate pair included, which UTF-8 cannot hold."""
    for made in (record(message, field=field), failing(fault)):
        line = JsonFormatter().format(made)
        document = json.loads(line)

        assert "\n" not in line
        assert "\r" not in line
    assert fault in document["exception"]
    assert set(document) == {"time", "level", "logger", "message", "exception"}


@given(ANYTHING, ANYTHING)
def test_whatever_a_text_line_holds_it_is_one_line(message: str, field: str) -> None:
    line = TextFormatter().format(record(message, field=field))

    assert not LINE_ENDS.search(line)
    assert "\x1b" not in line


def test_a_forged_line_is_seen_for_what_it_is() -> None:
    """In text, whatever follows the first line is indented, and so no line of its own."""
    forged = "x\n12:00:00 INFO    all is well\x1b[2J"

    lines = TextFormatter().format(failing(forged)).splitlines()

    assert len(lines) > 1
    assert all(line.startswith("    ") for line in lines[1:])
    assert "\x1b" not in "".join(lines)


def test_the_server_keeps_no_form_of_its_own() -> None:
    """By default uvicorn would give its loggers handlers that the root does not hear of."""
    settings = Settings()
    uvicorn_config(create_app(settings, FakeBackend()), settings)

    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        assert logging.getLogger(name).handlers == []
        assert name == "uvicorn.access" or logging.getLogger(name).propagate


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_every_logger_speaks_in_the_same_form(log_format: Any) -> None:
    """Ours, uvicorn's and the warnings of Python."""
    stream = io.StringIO()
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    try:
        configure_logging(log_format, "warning", stream)
        for name in ("stn_serving", "uvicorn.error", "asyncio", "grpc"):
            logging.getLogger(name).warning("from %s", name)
            logging.getLogger(name).info("not to be said")
    finally:
        logging.captureWarnings(capture=False)
        root.handlers[:], root.level = before

    lines = stream.getvalue().splitlines()
    assert len(lines) == 4
    if log_format == "json":
        assert {json.loads(line)["level"] for line in lines} == {"warning"}
    else:
        assert all(re.fullmatch(r"\d\d:\d\d:\d\d WARNING from \S+", line) for line in lines)

"""Logs: one line for each event, as JSON for machines or as text for people.

Whatever a line holds, it stays one line (in JSON), or nothing in it can pass for the beginning of
another (in text): request ids, names and messages of errors may come from strangers.
"""

import json
import logging
import sys
import time
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

import orjson

LogFormat = Literal["json", "text"]
LogLevel = Literal["debug", "info", "warning", "error"]

# Attribute of a record: what the line says beside its message, by name.
_FIELDS = "fields"
# Everything that moves a cursor, ends a line, or tells a terminal what to do.
_CONTROL = {
    code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    for code in (*range(0x20), *range(0x7F, 0xA0), *range(0x2028, 0x202F), *range(0x2066, 0x206A))
}


def with_fields(**fields: Any) -> dict[str, Any]:
    """Return what `extra` of a log call takes so that the line carries fields of its own."""
    return {_FIELDS: fields}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the record's fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **record.__dict__.get(_FIELDS, {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        try:
            return orjson.dumps(line, default=str, option=orjson.OPT_UTC_Z).decode()
        except TypeError:  # half a surrogate pair, say
            return json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    """Time, level, message and fields as `name=value`; traces follow, indented."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, or lines."""
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        words = [clock, f"{record.levelname:<7}", _escape(record.getMessage())]
        words += _pairs(record.__dict__.get(_FIELDS, {}))
        line = " ".join(words)
        if record.exc_info:
            trace = self.formatException(record.exc_info).splitlines()
            line = "\n".join([line, *(f"    {_escape(part)}" for part in trace)])
        return line


def configure_logging(log_format: LogFormat, level: LogLevel, stream: TextIO | None = None) -> None:
    """Send every logger's lines, ours and the libraries', to one stream in one format.

    Args:
        log_format: for machines or for people.
        level: what is less than this is not said.
        stream: where to; standard error when left out.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    logging.captureWarnings(capture=True)


def _pairs(fields: dict[str, Any], prefix: str = "") -> list[str]:
    pairs = []
    for name, value in fields.items():
        if isinstance(value, dict):
            pairs += _pairs(value, f"{name}.")
        elif value is not None:
            pairs.append(f"{prefix}{name}={_word(value)}")
    return pairs


def _word(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    if not text or " " in text or '"' in text or "=" in text:
        text = f'"{text.translate(_QUOTED)}"'
    return _escape(text)


_QUOTED = str.maketrans({'"': '\\"', "\\": "\\\\"})


def _escape(text: str) -> str:
    # The quick answer is the usual one.
    return text if text.isprintable() else text.translate(_CONTROL)

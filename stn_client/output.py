"""What the command says: rows for people, one JSON object a line for programs, and progress."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import orjson
from tqdm import tqdm

from stn_client.answers import Answer
from stn_client.errors import GatewayError


def say(line: str) -> None:
    """Write a line to standard output, above the progress bar where there is one."""
    tqdm.write(line, file=sys.stdout)


def complain(line: str) -> None:
    """Write a line to standard error, above the progress bar where there is one."""
    tqdm.write(f"stn-client: {line}", file=sys.stderr)


def progress(total: int) -> "tqdm[Any]":
    """Return a bar on standard error, if that is a terminal and there is much to do."""
    return tqdm(total=total, unit=" pictures", disable=None if total > 1 else True, leave=False)


def json_line(document: Mapping[str, Any]) -> str:
    """Return a JSON object on one line."""
    return orjson.dumps(document, default=str).decode()


def answer_line(file: Path, answer: Answer, saved: Path | None) -> str:
    """Return an answer as JSON, the picture in it replaced by the name of its file."""
    members = {name: value for name, value in answer.document.items() if name != "warped"}
    if saved is not None:
        members["warped"] = str(saved)
    return json_line({"file": str(file), **members, "request_id": answer.request_id})


def error_line(file: Path, error: GatewayError | OSError) -> str:
    """Return as JSON what went wrong with a file."""
    if isinstance(error, GatewayError):
        what: dict[str, Any] = {
            "code": error.code,
            "detail": error.detail,
            "status": error.status,
            "request_id": error.request_id,
        }
    else:
        what = {"code": "unreadable_file", "detail": error.strerror or str(error)}
    return json_line({"file": str(file), "error": what})


def words(error: GatewayError | OSError) -> str:
    """Return what went wrong, for people."""
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror or error}"
    known = f" (request {error.request_id})" if error.request_id else ""
    return f"{error.detail} [{error.code}]{known}"


class Table:
    """Rows under a header, written one by one: numbers to the right, words to the left.

    Args:
        columns: title and width of each; a negative width aligns to the right.
    """

    def __init__(self, columns: Sequence[tuple[str, int]]) -> None:
        self._columns = columns
        self._header_is_due = True

    def row(self, *cells: str) -> None:
        """Write a row, after the header if it is the first."""
        if self._header_is_due:
            self._header_is_due = False
            say(self._aligned(title for title, _ in self._columns))
        say(self._aligned(cells))

    def _aligned(self, cells: Iterable[str]) -> str:
        parts = []
        for cell, (title, width) in zip(cells, self._columns, strict=True):
            room = max(abs(width), len(title))
            parts.append(cell.rjust(room) if width < 0 else cell.ljust(room))
        return "  ".join(parts).rstrip()


def fail(message: str, status: int) -> "click.exceptions.Exit":
    """Say why nothing more is done; return what ends the command with a status."""
    complain(message)
    return click.exceptions.Exit(status)

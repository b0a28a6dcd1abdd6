"""Writes a table, and what it was made with, into docs/reliability.md."""

import datetime
import os
import platform
from importlib.metadata import version
from pathlib import Path

from tests.torture.table import Row, markdown

_PACKAGES = ("fastapi", "uvicorn", "httptools", "pillow", "grpcio", "orjson", "tensorflow")


def write_report(file: Path, rows: list[Row], command: str, minutes: float) -> None:
    """Replace what stands between the markers: those of the soak, or those of all the rest.

    Raises:
        ValueError: the file has no markers.
    """
    name = "soak" if all(row.scenario == "soak" for row in rows) else "torture"
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    text = file.read_text(encoding="utf-8")
    if begin not in text or end not in text:
        raise ValueError(f"{file} has no lines '{begin}' and '{end}'")
    head, _, rest = text.partition(begin)
    tail = rest.partition(end)[2]
    misses = sum(not row.passed for row in rows)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    said = (
        f"`{command}`, {today}, {minutes:.0f} minutes, {_machine()}. {_versions()}. "
        f"{len(rows)} rows, {len(rows) - misses} pass, {misses} miss."
    )
    file.write_text(f"{head}{begin}\n{said}\n\n{markdown(rows)}\n{end}{tail}", encoding="utf-8")


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"{platform.system()} {platform.machine()}"
    return f"{os.cpu_count()} cores, {memory:.0f} GiB of memory, {system}"


def _versions() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return f"Python {platform.python_version()}, {packages}"

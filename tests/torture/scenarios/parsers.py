"""atheris: each parser of bytes by itself, guided by what parts of it the bytes reach."""

import asyncio
import re
import sys
from pathlib import Path

from tests.torture.bench import Bench, Scenario
from tests.torture.fuzz.targets import TARGETS
from tests.torture.table import Row

_ROOT = Path(__file__).parents[3]
_START_SECONDS = 60


async def play(bench: Bench) -> list[Row]:
    """Fuzz one after the other; a failure names the input that caused it."""
    rows = []
    for number, target in enumerate(TARGETS):
        bench.progress(number, len(TARGETS))
        runs, failure = await _fuzz(target, int(bench.sizes.fuzz_seconds), bench.seed)
        rows.append(
            Row(
                "parsers",
                "none",
                f"atheris on {target.replace('_', ' ')}: {runs:,} inputs",
                "an answer or an error of ours",
                failure or "nothing else",
                not failure and runs > 0,
            )
        )
    return rows


async def _fuzz(target: str, seconds: int, seed: int) -> tuple[int, str]:
    """Return how many inputs there were, and the last words of a failure."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.torture.fuzz", target),
        *("--seconds", str(seconds), "--seed", str(seed)),
        cwd=_ROOT,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(seconds + _START_SECONDS):
        _, said = await process.communicate()
    text = said.decode("utf-8", "replace")
    done = re.search(r"Done (\d+) runs", text)
    if process.returncode == 0 and done:
        return int(done[1]), ""
    found = re.search(r"Uncaught Python exception: ===\n([^\n]*)", text)
    written = re.search(r"Test unit written to (\S+)", text)
    runs = [int(number) for number in re.findall(r"^#(\d+)", text, re.MULTILINE)]
    words = found[1] if found else (text.strip().splitlines() or ["nothing was said"])[-1]
    return max(runs, default=0), f"{words[:200]} ({written[1] if written else 'no input kept'})"


SCENARIO = Scenario("parsers", play, backends=("embedded",))

"""schemathesis: requests drawn from the OpenAPI document, and answers held against it."""

import asyncio
import json
import shutil

from tests.torture.bench import Bench, Scenario
from tests.torture.table import Row

# No schema can say which bytes are a picture, so that what it allows may still be refused.
_NOT_CHECKED = "positive_data_acceptance"


async def play(bench: Bench) -> list[Row]:
    """Run it on every operation, with all of its checks but one."""
    program = shutil.which("schemathesis")
    if program is None:
        raise RuntimeError("schemathesis is not installed; scripts/torture brings it along")
    report = bench.scratch / "schemathesis.json"
    arguments = (
        "run",
        f"{bench.rig().gateway.url}/openapi.json",
        *("--checks", "all", "--exclude-checks", _NOT_CHECKED),
        *("--phases", "examples,coverage,fuzzing", "--continue-on-failure"),
        *("--max-examples", str(bench.sizes.schema_examples), "--seed", str(bench.seed)),
        *("--report", "json", "--report-json-path", str(report), "--no-color"),
    )
    process = await asyncio.create_subprocess_exec(
        program,
        *arguments,
        cwd=bench.scratch,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    if not report.exists():
        raise RuntimeError(f"schemathesis made no report: {said.decode()[-300:]}")
    document = json.loads(report.read_text())
    cases, operations = document["test_cases"], document["operations"]
    titles = ", ".join(f"{f['title']} ({f['count']})" for f in document["failures"])
    return [
        Row(
            "OpenAPI",
            bench.backend,
            f"schemathesis: {cases['generated']:,} requests from the document, seed {bench.seed}",
            "every answer is as documented: status, type, headers, schema; no 5xx",
            f"{operations['tested']} of {operations['total']} operations; "
            f"{titles or 'as documented'}",
            document["exit_code"] == 0 and operations["tested"] == operations["total"],
        )
    ]


SCENARIO = Scenario("openapi", play)

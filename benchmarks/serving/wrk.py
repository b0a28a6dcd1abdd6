"""The closed loop: wrk, whose clients each send their next request when the last is answered."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.messages import Request

MISSING = (
    "wrk is not installed: apt-get install wrk (Debian, Ubuntu), brew install wrk (macOS), or "
    "https://github.com/wg/wrk"
)
_MARK = "BENCH "
# The request never changes, so that wrk sends the same bytes and runs no Lua while it measures.
_SCRIPT = """
local file = io.open("{body}", "rb")
wrk.method = "POST"
wrk.path = "{path}"
wrk.body = file:read("*all")
wrk.headers["Content-Type"] = "{content_type}"
file:close()
function done(summary, latency, requests)
  local e = summary.errors
  print(string.format('{mark}{{"requests":%d,"bytes":%d,"microseconds":%d,"p50":%.1f,"p99":%.1f,' ..
    '"status":%d,"socket":%d,"timeout":%d}}', summary.requests, summary.bytes, summary.duration,
    latency:percentile(50), latency:percentile(99), e.status, e.connect + e.read + e.write,
    e.timeout))
end
"""


@dataclass(frozen=True)
class Tally:
    """What a run saw.

    Attributes:
        good: requests that were answered with less than 400.
        seconds: that it took.
        p50_ms: median latency.
        p99_ms: 99th percentile.
        answer_bytes: size of an answer with its headers, on the average.
        errors: answers of 400 and above, lost connections, and requests without an answer.
    """

    good: int
    seconds: float
    p50_ms: float
    p99_ms: float
    answer_bytes: float
    errors: int


def find() -> str:
    """Return the path of wrk.

    Raises:
        FileNotFoundError: there is none; the message says how to get it.
    """
    path = shutil.which("wrk")
    if path is None:
        raise FileNotFoundError(MISSING)
    return path


def run(port: int, request: Request, clients: int, seconds: float, scratch: Path) -> Tally:
    """Ask again and again from so many clients.

    Args:
        port: of the server, on this machine.
        request: what each asks.
        clients: connections.
        seconds: for how long; wrk knows whole seconds only.
        scratch: a folder for wrk's script.
    """
    script = write_script(request, scratch)
    command = [find(), "-t", "1", "-c", str(clients), "-d", f"{max(1, round(seconds))}s"]
    command += ["--timeout", "20s", "-s", str(script), f"http://127.0.0.1:{port}"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    return parse(ran.stdout, ran.stderr)


def write_script(request: Request, scratch: Path) -> Path:
    """Write the script that tells wrk what to ask; return its path."""
    body = scratch / "body"
    body.write_bytes(request.body)
    script = scratch / "request.lua"
    script.write_text(
        _SCRIPT.format(body=body, path=request.path, content_type=request.content_type, mark=_MARK)
    )
    return script


def parse(output: str, complaint: str = "") -> Tally:
    """Read what the script printed.

    Raises:
        RuntimeError: it printed nothing; the message holds what wrk said instead.
    """
    line = next((line for line in output.splitlines() if line.startswith(_MARK)), None)
    if line is None:
        raise RuntimeError(f"wrk measured nothing: {(complaint or output).strip()[-500:]}")
    told = json.loads(line.removeprefix(_MARK))
    return Tally(
        good=told["requests"] - told["status"],
        seconds=told["microseconds"] / 1e6,
        p50_ms=told["p50"] / 1e3,
        p99_ms=told["p99"] / 1e3,
        answer_bytes=told["bytes"] / max(1, told["requests"]),
        errors=told["status"] + told["socket"] + told["timeout"],
    )

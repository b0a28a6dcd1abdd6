"""Metrics and health of all workers in one answer, each series with the label `worker`."""

import http.client
import json
import logging
import socket
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from service.admin import say_where
from service.telemetry.metrics import exposition

log = logging.getLogger("stn_serving")

# Of a worker that is stopped or very busy; the others are shown without it.
_WORKER_SECONDS = 5.0
# Of whoever asks.
_CALLER_SECONDS = 10.0


class Gathered(Collector):
    """What the workers tell at this moment.

    Args:
        sockets: the path of each worker's socket, in their order.
    """

    def __init__(self, sockets: Sequence[Path]) -> None:
        self._sockets = sockets

    def collect(self) -> Iterator[Metric]:
        """Return the metrics of all, and who of them answered."""
        up = GaugeMetricFamily(
            "stn_worker_up", "1 when the worker told of itself, else 0.", labels=("worker",)
        )
        families: dict[str, Metric] = {}
        for number, path in enumerate(self._sockets):
            answer = ask(path, "/metrics")
            up.add_metric((str(number),), float(answer is not None))
            if answer is None:
                continue
            for family in text_string_to_metric_families(answer[1]):
                ours = families.setdefault(
                    family.name, Metric(family.name, family.documentation, family.type)
                )
                ours.samples += [
                    sample._replace(labels={**sample.labels, "worker": str(number)})
                    for sample in family.samples
                ]
        yield up
        yield from families.values()

    def health(self) -> tuple[int, dict[str, Any]]:
        """Return the status and the document of /readyz.

        Ready are the workers together when one is, and none that takes connections is not.
        """
        answers = [ask(path, "/readyz") for path in self._sockets]
        workers = [json.loads(answer[1]) if answer else {"status": "away"} for answer in answers]
        statuses = [answer[0] for answer in answers if answer]
        is_ready = bool(statuses) and all(status == 200 for status in statuses)
        words = "ready" if is_ready else "not ready"
        return 200 if is_ready else 503, {"status": words, "workers": workers}


def ask(path: Path, route: str) -> tuple[int, str] | None:
    """Return status and body of a worker's answer; None when there is none."""
    connection = _UnixConnection(path)
    try:
        connection.request("GET", route)
        response = connection.getresponse()
        return response.status, response.read().decode()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("worker", timeout=_WORKER_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class GatheringServer(ThreadingHTTPServer):
    """Answers for all workers, from a thread of the supervisor.

    Args:
        listening: a bound socket.
        gathered: asks the workers.
    """

    daemon_threads = True

    def __init__(self, listening: socket.socket, gathered: Gathered) -> None:
        super().__init__(listening.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.gathered = gathered

    def start(self) -> None:
        """Listen, and say where."""
        self.server_activate()
        say_where(self.socket)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say it in one line, not as a stack trace."""
        log.debug("a caller of the metrics has gone, or sent no HTTP")


class _Handler(BaseHTTPRequestHandler):
    timeout = _CALLER_SECONDS
    server: GatheringServer

    def do_GET(self) -> None:
        route = self.path.partition("?")[0]
        status, media_type = 200, "application/json"
        if route == "/metrics":
            body, media_type = exposition(self.server.gathered, self.headers.get("accept", ""))
        elif route == "/readyz":
            status, document = self.server.gathered.health()
            body = json.dumps(document).encode()
        elif route == "/livez":
            body = b'{"status":"alive"}'
        else:
            status, media_type = 404, "text/plain"
            body = b"here are /metrics, /livez and /readyz\n"
        self.send_response(status)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        return "stn-serving"

    def log_message(self, *_: Any) -> None:
        """Say nothing: scrapes are no news."""

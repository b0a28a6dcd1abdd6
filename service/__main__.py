"""`stn-serve`: start the gateway."""

import asyncio
import logging
import socket
import sys
from collections.abc import Sequence
from functools import partial
from types import FrameType
from typing import cast

import uvicorn
from pydantic import ValidationError

from service.app import Gateway, create_app, package_version
from service.catalogue import Catalogue
from service.connections import Connection, ConnectionLimits
from service.errors import ServiceError
from service.keys import line_for, new_key
from service.memory import return_large_buffers
from service.settings import Settings
from service.telemetry.logs import LogFormat, configure_logging, with_fields

log = logging.getLogger("stn_serving")

# uvicorn ticks ten times a second.
_TICKS_PER_LOOK = 10
# Settings whose value a message does not repeat.
_UNSAID = ("api_keys", "allow_anonymous")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the gateway until it is told to stop; return the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["keys"]:
        return _make_key(arguments[1:])
    try:
        settings = read_settings(arguments)
    except ValidationError as error:
        for fault in error.errors():
            name = str(fault["loc"][0]) if fault["loc"] else "settings"
            flag = f"--{name.replace('_', '-')} (STN_{name.upper()})"
            words = fault["msg"].removeprefix("Value error, ")
            # Never keys, nor what might be one.
            got = "" if name in _UNSAID else f"; got {fault['input']!r}"
            print(f"stn-serve: {flag}: {words}{got}", file=sys.stderr)
        return 2
    configure_logging(settings.log_format, settings.log_level)
    return_large_buffers()
    try:
        app = create_app(settings)
        server = _Server(_uvicorn_config(app, settings), app, settings.log_format)
        server.run()
    except ServiceError as error:
        print(f"stn-serve: {error.detail}", file=sys.stderr)
        return 1
    return 0 if server.started else 1


def _make_key(arguments: Sequence[str]) -> int:
    if len(arguments) != 2 or arguments[0] != "new":
        print("usage: stn-serve keys new NAME", file=sys.stderr)
        return 2
    key = new_key()
    try:
        line = line_for(arguments[1], key)
    except ValueError as error:
        print(f"stn-serve: {error}", file=sys.stderr)
        return 2
    print(f"key, for the caller, shown only now:  {key}")
    print(f"line, for the gateway's file of keys: {line}")
    return 0


def read_settings(arguments: Sequence[str]) -> Settings:
    """Read settings from flags and environment.

    Raises:
        ValidationError: a value is out of range.
        SystemExit: `--help`, or a flag that does not exist.
    """
    return Settings(_cli_parse_args=list(arguments), _cli_prog_name="stn-serve")


def _uvicorn_config(app: Gateway, settings: Settings) -> uvicorn.Config:
    limits = ConnectionLimits(
        settings.max_connections,
        settings.max_head_bytes,
        settings.head_timeout_seconds,
        settings.answer_timeout_seconds,
    )
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=cast("type[asyncio.Protocol]", partial(Connection, app.edge, limits)),
        ws="none",
        lifespan="off",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        # Through the root logger, in its form; what it says of starting and stopping we say.
        log_config=None,
        log_level="warning",
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=settings.shutdown_grace_seconds,
    )


class _Server(uvicorn.Server):
    """Says in plain words what it serves and where, or why it does not, and ends well when told.

    It starts and stops the application itself: uvicorn would log a failure as a stack trace, and
    end by the signal that stopped it, which looks like a crash to whoever watches.
    """

    def __init__(self, config: uvicorn.Config, app: Gateway, log_format: LogFormat) -> None:
        super().__init__(config)
        self._app = app
        self._log_format = log_format

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, serve, and stop it."""
        with self.capture_signals():
            async with self._app.router.lifespan_context(self._app):
                await super().serve(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Look after the connections once a second."""
        if counter % _TICKS_PER_LOOK == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                cast("Connection", connection).look(now)
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop at the first signal; a second one does not wait for requests in flight."""
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        if not self.started:
            return
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        if self._log_format == "json":
            fields = {"address": address, "models": describe_models(self._app.state.catalogue)}
            log.info("stn-serving %s answers", package_version(), extra=with_fields(**fields))
            return
        print(f"stn-serving {package_version()} answers on {address}", flush=True)
        for line in describe_models(self._app.state.catalogue):
            print(f"  {line}")
        print(f"  try it:  curl -F image=@digit.png {address}/predict")
        print(f"  explore: {address}/docs", flush=True)


def describe_models(catalogue: Catalogue) -> list[str]:
    """Return a line for each servable: what it is, or why it cannot answer."""
    lines = []
    classifier = catalogue.classifier.latest()
    if classifier is not None:
        spec = classifier.input
        colour = "grey" if spec.channels == 1 else "colour"
        lines.append(
            f"/predict: {classifier.servable} version {classifier.version}, "
            f"{len(classifier.labels)} classes, looks at {spec.width} x {spec.height} {colour}"
        )
    warper = catalogue.warper.latest()
    if warper is not None:
        lines.append(f"/warp:    {warper.servable} version {warper.version}, any picture")
    lines += [
        f"not ready: {servable.name}: {servable.why_not_ready()}"
        for servable in catalogue.servables
        if servable.latest() is None
    ]
    return lines


if __name__ == "__main__":
    sys.exit(main())

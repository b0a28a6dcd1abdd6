"""The server: where the gateway listens, what it says when it starts, and how it stops."""

import asyncio
import logging
import resource
import select
import socket
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import cast

import uvicorn

from service.app import Gateway, package_version
from service.catalogue import Catalogue
from service.connections import Connection, ConnectionLimits
from service.settings import Settings
from service.supervisor import is_orphaned, says_what_it_serves
from service.telemetry.logs import with_fields

log = logging.getLogger("stn_serving")

# uvicorn ticks ten times a second.
_TICKS_PER_LOOK = 10
# Models, libraries, connections to the model server.
_OTHER_FILES = 256
_LOOK_SECONDS = 0.01
# At the end, for the request of whoever has only just connected.
_FIRST_WORDS_SECONDS = 1.0


def allow_connections(max_connections: int) -> None:
    """Raise this process's limit of open files to what so many connections need, where it may."""
    wanted = max_connections + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        if allowed < wanted:
            log.warning("only %d files may be open, %d are wanted; see ulimit -n", allowed, wanted)


def bind(host: str, port: int) -> socket.socket:
    """Return a bound socket; where that fails, say so and exit."""
    return uvicorn.Config(
        "", host=host, port=port, log_config=None, log_level="warning"
    ).bind_socket()


def uvicorn_config(app: Gateway, settings: Settings) -> uvicorn.Config:
    """Return how uvicorn serves the gateway."""
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


class Server(uvicorn.Server):
    """Says in plain words what it serves and where, or why it does not, and ends well when told.

    Told to stop, it says so on /readyz, takes requests for some time yet, and then no more; those
    in flight have the grace to finish in.

    It starts and stops the application itself: uvicorn would log a failure as a stack trace, and
    end by the signal that stopped it, which looks like a crash to whoever watches.
    """

    def __init__(self, app: Gateway, settings: Settings) -> None:
        super().__init__(uvicorn_config(app, settings))
        self._app = app
        self._log_format = settings.log_format
        self._has_page = settings.page
        self._drain_seconds = settings.drain_seconds
        self._drained_at: float | None = None
        self._signals = 0

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, serve, and stop it."""
        with self.capture_signals():
            async with self._app.router.lifespan_context(self._app):
                admin = self._app.admin
                if admin is not None:
                    await admin.begin()
                await super().serve(sockets)
                if admin is not None:
                    await admin.shutdown()

    async def on_tick(self, counter: int) -> bool:
        """Look after the connections once a second; say when it is time to stop."""
        now = asyncio.get_running_loop().time()
        if counter % _TICKS_PER_LOOK == 0:
            admin = self._app.admin.server_state.connections if self._app.admin else ()
            for connection in (*self.server_state.connections, *admin):
                cast("Connection", connection).look(now)
            if is_orphaned():
                self._signals += 1  # nobody would end this process
        if self._signals and self._drained_at is None:
            self._app.drain()
            self._drained_at = now + self._drain_seconds
        if self._drained_at is not None and (now >= self._drained_at or self._signals > 1):
            self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, but answer whoever had one before."""
        end = asyncio.get_running_loop().time() + _FIRST_WORDS_SECONDS
        # Closed at once, the system would drop who is connected and not yet accepted, and what has
        # come on idle connections and is not yet read.
        await self._until(end, lambda: not any(map(_someone_waits, self.servers)))
        for listening in (*self.servers, *(sockets or ())):
            listening.close()
        await self._until(end, lambda: not self._someone_begins())
        await super().shutdown(sockets)

    async def _until(self, end: float, holds: Callable[[], bool]) -> None:
        """Let the event loop look at its sockets, at least once, until something holds."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(_LOOK_SECONDS)
        while loop.time() < end and not self.force_exit and not holds():  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_SECONDS)

    def _someone_begins(self) -> bool:
        return any(cast("Connection", c).is_beginning() for c in self.server_state.connections)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop at the first signal; a second one does not wait for requests in flight."""
        self._signals += 1
        self.force_exit = self._signals > 1

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        if not self.started or not says_what_it_serves():
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
        print(f"  try it:  curl -F image=@picture.png {address}/predict")
        if self._has_page:
            print(f"  see it:  {address}/")
        print(f"  explore: {address}/docs", flush=True)


def _someone_waits(server: asyncio.Server) -> bool:
    poll = select.poll()
    for listening in server.sockets:
        poll.register(listening.fileno(), select.POLLIN)
    return bool(poll.poll(0))


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

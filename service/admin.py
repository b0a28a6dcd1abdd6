"""Metrics and health on a port of their own, for those who run the gateway."""

import asyncio
import logging
import os
import socket
from functools import partial
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from service.connections import Connection, ConnectionLimits
from service.edge import Edge
from service.settings import Settings

log = logging.getLogger("stn_serving")

# How a worker is told where its supervisor asks for its metrics: the path of a socket.
PATH_VARIABLE = "_STN_WORKER_ADMIN"
# Prometheus, probes, and a person who looks.
_MAX_CONNECTIONS = 64
_GRACE_SECONDS = 1


class AdminServer(uvicorn.Server):
    """Listens beside the gateway's own server, in its event loop, and for as long as that runs.

    It has connections of its own: callers who take all of the gateway's take none of these.

    Args:
        app: answers.
        edge: around it.
        settings: where it listens, and the limits.
    """

    def __init__(self, app: ASGIApp, edge: Edge, settings: Settings) -> None:
        limits = ConnectionLimits(
            _MAX_CONNECTIONS,
            settings.max_head_bytes,
            settings.head_timeout_seconds,
            settings.answer_timeout_seconds,
        )
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.admin_host,
                port=settings.admin_port or 0,
                uds=os.environ.get(PATH_VARIABLE),
                http=cast("type[asyncio.Protocol]", partial(Connection, edge, limits)),
                ws="none",
                interface="asgi3",  # which uvicorn does not see of a method
                lifespan="off",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                log_config=None,
                log_level="warning",
                timeout_keep_alive=settings.keep_alive_seconds,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )

    async def begin(self) -> None:
        """Listen, and say where."""
        self.config.load()
        self.lifespan = self.config.lifespan_class(self.config)
        await self.startup()
        if self.config.uds is None:
            say_where(self.servers[0].sockets[0])


def say_where(listening: socket.socket) -> None:
    """Log the address at which metrics and health are found."""
    host, port = listening.getsockname()[:2]
    log.info("metrics and health at http://%s:%d", f"[{host}]" if ":" in host else host, port)

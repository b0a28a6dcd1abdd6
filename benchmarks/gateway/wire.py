"""A gateway in this process, asked through its own connections, over no network."""

import asyncio
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from benchmarks.serving.messages import Request
from service.app import Gateway
from service.server import uvicorn_config
from service.settings import Settings
from tests.torture.client import post

AS_CURL = ("User-Agent: curl/8.5.0", "Accept: */*")


class Wire(asyncio.Transport):
    """One caller's end of a connection: sends a request, and waits until its answer is whole."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 8000)})
        self._answer = b""
        self._expected = 0
        self._waiter: asyncio.Future[bytes] | None = None
        self._connection: Any = config.http_protocol_class(  # type: ignore[operator]
            config=config,
            server_state=ServerState(),
            app_state={},
            _loop=asyncio.get_running_loop(),
        )
        self._connection.connection_made(self)

    async def ask(self, request: bytes) -> bytes:
        """Send a whole request and return the whole answer."""
        self._answer, self._expected = b"", 0
        self._waiter = answered = asyncio.get_running_loop().create_future()
        self._connection.data_received(request)
        return await answered

    def write(self, data: Any) -> None:
        """Take a piece of the answer."""
        self._answer += data
        if not self._expected and b"\r\n\r\n" in self._answer:
            head, _, _ = self._answer.partition(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            self._expected = len(head) + 4 + length
        if self._expected and len(self._answer) >= self._expected and self._waiter is not None:
            self._waiter.set_result(self._answer)
            self._waiter = None

    def get_write_buffer_size(self) -> int:
        """Return 0: the caller takes everything at once."""
        return 0

    def is_closing(self) -> bool:
        """Return False: it stays open."""
        return False

    def pause_reading(self) -> None:
        """Nothing to do: requests come whole."""

    def resume_reading(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


def connect(app: Gateway, settings: Settings, connections: int) -> list[Wire]:
    """Return so many open connections to a gateway that has started."""
    config = uvicorn_config(app, settings)
    config.load()
    return [Wire(config) for _ in range(connections)]


def http_request(request: Request, *headers: str) -> bytes:
    """Return a request as curl would send it."""
    return post(request.path, request.body, *AS_CURL, *headers, content_type=request.content_type)

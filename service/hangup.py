"""Callers who hang up: work that nobody waits for any more is cancelled."""

import asyncio
from typing import Any

from starlette.requests import Request

from service.context import context_of


class HungUp(Exception):
    """The caller is gone; nobody is left to answer."""


class HangUpWatch:
    """Cancels the work on a request when its caller hangs up.

    Listening costs a task, so it begins only with requests that take long enough to be worth it.
    """

    _PATIENCE_SECONDS = 0.05

    def __init__(self, request: Request) -> None:
        self._request = request
        self._worker: asyncio.Task[Any] | None = None
        self._listener: asyncio.Task[None] | None = None
        self._hung_up = False

    async def __aenter__(self) -> None:
        self._worker = asyncio.current_task()
        self._wait()

    async def __aexit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        self._timer.cancel()
        if self._listener is not None:
            self._listener.cancel()
        if self._hung_up and isinstance(error, asyncio.CancelledError):
            assert self._worker is not None
            if self._worker.uncancel() == 0:
                raise HungUp from error

    def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._PATIENCE_SECONDS, self._begin)

    def _begin(self) -> None:
        # Until the body is read, whoever reads it is the one to notice.
        if context_of(self._request.scope).body_is_read:
            self._listener = asyncio.get_running_loop().create_task(self._listen())
        else:
            self._wait()

    async def _listen(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
        if self._worker is not None:
            self._hung_up = True
            self._worker.cancel()

"""Request bodies, read within bounds of size and time."""

import asyncio

from starlette.requests import Request
from starlette.types import Scope

from service.context import RequestContext, context_of
from service.errors import BodyTooLarge, BodyTooSlow, MalformedRequest, Overloaded

# Set in a request's scope when all of its body has come, whether or not anybody has read it.
BODY_IS_IN = "stn.body_is_in"


class BodyMemory:
    """Bounds what the bodies of all requests together hold.

    Args:
        max_bytes: that much.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self.held_bytes = 0

    def take(self, num_bytes: int) -> None:
        """Make room for a piece that has come.

        Raises:
            Overloaded: there is none.
        """
        if self.held_bytes + num_bytes > self._max_bytes:
            raise Overloaded(
                f"the requests in progress hold {self.held_bytes} bytes, of {self._max_bytes} that "
                "they may"
            )
        self.held_bytes += num_bytes

    def give(self, num_bytes: int) -> None:
        """Give room back."""
        self.held_bytes -= num_bytes


async def read_body(request: Request, max_bytes: int, timeout_seconds: float) -> bytes:
    """Read the body of a request, and then take a place among those at work.

    In this order, so that nobody occupies a place by sending slowly.

    Raises:
        BodyTooLarge: it is, or announces itself, larger than allowed.
        BodyTooSlow: it did not arrive in time.
        MalformedRequest: the caller hung up half way.
        ServiceError: there is no place, see `edge.Admission`.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > max_bytes:
        raise BodyTooLarge(
            f"the body announces {announced} bytes; at most {max_bytes} are accepted. "
            "Send a smaller picture."
        )
    context = context_of(request.scope)
    chunks: list[bytes] = []
    if BODY_IS_IN in request.scope:  # then there is nothing to wait for
        await _receive_all(request, context, max_bytes, chunks)
    else:
        try:
            async with asyncio.timeout(timeout_seconds):
                await _receive_all(request, context, max_bytes, chunks)
        except TimeoutError as error:
            raise BodyTooSlow(
                f"the body was not complete after {timeout_seconds:g} seconds "
                f"({context.bytes_received} bytes came)"
            ) from error
    if context.admission is not None:
        await context.admission.enter(request.scope, context)
        context.admitted = True
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def _receive_all(
    request: Request, context: RequestContext, max_bytes: int, chunks: list[bytes]
) -> None:
    while not context.body_is_read:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise MalformedRequest("the connection closed before the body was complete")
        chunk = message.get("body", b"")
        if context.bytes_received + len(chunk) > max_bytes:
            raise BodyTooLarge(
                f"the body has more than {max_bytes} bytes, the most that is accepted. "
                "Send a smaller picture."
            )
        if context.body_memory is not None:
            context.body_memory.take(len(chunk))
        context.bytes_received += len(chunk)
        chunks.append(chunk)
        context.body_is_read = not message.get("more_body", False)


def has_body(scope: Scope) -> bool:
    """Whether the head of a request announces a body."""
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in scope["headers"]
    )


def is_body_coming(scope: Scope) -> bool:
    """Whether some of a request's body may not have come yet."""
    return BODY_IS_IN not in scope and has_body(scope)

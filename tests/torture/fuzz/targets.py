"""The parsers that see bytes of strangers, each as a function of bytes.

A target returns whatever happens, as long as it is an answer or an error of ours; anything else
that it raises is a bug.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable

import numpy as np

from service import wire
from service.context import RequestContext, read_context
from service.errors import ServiceError
from service.http import choose_media_type
from service.images import InputSpec, decode_for_model, decode_for_warp, open_image
from service.options import read_predict_options, read_warp_options
from service.submission import read_submission

Target = Callable[[bytes], None]

# Small, so that a lie about the size cannot make one input slow.
_MAX_PIXELS = 250_000
_LOOP = asyncio.new_event_loop()
_GREY, _COLOUR = InputSpec(42, 42, 1, 0), InputSpec(5, 9, 3, 255)


def multipart(data: bytes) -> None:
    """A multipart body; its boundary is what stands before the first line end."""
    boundary, _, body = data.partition(b"\n")
    content_type = "multipart/form-data; boundary=" + boundary.decode("latin-1")
    with contextlib.suppress(ServiceError):
        read_submission(content_type, body or b"x")


def content_type(data: bytes) -> None:
    """A Content-Type header before a small body."""
    with contextlib.suppress(ServiceError):
        read_submission(data.decode("latin-1"), b"--b\r\n\r\n")


def json_body(data: bytes) -> None:
    """A JSON body and the options in it."""
    with contextlib.suppress(ServiceError):
        submission = read_submission("application/json", data or b"{")
        read_predict_options(submission.options)


def options(data: bytes) -> None:
    """Options as a query would give them: name=value, one a line."""
    pairs = dict(line.partition("=")[::2] for line in data.decode("utf-8", "replace").split("\n"))
    with contextlib.suppress(ServiceError):
        read_predict_options(pairs)
    with contextlib.suppress(ServiceError):
        read_warp_options(pairs)
    with contextlib.suppress(ServiceError):
        read_warp_options({"theta": data.decode("utf-8", "replace")})
    with contextlib.suppress(ValueError, RecursionError):
        values = json.loads(data)
        with contextlib.suppress(ServiceError):
            read_warp_options({"theta": values, "width": values, "version": values})


def accept(data: bytes) -> None:
    """An Accept header."""
    with contextlib.suppress(ServiceError):
        chosen = choose_media_type(data.decode("latin-1"), ("image/png", "application/json"))
        assert chosen in ("image/png", "application/json")


def headers(data: bytes) -> None:
    """The headers that make a request's context, one a line in this order."""
    names = (b"x-request-id", b"x-request-timeout-ms", b"traceparent")
    named = list(zip(names, data.split(b"\n"), strict=False))

    async def read() -> RequestContext:
        return read_context(named, 10_000, 30_000)

    context = _LOOP.run_until_complete(read())
    for name, value in context.headers():
        assert b"\n" not in name + value
        assert b"\r" not in name + value


def image(data: bytes) -> None:
    """A picture, decoded for the classifier and for a warp."""
    for spec in (_GREY, _COLOUR):
        with contextlib.suppress(ServiceError):
            fitted = decode_for_model(open_image(data, _MAX_PIXELS), spec)
            assert fitted.pixels.shape == (spec.height, spec.width, spec.channels)
    with contextlib.suppress(ServiceError):
        pixels = decode_for_warp(open_image(data, _MAX_PIXELS))
        assert pixels.ndim == 3
        assert pixels.dtype in (np.uint8, np.uint16)


def wire_answer(data: bytes) -> None:
    """What a model server answers to Predict."""
    with contextlib.suppress(ServiceError):
        answer = wire.parse(wire.PredictResponse, data)
        for name, tensor in answer.outputs.items():
            wire.decode_tensor(tensor, 100_000, name)


def wire_tensor(data: bytes) -> None:
    """One tensor of it."""
    with contextlib.suppress(ServiceError):
        tensor = wire.parse(wire.TensorProto, data)
        decoded = wire.decode_tensor(tensor, 100_000, "x")
        assert decoded.size <= 100_000


def wire_signatures(data: bytes) -> None:
    """What a model server answers when asked for signatures."""
    with contextlib.suppress(ServiceError):
        wire.read_signatures(wire.parse(wire.GetModelMetadataResponse, data))


TARGETS: dict[str, Target] = {
    target.__name__: target
    for target in (
        multipart,
        content_type,
        json_body,
        options,
        accept,
        headers,
        image,
        wire_answer,
        wire_tensor,
        wire_signatures,
    )
}

"""From a picture and options to an answer: decode, ask the model, check what it says."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np

from service.backend import Arrays, Backend, Call
from service.batching import MicroBatcher
from service.catalogue import Catalogue
from service.context import RequestContext
from service.contract import (
    ALL_OUTPUTS,
    PROBABILITY_OUTPUTS,
    Classifier,
    Warper,
    check_prediction,
    check_warped,
    warp_signature,
)
from service.errors import NotReady, ServiceError, UnknownVersion
from service.geometry import Fit
from service.images import FittedImage, check_pixels, decode_for_model, decode_for_warp, encode_png
from service.options import PredictOptions, Selector, WarpOptions
from service.pictures import PicturePool, is_small
from service.servable import Model, Servable
from service.telemetry.tracer import PassOn, Tracer

Result = TypeVar("Result")


@dataclass(frozen=True)
class Prediction:
    """What a classifier said of one picture.

    Attributes:
        model: who answered.
        probabilities: float32 `(num_classes,)`.
        theta: float32 `(num_theta,)`.
        warped: float32 `(height, width, channels)` in [0, 1], or None when not asked for.
        fit: where the picture lay on the model's input.
    """

    model: Classifier
    probabilities: np.ndarray
    theta: np.ndarray
    warped: np.ndarray | None
    fit: Fit


@dataclass(frozen=True)
class Warped:
    """A warped picture.

    Attributes:
        model: who warped it.
        png: the warped picture, as deep and with the channels of the one sent.
        input_size: `(height, width)` of the picture.
    """

    model: Warper
    png: bytes
    input_size: tuple[int, int]


class _Picture(NamedTuple):
    pixels: np.ndarray
    context: RequestContext


@dataclass(frozen=True)
class _Row:
    outputs: Arrays
    model_seconds: float


# What pictures must share to go to the model in one call.
_Group = tuple[Classifier, tuple[str, ...]]


class Inference:
    """Answers requests.

    Args:
        backend: who runs the models, and how many calls at a time.
        run: runs a call there; see `backend.Backend.run`.
        catalogue: which models there are.
        pool: where pictures are decoded.
        max_batch_size: most pictures in one call of the model.
        max_pixels: most pixels of a warped picture.
        tracer: follows the calls of the model.
        on_batch: told how many pictures go to the classifier, at each call.
    """

    def __init__(
        self,
        backend: Backend,
        run: Callable[[Call, float], Awaitable[Arrays]],
        catalogue: Catalogue,
        pool: PicturePool,
        max_batch_size: int,
        max_pixels: int,
        tracer: Tracer | None = None,
        on_batch: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._run_call = run
        self._catalogue = catalogue
        self._pool = pool
        self._max_pixels = max_pixels
        self._tracer = tracer or PassOn()
        self._on_batch = on_batch
        self._warps = asyncio.Semaphore(backend.max_warp_calls)
        self._batcher: MicroBatcher[_Group, _Picture, _Row] = MicroBatcher(
            self._run_batch, max_batch_size, backend.max_predict_calls
        )

    async def predict(
        self, content: bytes, options: PredictOptions, context: RequestContext
    ) -> Prediction:
        """Classify one picture.

        Raises:
            ServiceError: the picture, the options or the model are at fault.
        """
        return await self._on_version(
            self._catalogue.classifier,
            options.selector,
            lambda model: self._predict(content, options, model, context),
        )

    async def predict_many(
        self, contents: Sequence[bytes], options: PredictOptions, context: RequestContext
    ) -> list[Prediction]:
        """Classify several pictures by the same version: all of them, or none.

        Raises:
            ServiceError: as `predict`, for the first picture that fails.
        """
        return await self._on_version(
            self._catalogue.classifier,
            options.selector,
            lambda model: self._predict_all(contents, options, model, context),
        )

    async def warp(self, content: bytes, options: WarpOptions, context: RequestContext) -> Warped:
        """Warp one picture by an explicit theta.

        Raises:
            ServiceError: the picture, the options or the model are at fault.
        """
        return await self._on_version(
            self._catalogue.warper,
            options.selector,
            lambda model: self._warp(content, options, model, context),
        )

    async def _on_version(
        self,
        servable: Servable[Model],
        selector: Selector,
        work: Callable[[Model], Awaitable[Result]],
    ) -> Result:
        try:
            return await work(await servable.choose(selector))
        except UnknownVersion:
            if selector.version is not None:
                raise
        # The server changed its versions a moment ago: look again, and use what it has now.
        servable.forget_labels()
        await self._catalogue.refresh()
        model = await servable.choose(selector)
        try:
            return await work(model)
        except UnknownVersion as error:
            raise NotReady(
                f"the model server keeps changing the versions of {servable.name}; try again"
            ) from error

    async def _predict_all(
        self,
        contents: Sequence[bytes],
        options: PredictOptions,
        model: Classifier,
        context: RequestContext,
    ) -> list[Prediction]:
        tasks: list[asyncio.Task[Prediction]] = []
        try:
            async with asyncio.TaskGroup() as group:
                for content in contents:
                    task = group.create_task(self._predict(content, options, model, context))
                    tasks.append(task)
        except ExceptionGroup as failures:
            for number, task in enumerate(tasks):
                error = None if task.cancelled() else task.exception()
                if isinstance(error, ServiceError):
                    raise error.within(f"image {number}") from error
            raise failures.exceptions[0] from failures
        return [task.result() for task in tasks]

    async def _warp(
        self, content: bytes, options: WarpOptions, model: Warper, context: RequestContext
    ) -> Warped:
        height, width = options.height or 1, options.width or 1
        check_pixels(width, height, self._max_pixels, "the warped image would have")
        start = time.perf_counter()
        async with self._pool.room(content, height, width):
            picture = await self._pool.decode(content, decode_for_warp)
            context.spent("decode", time.perf_counter() - start, start)
            context.pixels.append(picture.shape[0] * picture.shape[1])
            size = (options.height or picture.shape[0], options.width or picture.shape[1])
            check_pixels(size[1], size[0], self._max_pixels, "the warped image would have")
            pixels = await self._run_warp(model, picture, size, options, context)
            context.model_version = model.version
            with context.stage("encode"):
                encode = partial(encode_png, pixels)
                png = encode() if is_small(*size) else await self._pool.run(encode)
        return Warped(model, png, (picture.shape[0], picture.shape[1]))

    async def _run_warp(
        self,
        model: Warper,
        picture: np.ndarray,
        size: tuple[int, int],
        options: WarpOptions,
        context: RequestContext,
    ) -> np.ndarray:
        # Only 16-bit pictures are not uint8; float32 holds their values exactly.
        dtype = "uint8" if picture.dtype == np.uint8 else "float32"
        call = Call(
            servable=model.servable,
            version=model.version,
            signature=warp_signature(dtype, options.padding, options.interpolation),
            inputs={
                "images": picture[np.newaxis].astype(dtype, copy=False),
                "theta": options.theta[np.newaxis],
                "output_size": np.array(size, np.int32),
            },
            outputs=("warped",),
        )
        start = time.perf_counter()
        async with self._warps:
            context.spent("queue", time.perf_counter() - start, start)
            with context.stage("model"):
                outputs = await self._run(call, [context], context.deadline)
        pixels: np.ndarray = check_warped(model, outputs, (1, *size, picture.shape[2]), dtype)[0]
        return pixels if dtype == "uint8" else pixels.round().astype(np.uint16)

    async def _predict(
        self, content: bytes, options: PredictOptions, model: Classifier, context: RequestContext
    ) -> Prediction:
        start = time.perf_counter()
        decode = partial(
            decode_for_model, spec=model.input, mode=options.fit, invert=options.invert
        )
        fitted: FittedImage = await self._pool.decode(content, decode)
        decoded = time.perf_counter()
        outputs = ALL_OUTPUTS if options.include_warped else PROBABILITY_OUTPUTS
        context.spent("decode", decoded - start, start)
        context.pixels.append(fitted.num_pixels)
        picture = _Picture(fitted.pixels, context)
        row = await self._batcher.submit((model, outputs), picture, context.deadline)
        queued = time.perf_counter() - decoded - row.model_seconds
        context.spent("queue", queued, decoded)
        context.spent("model", row.model_seconds, decoded + queued)
        context.model_version = model.version
        return Prediction(
            model=model,
            probabilities=row.outputs["probabilities"],
            theta=row.outputs["theta"],
            warped=row.outputs.get("warped"),
            fit=fitted.fit,
        )

    async def _run_batch(
        self, group: _Group, pictures: Sequence[_Picture], deadline: float
    ) -> list[_Row]:
        model, wanted = group
        inputs = {"images": np.stack([picture.pixels for picture in pictures])}
        self._on_batch(len(pictures))
        call = Call(model.servable, model.version, "predict", inputs, wanted)
        start = time.perf_counter()
        outputs = await self._run(call, [picture.context for picture in pictures], deadline)
        seconds = time.perf_counter() - start
        check_prediction(model, outputs, wanted, len(pictures))
        return [
            _Row({name: outputs[name][index] for name in wanted}, seconds)
            for index in range(len(pictures))
        ]

    async def _run(self, call: Call, contexts: Sequence[RequestContext], deadline: float) -> Arrays:
        with self._tracer.model_call(call, contexts) as headers:
            if headers:
                call = replace(call, headers=headers)
            return await self._run_call(call, deadline)

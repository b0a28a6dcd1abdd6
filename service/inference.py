"""From a picture and options to an answer: decode, ask the model, check what it says."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np

from service.admission import weigh
from service.backend import Arrays, Backend, Call
from service.batching import MicroBatcher
from service.catalogue import Catalogue
from service.context import RequestContext
from service.contract import (
    AFFINE_PARAMETERS,
    ALL_OUTPUTS,
    PROBABILITY_OUTPUTS,
    Classifier,
    Warper,
    check_prediction,
    check_warped,
    warp_signature,
)
from service.errors import FieldError, InvalidTensor, NotReady, UnknownVersion
from service.geometry import UNFITTED, Fit
from service.images import FittedImage, check_pixels, decode_for_model, decode_for_warp
from service.options import PredictOptions, Selector, WarpOptions
from service.picture_lane import PictureLane, Place
from service.pictures import PicturePool, is_small
from service.png import encode_png
from service.servable import Model, Servable
from service.telemetry.tracer import PassOn, Tracer
from service.together import all_or_none

# A server may tell of a version for some milliseconds after it has put it away.
_LOOK_AGAIN_AFTER_SECONDS = (0.0, 0.02, 0.05, 0.1)

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
        lanes: bound the larger pictures, for the classifier and for the transformer.
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
        lanes: tuple[PictureLane, PictureLane],
        tracer: Tracer | None = None,
        on_batch: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._run_call = run
        self._catalogue = catalogue
        self._pool = pool
        self._max_pixels = max_pixels
        self._classifier_pictures, self._warper_pictures = lanes
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
            lambda model: self._predict(
                content, options, model, context, self._classifier_pictures
            ),
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

    async def predict_pixels(
        self, images: np.ndarray, options: PredictOptions, context: RequestContext
    ) -> list[Prediction]:
        """Classify images that already are what the model takes: all of them, or none.

        Args:
            images: uint8 `(batch, height, width, channels)`.
            options: which version, and whether the warped images are wanted.
            context: of the request.

        Raises:
            InvalidTensor: the model takes images of another shape.
            ServiceError: the model is at fault.
        """
        return await self._on_version(
            self._catalogue.classifier,
            options.selector,
            lambda model: self._predict_pixels(images, options, model, context),
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

    async def warp_pixels(
        self, images: np.ndarray, options: WarpOptions, context: RequestContext
    ) -> tuple[Warper, np.ndarray]:
        """Warp a batch of images by explicit thetas.

        Args:
            images: uint8 or finite float32 `(batch, height, width, channels)`.
            options: theta is `(batch, 6)` here; width and height are given.
            context: of the request.

        Returns:
            Who warped them, and the images in the dtype of those sent.

        Raises:
            ServiceError: the model is at fault, or the output too large.
        """
        assert options.height is not None
        assert options.width is not None
        size = (options.height, options.width)
        wide = len(images) * options.width
        check_pixels(wide, options.height, self._max_pixels, "the warped images would have")

        async def work(model: Warper) -> tuple[Warper, np.ndarray]:
            warped = await self._run_warp(model, images, size, options, context)
            context.model_version = model.version
            return model, warped

        context.pixels += [images.shape[1] * images.shape[2]] * len(images)
        return await self._on_version(self._catalogue.warper, options.selector, work)

    async def _on_version(
        self,
        servable: Servable[Model],
        selector: Selector,
        work: Callable[[Model], Awaitable[Result]],
    ) -> Result:
        for pause in (None, *_LOOK_AGAIN_AFTER_SECONDS):
            if pause is not None:
                # The server changed its versions a moment ago: use what it has now.
                await asyncio.sleep(pause)
                servable.forget_labels()
                await self._catalogue.refresh()
            try:
                return await work(await servable.choose(selector))
            except UnknownVersion:
                if selector.version is not None:
                    raise
        raise NotReady(
            f"the model server keeps changing the versions of {servable.name}; try again"
        )

    async def _warp(
        self, content: bytes, options: WarpOptions, model: Warper, context: RequestContext
    ) -> Warped:
        height, width = options.height or 1, options.width or 1
        check_pixels(width, height, self._max_pixels, "the warped image would have")
        start = time.perf_counter()
        room = self._pool.room(
            content, self._warper_pictures, context.deadline, options.height, options.width
        )
        async with room as place:
            picture = await self._pool.decode(content, decode_for_warp, place=place)
            context.spent("decode", time.perf_counter() - start, start)
            context.pixels.append(picture.shape[0] * picture.shape[1])
            size = (options.height or picture.shape[0], options.width or picture.shape[1])
            check_pixels(size[1], size[0], self._max_pixels, "the warped image would have")
            # Only 16-bit pictures are not uint8; float32 holds their values exactly.
            is_deep = picture.dtype != np.uint8
            images = (picture.astype(np.float32) if is_deep else picture)[np.newaxis]
            pixels = (await self._run_warp(model, images, size, options, context))[0]
            if is_deep:
                pixels = pixels.round().astype(np.uint16)
            context.model_version = model.version
            with context.stage("encode"):
                encode = partial(encode_png, pixels)
                png = encode() if is_small(*size) else await self._pool.run(encode, place)
        return Warped(model, png, (picture.shape[0], picture.shape[1]))

    async def _run_warp(
        self,
        model: Warper,
        images: np.ndarray,
        size: tuple[int, int],
        options: WarpOptions,
        context: RequestContext,
    ) -> np.ndarray:
        dtype = images.dtype.name
        call = Call(
            servable=model.servable,
            version=model.version,
            signature=warp_signature(dtype, options.padding, options.interpolation),
            inputs={
                "images": images,
                "theta": options.theta.reshape(len(images), AFFINE_PARAMETERS),
                "output_size": np.array(size, np.int32),
            },
            outputs=("warped",),
        )
        start = time.perf_counter()
        async with self._warps:
            context.spent("queue", time.perf_counter() - start, start)
            with context.stage("model"):
                outputs = await self._run(call, [context], context.deadline)
        return check_warped(model, outputs, (len(images), *size, images.shape[3]), dtype)

    async def _predict_all(
        self,
        contents: Sequence[bytes],
        options: PredictOptions,
        model: Classifier,
        context: RequestContext,
    ) -> list[Prediction]:
        weigh(context, len(contents))
        work = partial(self._predict, options=options, model=model, context=context, pictures=None)
        num_pixels = await self._pool.count_pixels(contents)
        if not num_pixels:
            return await all_or_none(work(content) for content in contents)
        # They share one place: a request that was let in must not be too many for itself.
        num_bytes = sum(map(len, contents))
        with self._classifier_pictures.place(num_pixels, num_bytes, context.deadline) as place:
            return await all_or_none(work(content, place=place) for content in contents)

    async def _predict(
        self,
        content: bytes,
        options: PredictOptions,
        model: Classifier,
        context: RequestContext,
        pictures: PictureLane | None,
        place: Place | None = None,
    ) -> Prediction:
        start = time.perf_counter()
        decode = partial(
            decode_for_model, spec=model.input, mode=options.fit, invert=options.invert
        )
        fitted: FittedImage = await self._pool.decode(
            content, decode, pictures, context.deadline, place
        )
        decoded = time.perf_counter()
        context.spent("decode", decoded - start, start)
        context.pixels.append(fitted.num_pixels)
        return await self._submit(fitted.pixels, fitted.fit, options, model, context)

    async def _predict_pixels(
        self,
        images: np.ndarray,
        options: PredictOptions,
        model: Classifier,
        context: RequestContext,
    ) -> list[Prediction]:
        spec = model.input
        expected = (spec.height, spec.width, spec.channels)
        if images.shape[1:] != expected:
            got = f"shape {list(images.shape)}"
            wanted = f"shape [batch, {', '.join(map(str, expected))}]"
            raise InvalidTensor(
                f"images must have {wanted} for {model.servable} version {model.version}; got "
                f"{got}. As BYTES, pictures of any size are taken",
                (FieldError("inputs.images", got, wanted),),
            )
        weigh(context, len(images))
        context.pixels += [spec.height * spec.width] * len(images)
        return await all_or_none(
            self._submit(pixels, UNFITTED, options, model, context) for pixels in images
        )

    async def _submit(
        self,
        pixels: np.ndarray,
        fit: Fit,
        options: PredictOptions,
        model: Classifier,
        context: RequestContext,
    ) -> Prediction:
        start = time.perf_counter()
        outputs = ALL_OUTPUTS if options.include_warped else PROBABILITY_OUTPUTS
        picture = _Picture(pixels, context)
        row = await self._batcher.submit((model, outputs), picture, context.deadline)
        queued = time.perf_counter() - start - row.model_seconds
        context.spent("queue", queued, start)
        context.spent("model", row.model_seconds, start + queued)
        context.model_version = model.version
        return Prediction(
            model=model,
            probabilities=row.outputs["probabilities"],
            theta=row.outputs["theta"],
            warped=row.outputs.get("warped"),
            fit=fit,
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

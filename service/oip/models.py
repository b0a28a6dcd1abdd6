"""The inputs of a request, checked against what each servable takes, and its outputs.

This is where tensors meet the models; the rows of a request join the same batches as the pictures
of other routes.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from service.context import RequestContext
from service.contract import AFFINE_PARAMETERS, ALL_OUTPUTS
from service.errors import FieldError, InvalidTensor, TooManyImages, TooManyPixels, UnknownOption
from service.inference import Inference
from service.oip.datatypes import BYTES, FLOATS, INTEGERS
from service.oip.requests import IMAGES, InferRequest
from service.oip.responses import classifications, requested
from service.oip.tensors import Tensor
from service.options import (
    MAX_THETA,
    Selector,
    WarpOptions,
    describe,
    read_fitting_options,
    read_sampling_options,
)
from service.submission import image_from_base64

# What each input may be; the first is what the model itself takes.
IMAGE_DATATYPES = ("UINT8", BYTES, *(name for name in INTEGERS if name != "UINT8"))
WARP_DATATYPES = ("UINT8", "FP32", *(name for name in FLOATS if name != "FP32"))
THETA_DATATYPES = ("FP32", *(name for name in FLOATS if name != "FP32"))
SIZE_DATATYPES = ("INT32", *(name for name in INTEGERS if name != "INT32"))

# Sums of products of larger numbers may leave what float32 can hold.
_LARGEST_PIXEL = 1e30
_MAX_CHANNELS = 4


@dataclass(frozen=True)
class Limits:
    """How much one request may ask for.

    Attributes:
        max_images: rows of `images`.
        max_bytes: of the answer's tensor.
    """

    max_images: int
    max_bytes: int


@dataclass(frozen=True)
class Outputs:
    """What a model answered.

    Attributes:
        version: which version answered.
        arrays: the outputs asked for, in order.
    """

    version: int
    arrays: Mapping[str, np.ndarray]


async def classify(
    inference: Inference,
    request: InferRequest,
    selector: Selector,
    limits: Limits,
    context: RequestContext,
) -> Outputs:
    """Run the classifier on images as they are, or on pictures that are decoded and fitted first.

    Raises:
        InvalidTensor: the inputs or outputs are not those of the model.
        ServiceError: as `Inference.predict_many`.
    """
    images = _inputs(request, {IMAGES: IMAGE_DATATYPES})[IMAGES]
    outputs = requested(request, ALL_OUTPUTS)
    for output in outputs:
        if output.num_classes and output.name != "probabilities":
            raise UnknownOption(f"classification is for probabilities, not for {output.name}")
    options = read_fitting_options(request.options)
    options = replace(
        options, selector=selector, include_warped=any(o.name == "warped" for o in outputs)
    )
    if images.datatype == BYTES:
        contents = _pictures(images)
        _check_count(len(contents), limits.max_images)
        predictions = await inference.predict_many(contents, options, context)
    else:
        if request.options:
            raise UnknownOption(
                "fit and invert are for pictures (BYTES); a tensor is taken as it is"
            )
        pixels = _uint8(images)
        _check_count(len(pixels), limits.max_images)
        predictions = await inference.predict_pixels(pixels, options, context)
    arrays: dict[str, np.ndarray] = {}
    for output in outputs:
        array = np.stack([getattr(prediction, output.name) for prediction in predictions])
        if output.num_classes:
            array = classifications(array, predictions[0].model.labels, output.num_classes)
        arrays[output.name] = array
    return Outputs(predictions[0].model.version, arrays)


async def warp(
    inference: Inference,
    request: InferRequest,
    selector: Selector,
    limits: Limits,
    context: RequestContext,
) -> Outputs:
    """Run the transformer alone.

    Raises:
        InvalidTensor: the inputs or outputs are not those of the model.
        ServiceError: as `Inference.warp_pixels`.
    """
    expected = {
        IMAGES: WARP_DATATYPES,
        "theta": THETA_DATATYPES,
        "output_size": SIZE_DATATYPES,
    }
    inputs = _inputs(request, expected)
    if any(output.num_classes for output in requested(request, ("warped",))):
        raise UnknownOption("the model has no classes: classification is not for it")
    images = inputs[IMAGES].array
    if images.ndim != 4 or images.shape[3] > _MAX_CHANNELS:
        wanted = f"[batch, height, width, channels], with at most {_MAX_CHANNELS} channels"
        raise _unlike(inputs[IMAGES], wanted)
    _check_count(len(images), limits.max_images)
    theta = inputs["theta"].array
    if theta.shape != (len(images), AFFINE_PARAMETERS):
        raise _unlike(inputs["theta"], f"[{len(images)}, {AFFINE_PARAMETERS}]")
    size = inputs["output_size"].array
    if size.shape != (2,):
        raise _unlike(inputs["output_size"], "[2]: height and width")
    if not ((size >= 1) & (size < 2**31)).all():
        raise _invalid("output_size", f"{size.tolist()}", "a height and a width from 1")
    padding, interpolation = read_sampling_options(request.options)
    if inputs[IMAGES].datatype != "UINT8":
        images = _within(inputs[IMAGES], _LARGEST_PIXEL)
    num_bytes = len(images) * math.prod(size.tolist()) * images.shape[3] * images.itemsize
    if num_bytes > limits.max_bytes:
        raise TooManyPixels(
            f"the warped images would have {num_bytes} bytes; at most {limits.max_bytes} are "
            "answered. Ask for fewer or smaller ones"
        )
    options = WarpOptions(
        theta=_within(inputs["theta"], MAX_THETA),
        selector=selector,
        height=int(size[0]),
        width=int(size[1]),
        padding=padding,
        interpolation=interpolation,
    )
    model, warped = await inference.warp_pixels(images, options, context)
    return Outputs(model.version, {"warped": warped})


def _inputs(request: InferRequest, expected: Mapping[str, tuple[str, ...]]) -> Mapping[str, Tensor]:
    """Return the inputs, when they are the ones expected and each of a type that is taken."""
    names = " and ".join(expected)
    for name in expected:
        if name not in request.inputs:
            raise _invalid(name, "nothing", f"the model takes {names}")
    for name, tensor in request.inputs.items():
        if name not in expected:
            raise _invalid(name, "an input that the model does not have", f"{names} alone")
        if tensor.datatype not in expected[name]:
            raise _invalid(name, tensor.datatype, " or ".join(expected[name]))
    return request.inputs


def _pictures(tensor: Tensor) -> list[bytes]:
    if tensor.array.ndim > 2 or tensor.array.shape[1:] not in ((), (1,)):
        raise _unlike(tensor, "[batch] or [batch, 1]")
    contents: list[bytes] = tensor.array.ravel().tolist()
    if tensor.is_text:
        # No file of a picture is text; in JSON it can only come as base64.
        return [image_from_base64(content.decode()) for content in contents]
    return contents


def _uint8(tensor: Tensor) -> np.ndarray:
    array = tensor.array
    if array.ndim != 4:
        raise _unlike(tensor, "[batch, height, width, channels]")
    if tensor.datatype != "UINT8" and (array.min() < 0 or array.max() > 255):
        raise _invalid(IMAGES, "numbers out of range", "whole numbers from 0 to 255")
    return array.astype(np.uint8, copy=False)


def _within(tensor: Tensor, limit: float) -> np.ndarray:
    """Return numbers as float32, when all are finite and within a limit."""
    with np.errstate(over="ignore"):
        array = tensor.array.astype(np.float32, copy=False)
    # A NaN is the least and the largest, and within nothing.
    if not (array.min() >= -limit and array.max() <= limit):
        got = "numbers that are too large or not finite"
        raise _invalid(tensor.name, got, f"finite numbers within {limit:g}")
    return array


def _check_count(count: int, limit: int) -> None:
    if count > limit:
        raise TooManyImages(f"{count} images came; at most {limit} are accepted at once")


def _unlike(tensor: Tensor, expected: str) -> InvalidTensor:
    return _invalid(tensor.name, f"shape {list(tensor.array.shape)}", f"shape {expected}")


def _invalid(name: str, got: str, expected: str) -> InvalidTensor:
    return InvalidTensor(
        f"the input {describe(name)} is not what the model takes: expected {expected}; got {got}",
        (FieldError(f"inputs.{describe(name)}", got, expected),),
    )

"""The transformer alone over the protocol, on a backend whose answers are known by hand."""

from typing import Any

import numpy as np
import pytest

from tests.service.fakes import FakeBackend
from tests.service.oip.examples import IDENTITY, binary, output_of, tensor, warp_inputs
from tests.service.oip.test_classifier import ask
from tests.service.oip.test_classifier import error_of as classifier_error_of

PATH = "/v2/models/warp/infer"
PIXELS = np.random.default_rng(0).integers(0, 256, (2, 4, 6, 3), np.uint8)


def warp(request: Any, headers: dict[str, str] | None = None) -> tuple[np.ndarray, FakeBackend]:
    answer, backend = ask(request, headers, PATH)
    assert answer.status_code == 200, answer.text
    return output_of(answer.json(), "warped"), backend


def error_of(request: Any, status: int = 400, **settings: Any) -> str:
    return classifier_error_of(request, None, status, path=PATH, **settings)


@pytest.mark.parametrize(
    ("dtype", "answered", "signature"),
    [
        ("uint8", "uint8", "warp_uint8_zeros_bilinear"),
        ("float32", "float32", "warp_zeros_bilinear"),
        ("float16", "float32", "warp_zeros_bilinear"),
        ("float64", "float32", "warp_zeros_bilinear"),
    ],
)
def test_the_data_type_of_the_images_chooses_the_signature(
    dtype: str, answered: str, signature: str
) -> None:
    """And the identity at equal size gives the images back."""
    images = PIXELS.astype(dtype)

    warped, backend = warp(warp_inputs(images, (4, 6)))

    assert backend.calls[-1].signature == signature
    assert warped.dtype == answered
    assert np.array_equal(warped, images)


def test_bfloat16_is_taken_too() -> None:
    """As the upper halves of float32; whole numbers up to 255 survive in them."""
    halves = (PIXELS.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    request = warp_inputs(PIXELS, (4, 6))
    request["inputs"][0]["datatype"] = "BF16"
    theta, size = np.array([IDENTITY] * 2, np.float32), np.array([4, 6], np.int32)

    warped, _ = warp(*binary(request, halves.tobytes(), theta.tobytes(), size.tobytes()))

    assert np.array_equal(warped, PIXELS)


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_parameters_choose_padding_and_interpolation(padding: str, interpolation: str) -> None:
    parameters = {"padding": padding, "interpolation": interpolation}

    _, backend = warp({**warp_inputs(PIXELS, (4, 6)), "parameters": parameters})

    assert backend.calls[-1].signature == f"warp_uint8_{padding}_{interpolation}"


def test_the_inputs_reach_the_model_as_they_were_sent() -> None:
    """Each image with its own theta; height before width; doubles and long integers as well."""
    request = warp_inputs(PIXELS, (3, 5))
    request["inputs"][1] = tensor("theta", np.arange(12, dtype=np.float64).reshape(2, 6))
    request["inputs"][2] = tensor("output_size", np.array([3, 5], np.int64))

    warped, backend = warp(request)

    assert warped.shape == (2, 3, 5, 3)
    inputs = backend.calls[-1].inputs
    assert np.array_equal(inputs["images"], PIXELS)
    assert np.array_equal(inputs["theta"], np.arange(12, dtype=np.float32).reshape(2, 6))
    assert inputs["theta"].dtype == np.float32
    assert inputs["output_size"].tolist() == [3, 5]
    assert inputs["output_size"].dtype == np.int32


def replaced(name: str, array: np.ndarray) -> dict[str, Any]:
    """Return a good request with one input replaced."""
    request = warp_inputs(PIXELS, (4, 6))
    request["inputs"] = [
        tensor(name, array) if given["name"] == name else given for given in request["inputs"]
    ]
    return request


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("images", PIXELS[0]),
        ("images", PIXELS.astype(np.int32)),
        ("images", np.zeros((2, 2, 2, 5), np.uint8)),
        ("images", PIXELS.astype(np.float32) * np.float32(1e30)),
        ("theta", np.array([IDENTITY], np.float32)),
        ("theta", np.array(IDENTITY * 2, np.float32)),
        ("theta", np.array([IDENTITY] * 2, np.int32)),
        ("theta", np.full((2, 6), 1e7, np.float32)),
        ("output_size", np.array([4, 6, 1], np.int32)),
        ("output_size", np.array([[4, 6]], np.int32)),
        ("output_size", np.array([0, 6], np.int32)),
        ("output_size", np.array([4, -6], np.int32)),
        ("output_size", np.array([4, 2**31], np.int64)),
        ("output_size", np.array([4, 2**64 - 1], np.uint64)),
        ("output_size", np.array([4, 6], np.float32)),
    ],
    ids=[
        "no batch",
        "whole numbers",
        "five channels",
        "too bright",
        "one theta for two",
        "theta in a row",
        "theta of whole numbers",
        "theta too large",
        "three sides",
        "sides in a row",
        "no height",
        "width below 0",
        "width past int32",
        "width past int64",
        "size of floats",
    ],
)
def test_an_input_that_is_not_the_models_is_refused(name: str, array: np.ndarray) -> None:
    assert repr(name) in error_of(replaced(name, array))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["images", "theta"])
def test_what_is_not_finite_never_reaches_the_model(name: str, value: float) -> None:
    """It travels as binary data only; JSON has no word for it."""
    images, theta = PIXELS.astype(np.float32), np.array([IDENTITY] * 2, np.float32)
    (images if name == "images" else theta).flat[7] = value
    size = np.array([4, 6], np.int32)
    request = warp_inputs(PIXELS.astype(np.float32), (4, 6))

    answer, backend = ask(
        *binary(request, images.tobytes(), theta.tobytes(), size.tobytes()), path=PATH
    )

    assert answer.status_code == 400
    assert "finite" in answer.json()["error"]
    assert all(call.inputs["images"].dtype != np.float32 for call in backend.calls[-1:])


@pytest.mark.parametrize("missing", ["images", "theta", "output_size"])
def test_every_input_is_needed(missing: str) -> None:
    request = warp_inputs(PIXELS, (4, 6))
    request["inputs"] = [given for given in request["inputs"] if given["name"] != missing]

    assert f"'{missing}'" in error_of(request)


def test_what_the_transformer_does_not_know_is_refused() -> None:
    good = warp_inputs(PIXELS, (4, 6))

    assert "padding" in error_of({**good, "parameters": {"padding": "ones"}}, status=422)
    assert "no option 'fit'" in error_of({**good, "parameters": {"fit": "crop"}})
    assert "no output" in error_of({**good, "outputs": [{"name": "theta"}]})
    classification = {"name": "warped", "parameters": {"classification": 1}}
    assert "classes" in error_of({**good, "outputs": [classification]})


def test_limits_hold_for_what_is_asked_for() -> None:
    """Pixels of all images together, bytes of the answer, images, and values in JSON."""
    assert "pixels" in error_of(warp_inputs(PIXELS, (4, 6)), 413, max_pixels=47)
    assert ask(warp_inputs(PIXELS, (4, 6)), path=PATH, max_pixels=48)[0].status_code == 200
    assert "bytes" in error_of(warp_inputs(PIXELS, (100, 100)), 413, max_request_bytes=50_000)
    assert "at most 1" in error_of(warp_inputs(PIXELS, (4, 6)), 413, max_batch_images=1)
    assert "binary" in error_of(warp_inputs(PIXELS, (200, 200)))
    assert "pixels" in error_of(
        warp_inputs(PIXELS[:1], (2**31 - 1, 1)), 413, max_request_bytes=2**40
    )

import itertools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from model_export import warp_graph
from model_export.session_model import SessionModel
from model_export.warp_graph import INTERPOLATIONS, PADDINGS, warp_images
from tests.numpy_reference import affine_points, affine_warp

MODES = list(itertools.product(PADDINGS, INTERPOLATIONS))
IDENTITY = np.array([[1, 0, 0, 0, 1, 0]], np.float32)
# Turned, sheared, stretched and moved, so that a good part lies outside; no two numbers alike.
THETAS = np.array(
    [[0.9, 0.45, 0.31, -0.62, 1.13, -0.27], [-1.31, 0.21, -0.4, 0.17, 2.6, 0.83]], np.float32
)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Two images of 5 x 9 with three channels, whole numbers from 0 to 255."""
    return np.random.default_rng(7).integers(0, 256, (2, 5, 9, 3))


def size(height: int, width: int) -> np.ndarray:
    return np.array([height, width], np.int32)


@pytest.mark.parametrize(("padding", "interpolation"), MODES)
@pytest.mark.parametrize(("kind", "tolerance"), [("warp", 0.01), ("warp_uint8", 0.51)])
def test_every_signature_equals_the_oracle(
    warp: SessionModel,
    images: np.ndarray,
    kind: str,
    tolerance: float,
    padding: str,
    interpolation: str,
) -> None:
    """Non-square, 5 x 9 to 7 x 4, two images with a theta each; of 255, a hundredth is rounding."""
    images = images.astype(np.uint8 if kind == "warp_uint8" else np.float32)
    expected = np.stack(
        [
            affine_warp(i, t, (7, 4), padding, interpolation)
            for i, t in zip(images, THETAS, strict=True)
        ]
    )

    warped = warp.run(
        f"{kind}_{padding}_{interpolation}", images=images, theta=THETAS, output_size=size(7, 4)
    )["warped"]

    assert warped.dtype == images.dtype
    assert warped.shape == (2, 7, 4, 3)
    assert np.abs(warped - expected).max() < (tolerance if interpolation == "bilinear" else 1e-9)


@pytest.mark.parametrize("kind", ["warp", "warp_uint8"])
def test_the_short_names_are_bilinear_with_zeros(
    warp: SessionModel, images: np.ndarray, kind: str
) -> None:
    images = images.astype(np.uint8 if kind == "warp_uint8" else np.float32)
    call = {"images": images, "theta": THETAS, "output_size": size(6, 5)}

    short, long = warp.run(kind, **call), warp.run(f"{kind}_zeros_bilinear", **call)

    assert np.array_equal(short["warped"], long["warped"])


@settings(max_examples=25)
@given(height=st.integers(1, 40), width=st.integers(1, 40), mode=st.sampled_from(MODES))
def test_the_identity_is_exact_at_every_size(
    height: int, width: int, mode: tuple[str, str]
) -> None:
    image = np.random.default_rng(height).normal(size=(1, height, width, 2)).astype(np.float32)

    assert np.array_equal(warp_images(image, IDENTITY, size(height, width), *mode), image)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 37), (37, 1), (3, 4000), (4001, 2)])
def test_the_identity_is_exact_for_lines_and_large_sides(
    shape: tuple[int, int], mode: tuple[str, str]
) -> None:
    image = np.random.default_rng(1).integers(0, 256, (1, *shape, 1), np.uint8)

    assert np.array_equal(warp_images(image, IDENTITY, size(*shape), *mode), image)


def test_convention_x_is_the_column() -> None:
    """A shift by two pixels to the right in a row of nine, and by one down in five."""
    image = np.arange(45, dtype=np.float32).reshape(1, 5, 9, 1)
    theta = np.array([[1, 0, 2 * 2 / 8, 0, 1, 1 * 2 / 4]], np.float32)

    warped = warp_images(image, theta, size(5, 9), "zeros", "bilinear").numpy()

    assert np.array_equal(warped[0, :4, :7], image[0, 1:, 2:])
    assert not warped[0, 4:].any()
    assert not warped[0, :, 7:].any()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("position", range(6))
def test_a_theta_that_is_not_finite_gives_zeros_for_that_image_alone(
    images: np.ndarray, mode: tuple[str, str], value: float, position: int
) -> None:
    images = images.astype(np.float32) + 1
    theta = np.repeat(IDENTITY, 2, axis=0)
    theta[1, position] = value

    warped = warp_images(images, theta, size(5, 9), *mode).numpy()

    assert np.array_equal(warped[0], images[0])
    assert not warped[1].any()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("value", [1e10, -1e30, 3.4e38])
@pytest.mark.parametrize("position", range(6))
def test_a_huge_theta_reads_nothing_out_of_range(
    images: np.ndarray, mode: tuple[str, str], value: float, position: int
) -> None:
    """On a CPU a gather out of range is an error; the values are those of the image, or zero."""
    theta = IDENTITY.copy()
    theta[0, position] = value

    warped = warp_images(images.astype(np.uint8), theta, size(6, 4), *mode).numpy()

    assert warped.shape == (2, 6, 4, 3)
    if position in (2, 5) and mode[0] == "zeros":
        assert not warped.any()


def test_one_theta_serves_the_whole_batch(images: np.ndarray) -> None:
    images = images.astype(np.float32)

    shared = warp_images(images, THETAS[:1], size(4, 6), "border", "bilinear")
    each = warp_images(images, THETAS[[0, 0]], size(4, 6), "border", "bilinear")

    assert np.array_equal(shared, each)


def test_thetas_that_do_not_fit_the_batch_are_an_error(images: np.ndarray) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError):
        warp_images(images.astype(np.float32), THETAS[[0, 1, 0]], size(4, 6), "zeros", "bilinear")


@pytest.mark.parametrize("mode", MODES)
def test_bands_leave_no_seam(
    images: np.ndarray, mode: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eleven rows in bands of two: the last band is cut short."""
    images = images.astype(np.uint8)
    whole = warp_images(images, THETAS, size(11, 8), *mode)

    monkeypatch.setattr(warp_graph, "_BAND_PIXELS", 2 * 2 * 8)
    banded = warp_images(images, THETAS, size(11, 8), *mode)

    assert np.array_equal(whole, banded)


def test_coordinates_hold_a_thousandth_of_a_pixel_at_4000_pixels() -> None:
    """An image whose values are its own columns, and another of rows, tell where they were read."""
    side = 4000
    ramp = np.arange(side, dtype=np.float32)
    theta = np.array([[0.8, -0.55, 0.03, 0.57, 0.79, -0.02]], np.float32)
    points = (affine_points(theta[0].astype(np.float64), (40, 40)) + 1) / 2 * (side - 1)

    for axis, shape in ((0, (1, 2, side, 1)), (1, (1, side, 2, 1))):
        # Two pixels across: the other coordinate is clipped, and does not matter.
        image = np.broadcast_to(ramp.reshape(1, *([1, side] if axis == 0 else [side, 1]), 1), shape)
        read = warp_images(image, theta, size(40, 40), "border", "bilinear").numpy()[0, ..., 0]
        inside = (points[..., axis] > 0) & (points[..., axis] < side - 1)
        assert np.abs(read - points[..., axis])[inside].max() < 1e-3
        assert inside.mean() > 0.5


def test_uint8_is_rounded_to_nearest() -> None:
    """Between 10 and 20, at tenths: 10, 11, ... and not what truncation gives."""
    image = np.array([10, 20], np.uint8).reshape(1, 1, 2, 1)

    warped = warp_images(image, IDENTITY, size(1, 16), "zeros", "bilinear").numpy().ravel()

    assert warped.tolist() == np.rint(np.linspace(10, 20, 16)).astype(int).tolist()


@pytest.mark.parametrize("padding", PADDINGS)
def test_white_stays_white(padding: str) -> None:
    """Weights that sum to a hair more than one must not turn 255 into 0."""
    image = np.full((1, 30, 31, 1), 255, np.uint8)
    theta = np.array([[0.61, 0.23, 0.01, -0.19, 0.57, 0.02]], np.float32)

    assert (warp_images(image, theta, size(50, 50), padding, "bilinear").numpy() == 255).all()


def test_nearest_takes_the_even_neighbour_of_a_half() -> None:
    """Nine columns from five lie at halves: as torch rounds them, and the oracle."""
    image = np.arange(1, 6, dtype=np.uint8).reshape(1, 1, 5, 1)

    warped = warp_images(image, IDENTITY, size(1, 9), "zeros", "nearest").numpy().ravel()

    assert warped.tolist() == [1, 1, 2, 3, 3, 3, 4, 5, 5]


def test_reflection_turns_at_the_centre_of_the_border_pixel() -> None:
    """The border pixel is not repeated."""
    image = np.array([1, 2, 3], np.float32).reshape(1, 1, 3, 1)
    theta = np.array([[3, 0, 0, 0, 1, 0]], np.float32)

    warped = warp_images(image, theta, size(1, 7), "reflection", "bilinear").numpy().ravel()

    assert warped.tolist() == [3, 2, 1, 2, 3, 2, 1]


def test_an_unknown_mode_is_refused(images: np.ndarray) -> None:
    with pytest.raises(ValueError, match="padding must be one of"):
        warp_images(images.astype(np.float32), THETAS, size(4, 6), "wrap", "bilinear")

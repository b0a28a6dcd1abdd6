"""Interpolation and padding, each against the loops of the oracle, in each implementation."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from stn import affine_grid, sample, warp
from tests.stn import oracle
from tests.stn.backends import CONTEXTS
from tests.stn.conftest import TOLERANCE
from tests.stn.test_core import IDENTITY, random_theta

PADDINGS = ("zeros", "constant", "border", "reflection", "wrap")
MODES = list(product(("bilinear", "nearest", "bicubic"), PADDINGS, (True, False)))


def _case(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """An image and thetas that look up to several pictures beside it."""
    theta = random_theta(rng, 8, 0.7)
    theta[0, 2] = 5.3
    return rng.random((8, 7, 5, 2)).astype(np.float32), theta, (6, 9)


def _expected(
    image: np.ndarray,
    theta: np.ndarray,
    size: tuple[int, int],
    interpolation: Any,
    padding: Any,
    align: bool,
) -> np.ndarray:
    points = oracle.affine_points(theta, (7, 5), size, align)
    fill = 0.3 if padding == "constant" else 0.0
    return oracle.sample(image, points, interpolation, padding, fill, align)


@pytest.mark.parametrize(("interpolation", "padding", "align"), MODES)
def test_every_mode_agrees_with_the_oracle(
    interpolation: Any, padding: Any, align: bool, rng: np.random.Generator
) -> None:
    """Kernels or portable ops, from theta and from a grid."""
    image, theta, size = _case(rng)
    options: dict[str, Any] = {
        "interpolation": interpolation,
        "padding": padding,
        "fill_value": 0.3 if padding == "constant" else 0.0,
        "align_corners": align,
    }

    chosen = warp(image, theta, output_size=size, **options)
    portable = warp(image, theta, output_size=size, backend="gather", **options)
    sampled = sample(image, affine_grid(theta, size, align), **options)

    expected = _expected(image, theta, size, interpolation, padding, align)
    tolerance = TOLERANCE["float32"] * (3 if interpolation == "bicubic" else 1)
    for result in (chosen, portable, sampled):
        np.testing.assert_allclose(result, expected, atol=tolerance)


@pytest.mark.parametrize(
    ("interpolation", "padding", "align"),
    [
        ("bilinear", "zeros", True),
        ("bilinear", "border", False),
        ("bilinear", "constant", True),
        ("bicubic", "reflection", True),
        ("nearest", "wrap", False),
    ],
)
def test_compiled_modes_agree_with_the_oracle(
    interpolation: Any, padding: Any, align: bool, rng: np.random.Generator
) -> None:
    """Compiled by itself, as in training."""
    image, theta, size = _case(rng)

    warped = warp(
        image,
        theta,
        output_size=size,
        interpolation=interpolation,
        padding=padding,
        fill_value=0.3 if padding == "constant" else 0.0,
        align_corners=align,
        backend="xla",
    )

    expected = _expected(image, theta, size, interpolation, padding, align)
    np.testing.assert_allclose(warped, expected, atol=3 * TOLERANCE["float32"])


@pytest.mark.parametrize(("interpolation", "padding", "align"), MODES)
def test_the_identity_is_exact_in_every_mode(
    interpolation: Any, padding: Any, align: bool, rng: np.random.Generator
) -> None:
    """No padding and no kernel may touch the image under the identity."""
    image = rng.random((1, 11, 8, 1)).astype(np.float32)
    options: dict[str, Any] = {
        "interpolation": interpolation,
        "padding": padding,
        "align_corners": align,
    }

    for backend in ("auto", "gather"):
        warped = warp(image, IDENTITY, **options, backend=backend)
        np.testing.assert_array_equal(warped, image)


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (5, 1), (64, 50)])
@pytest.mark.parametrize("context", CONTEXTS)
def test_the_identity_is_exact_in_every_context(
    context: str, size: tuple[int, int], rng: np.random.Generator
) -> None:
    """Eager, graph and XLA; with training, compiled by itself."""
    image = rng.random((2, *size, 3)).astype(np.float32)
    theta = tf.constant(np.repeat(IDENTITY, 2, axis=0))

    for training in (False, True):
        run = CONTEXTS[context](lambda i, t, on=training: warp(i, t, training=on))
        np.testing.assert_array_equal(run(tf.constant(image), theta), image)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("backend", ["auto", "gather", "xla"])
def test_a_theta_that_is_not_finite_reads_the_fill_value(
    backend: Any, padding: Any, rng: np.random.Generator
) -> None:
    """In every implementation and under every padding, and its neighbour is as it was."""
    image = rng.random((3, 5, 6, 1)).astype(np.float32)
    theta = np.repeat(IDENTITY, 3, axis=0)
    theta[0, 1], theta[1, 5] = np.nan, np.inf
    fill = 0.0 if padding == "zeros" else 0.25

    warped = warp(image, theta, padding=padding, fill_value=fill, backend=backend)

    np.testing.assert_array_equal(warped[:2], np.full((2, 5, 6, 1), fill, np.float32))
    np.testing.assert_array_equal(warped[2], image[2])


@pytest.mark.parametrize("backend", ["auto", "gather", "xla"])
def test_bytes_are_rounded_to_the_nearest(backend: Any, rng: np.random.Generator) -> None:
    """uint8 in gives uint8 out, and float32 out when asked for, unrounded."""
    image = rng.integers(0, 256, (2, 9, 7, 3)).astype(np.uint8)
    theta = random_theta(rng, 2, 0.3)
    expected = oracle.warp(image, theta)

    rounded = warp(image, theta, backend=backend)
    plain = warp(image, theta, dtype="float32", backend=backend)

    assert rounded.dtype == tf.uint8
    np.testing.assert_allclose(plain, expected, atol=255 * TOLERANCE["float32"])
    np.testing.assert_allclose(rounded.numpy().astype(float), expected, atol=0.501)


def test_bicubic_overshoot_is_held_within_a_byte() -> None:
    """A cubic kernel overshoots at an edge; a byte must not wrap around."""
    image = np.repeat(np.array([0, 0, 255, 255], np.uint8), 4).reshape(1, 4, 4, 1)

    warped = warp(image, [[1.0, 0, 0, 0, 0.9, 0]], interpolation="bicubic", padding="border")

    assert warped.numpy().min() == 0
    assert warped.numpy().max() == 255


def test_the_mask_is_one_where_a_point_lies_on_the_picture(rng: np.random.Generator) -> None:
    """Against the oracle's points, the border included."""
    theta = random_theta(rng, 6, 0.6)
    theta[0] = IDENTITY[0]

    _, mask = warp(np.ones((6, 6, 9, 1), np.float32), theta, return_mask=True)

    points = oracle.affine_points(theta, (6, 9), (6, 9))
    inside = ((points > -1e-3) & (points < np.array([8, 5]) + 1e-3)).all(axis=-1)
    np.testing.assert_array_equal(mask[..., 0], inside)
    assert mask[0].numpy().all()


def test_antialias_is_the_mean_over_each_output_pixel(rng: np.random.Generator) -> None:
    """Four points a side at the identity: each output pixel is the mean of what it covers."""
    image = rng.random((2, 32, 24, 1)).astype(np.float32)
    theta = np.repeat(IDENTITY, 2, axis=0)

    small = warp(image, theta, output_size=(8, 6), antialias=4, align_corners=False)

    area = image.reshape(2, 8, 4, 6, 4, 1).mean(axis=(2, 4))
    np.testing.assert_allclose(small, area, atol=1e-6)


def test_antialias_silences_a_zone_plate() -> None:
    """What bilinear sampling turns into false rings, the mean turns to grey."""
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    plate = (0.5 + 0.5 * np.cos(180 * (x**2 + y**2)))[np.newaxis, ..., np.newaxis]
    plate = plate.astype(np.float32)
    true = plate.reshape(1, 32, 8, 32, 8, 1).mean(axis=(2, 4))

    def error(**options: Any) -> float:
        small = warp(plate, IDENTITY, output_size=(32, 32), align_corners=False, **options)
        return float(np.sqrt(((small - true) ** 2).numpy().mean()))

    assert error() > 0.15
    assert error(antialias=True) < 0.01


def test_gradients_of_antialias_are_those_of_the_mean(rng: np.random.Generator) -> None:
    """The adjoint identity for the image; for theta, the mean over a larger warp."""
    image = tf.constant(rng.normal(size=(2, 9, 8, 1)))
    upstream = rng.normal(size=(2, 3, 4, 1))
    theta = tf.constant(random_theta(rng, 2, 0.2), tf.float64)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([image, theta])
        warped = warp(image, theta, output_size=(3, 4), antialias=2, align_corners=False)
        large = warp(image, theta, output_size=(6, 8), align_corners=False)
        by_hand = tf.nn.avg_pool2d(large, 2, 2, "VALID")

    to_image, to_theta = tape.gradient(warped, [image, theta], output_gradients=upstream)

    np.testing.assert_allclose(warped, by_hand, atol=1e-12)
    np.testing.assert_allclose(np.vdot(image, to_image), np.vdot(warped, upstream), rtol=1e-10)
    expected = tape.gradient(by_hand, theta, output_gradients=tf.constant(upstream))
    np.testing.assert_allclose(to_theta, expected, atol=1e-10)


def test_antialias_of_a_flow_moves_each_output_pixel_as_one(rng: np.random.Generator) -> None:
    """All points within a pixel share its displacement."""
    image = rng.random((1, 8, 12, 1)).astype(np.float32)
    flow = rng.normal(0, 0.2, (1, 4, 6, 2)).astype(np.float32)

    small = warp(image, flow, "flow", antialias=2, align_corners=False)

    spread = np.repeat(np.repeat(flow, 2, axis=1), 2, axis=2)
    large = warp(image, spread, "flow", align_corners=False).numpy()
    np.testing.assert_allclose(small, large.reshape(1, 4, 2, 6, 2, 1).mean((2, 4)), atol=1e-5)


def test_one_image_serves_many_thetas(rng: np.random.Generator) -> None:
    """Batch 1 of images, as that of thetas, is repeated."""
    image = rng.random((1, 5, 6, 1)).astype(np.float32)
    theta = random_theta(rng, 3)

    warped = warp(image, theta)

    np.testing.assert_array_equal(warped, warp(np.repeat(image, 3, axis=0), theta))


def test_batches_that_do_not_match_are_refused() -> None:
    """Two thetas for three images is a mistake."""
    with pytest.raises(ValueError, match="batch of the image, 3, or a batch of 1; got 2"):
        warp(np.ones((3, 4, 4, 1), np.float32), np.repeat(IDENTITY, 2, axis=0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"interpolation": "cubic"}, "bilinear, nearest, bicubic; got 'cubic'"),
        ({"padding": "mirror"}, "got 'mirror'"),
        ({"fill_value": 1.0}, "needs padding='constant'"),
        ({"backend": "cuda"}, "got 'cuda'"),
        ({"backend": "kernel", "padding": "wrap"}, "use backend='gather'"),
        ({"antialias": 0}, "at least 1 point"),
        ({"transform": "rigid"}, "got 'rigid'"),
        ({"transform": "tps_1x4"}, "at least 2 x 2"),
    ],
)
def test_options_that_do_not_exist_are_refused(options: dict[str, Any], message: str) -> None:
    """Each message lists what there is, or says what to do."""
    with pytest.raises(ValueError, match=message):
        warp(np.ones((1, 4, 4, 1), np.float32), IDENTITY, **options)

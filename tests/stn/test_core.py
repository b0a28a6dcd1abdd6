"""What is true of grid and sampler by nature, and against the loops of the oracle."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from stn import affine_grid, bilinear_sampler, spatial_transformer_network
from tests.stn import oracle
from tests.stn.conftest import TOLERANCE

IDENTITY = np.array([[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]], np.float32)
SIZES = [(1, 1), (1, 7), (6, 1), (2, 2), (3, 4), (28, 28), (41, 97), (50, 99), (224, 223)]


def random_theta(rng: np.random.Generator, batch: int, spread: float = 0.6) -> np.ndarray:
    """Thetas around the identity, some of which look far outside."""
    return (IDENTITY + rng.normal(0, spread, (batch, 6))).astype(np.float32)


@pytest.mark.parametrize("size", SIZES)
def test_identity_returns_the_image_bit_for_bit(
    size: tuple[int, int], rng: np.random.Generator
) -> None:
    """For every size, one pixel and odd sizes included."""
    image = rng.normal(size=(1, *size, 2)).astype(np.float32)

    np.testing.assert_array_equal(spatial_transformer_network(image, IDENTITY), image)


@given(height=st.integers(1, 200), width=st.integers(1, 200))
@settings(max_examples=25, deadline=None)
def test_identity_through_the_normalised_grid_is_exact_too(height: int, width: int) -> None:
    """`affine_grid` then `bilinear_sampler` loses nothing to rounding."""
    image = np.random.default_rng(height * 1000 + width).normal(size=(1, height, width, 1))
    image = image.astype(np.float32)

    sampled = bilinear_sampler(image, affine_grid(IDENTITY, (height, width)))

    np.testing.assert_array_equal(sampled, image)


@pytest.mark.parametrize(
    ("input_size", "output_size"),
    [((7, 9), (7, 9)), ((7, 9), (4, 13)), ((1, 5), (3, 3)), ((6, 4), (1, 1)), ((2, 2), (9, 3))],
)
def test_warp_agrees_with_the_oracle(
    input_size: tuple[int, int], output_size: tuple[int, int], rng: np.random.Generator
) -> None:
    """Any affine theta, also half outside, at unequal sizes."""
    image = rng.random((6, *input_size, 3)).astype(np.float32)
    theta = random_theta(rng, 6)

    warped = spatial_transformer_network(image, theta, output_size)
    sampled = bilinear_sampler(image, affine_grid(theta, output_size))

    expected = oracle.warp(image, theta, output_size)
    np.testing.assert_allclose(warped, expected, atol=TOLERANCE["float32"])
    np.testing.assert_allclose(sampled, expected, atol=TOLERANCE["float32"])


@pytest.mark.parametrize(("down", "right"), [(0, 1), (2, 0), (-1, 3), (-4, -2), (9, 0)])
def test_a_shift_by_whole_pixels_is_slicing(
    down: int, right: int, rng: np.random.Generator
) -> None:
    """Each output pixel is an input pixel or zero, nothing in between."""
    height, width = 6, 8
    image = rng.random((1, height, width, 2)).astype(np.float64)
    theta = [[1, 0, 2 * right / (width - 1), 0, 1, 2 * down / (height - 1)]]

    warped = spatial_transformer_network(image, tf.constant(theta, tf.float64))

    padded = np.pad(image, [(0, 0), (9, 9), (9, 9), (0, 0)])
    moved = padded[:, 9 + down : 9 + down + height, 9 + right : 9 + right + width]
    np.testing.assert_allclose(warped, moved, atol=1e-13)


def test_half_a_pixel_is_the_mean_of_two() -> None:
    """Between two centres bilinear sampling is their mean."""
    image = np.array([1.0, 4.0, 2.0, 8.0], np.float32).reshape(1, 1, 4, 1)

    warped = spatial_transformer_network(image, [[1.0, 0.0, 1 / 3, 0.0, 1.0, 0.0]])

    np.testing.assert_allclose(warped[0, 0, :, 0], [2.5, 3.0, 5.0, 4.0], rtol=1e-6)


def test_sampling_is_linear_in_the_image(rng: np.random.Generator) -> None:
    """W(a x + b y) = a W x + b W y."""
    first, second = rng.normal(size=(2, 3, 8, 6, 2))
    theta = tf.constant(random_theta(rng, 3), tf.float64)

    together = spatial_transformer_network(2.5 * first - 0.5 * second, theta)

    apart = 2.5 * spatial_transformer_network(first, theta) - 0.5 * spatial_transformer_network(
        second, theta
    )
    np.testing.assert_allclose(together, apart, atol=1e-12)


def test_one_theta_serves_the_whole_batch(rng: np.random.Generator) -> None:
    """Batch 1 broadcasts, as the same theta repeated."""
    image = rng.random((3, 5, 4, 1)).astype(np.float32)
    theta = random_theta(rng, 1)

    shared = spatial_transformer_network(image, theta)

    repeated = spatial_transformer_network(image, np.repeat(theta, 3, axis=0))
    np.testing.assert_array_equal(shared, repeated)


def test_six_numbers_and_two_rows_are_the_same_theta(rng: np.random.Generator) -> None:
    """`(batch, 6)` is `(batch, 2, 3)` read row by row."""
    theta = random_theta(rng, 2)

    flat = affine_grid(theta, (3, 4))

    np.testing.assert_array_equal(flat, affine_grid(theta.reshape(2, 2, 3), (3, 4)))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_any_float_image_keeps_its_type(dtype: str, rng: np.random.Generator) -> None:
    """Weights are computed in float32 at least; only the values are rounded to the image's type."""
    image = rng.random((2, 9, 7, 2))
    theta = random_theta(rng, 2).astype(np.float64)

    warped = spatial_transformer_network(tf.cast(image, dtype), tf.constant(theta))

    assert warped.dtype.name == dtype
    np.testing.assert_allclose(
        tf.cast(warped, tf.float64), oracle.warp(image, theta), atol=TOLERANCE[dtype]
    )


def test_half_precision_theta_is_not_half_precision_coordinates(
    rng: np.random.Generator,
) -> None:
    """bfloat16 coordinates would be off by a pixel at 512; theta is widened before the grid."""
    image = rng.random((1, 3, 512, 1)).astype(np.float32)

    warped = spatial_transformer_network(image, tf.cast(IDENTITY, tf.bfloat16))

    np.testing.assert_array_equal(warped, image)


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf, 1e38, 3e9])
@pytest.mark.parametrize("place", range(6))
def test_a_theta_out_of_all_bounds_gives_zeros_and_zero_gradient(poison: float, place: int) -> None:
    """Nothing is read outside the image, and one bad theta leaves its neighbours alone."""
    image = tf.ones([2, 4, 4, 1])
    numbers = np.repeat(IDENTITY, 2, axis=0)
    # A huge slope still looks inside where the lattice is zero: 4 columns have no such place.
    numbers[0, place] = poison
    theta = tf.Variable(numbers)

    with tf.GradientTape() as tape:
        warped = spatial_transformer_network(image, theta)
        loss = tf.reduce_sum(warped * tf.constant([1.0, 2.0, 3.0, 4.0])[:, tf.newaxis])
    gradient = tape.gradient(loss, theta)

    assert not warped[0].numpy().any()
    np.testing.assert_array_equal(warped[1], image[1])
    assert not gradient[0].numpy().any()
    assert np.isfinite(gradient[1]).all()


def test_static_shapes_are_kept() -> None:
    """A network can be built behind the transformer when only the batch is unknown."""

    @tf.function(input_signature=[tf.TensorSpec([None, 28, 20, 3]), tf.TensorSpec([None, 6])])
    def shapes(image: tf.Tensor, theta: tf.Tensor) -> tf.Tensor:
        same = spatial_transformer_network(image, theta)
        other = spatial_transformer_network(image, theta, (7, 9))
        sampled = bilinear_sampler(image, affine_grid(theta, (7, 9)))
        assert same.shape.as_list() == [None, 28, 20, 3]
        assert other.shape.as_list() == sampled.shape.as_list() == [None, 7, 9, 3]
        return same

    shapes.get_concrete_function()


def test_every_dimension_may_be_unknown(rng: np.random.Generator) -> None:
    """One trace serves pictures of any size, with an output size that is a tensor."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, None, None]),
            tf.TensorSpec([None, 6]),
            tf.TensorSpec([2], tf.int32),
        ]
    )
    def warp(image: tf.Tensor, theta: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        return spatial_transformer_network(image, theta, size)

    for shape, size in [((2, 5, 6, 1), (3, 2)), ((1, 3, 4, 2), (6, 6))]:
        image = rng.random(shape).astype(np.float32)
        theta = random_theta(rng, shape[0])
        expected = oracle.warp(image, theta, size)
        np.testing.assert_allclose(
            warp(image, theta, tf.constant(size)), expected, atol=TOLERANCE["float32"]
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (np.ones((1, 4, 4, 1), np.float32), np.ones((1, 5), np.float32)),
            r"theta must .*\(1, 5\)",
        ),
        ((np.ones((4, 4, 1), np.float32), IDENTITY), r"channels\); got .*\(4, 4, 1\)"),
        ((np.ones((1, 4, 4, 1), np.int32), IDENTITY), "floating point.* int32"),
        ((np.ones((1, 4, 4, 1), np.float32), np.ones((1, 6), np.int32)), "theta must be floating"),
        ((np.ones((1, 4, 4, 1), np.float32), IDENTITY, (0, 3)), r"positive; got \(0, 3\)"),
        ((np.ones((1, 4, 4, 1), np.float32), IDENTITY, (3,)), r"\(height, width\); got"),
    ],
)
def test_errors_say_what_arrived(arguments: tuple[Any, ...], message: str) -> None:
    """Each message names the argument, what was hoped for and what came."""
    with pytest.raises(ValueError, match=message):
        spatial_transformer_network(*arguments)


def test_a_grid_of_another_shape_is_refused() -> None:
    """A grid without its last axis of two is not a grid."""
    with pytest.raises(ValueError, match=r"grid must .*got float32 \(1, 2, 2, 3\)"):
        bilinear_sampler(tf.ones([1, 4, 4, 1]), tf.ones([1, 2, 2, 3]))

"""Gradients to theta and to the image: finite differences, one-sided at the knots, the adjoint."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from stn import bilinear_sampler, spatial_transformer_network
from tests.stn import oracle
from tests.stn.test_core import IDENTITY, random_theta


def _gradients(image: np.ndarray, theta: np.ndarray, upstream: np.ndarray) -> tuple[Any, Any]:
    image, theta = tf.constant(image), tf.constant(theta)
    with tf.GradientTape() as tape:
        tape.watch([image, theta])
        warped = spatial_transformer_network(image, theta, upstream.shape[1:3])
        loss = tf.reduce_sum(warped * upstream)
    return tape.gradient(loss, [image, theta])


def _step_is_inside_a_cell(
    theta: np.ndarray, step: float, size: tuple[int, int], output_size: tuple[int, int]
) -> bool:
    points = oracle.affine_points(theta, size, output_size)
    return bool((np.abs(points - np.round(points)) > 8 * step * max(size)).all())


@pytest.mark.parametrize("output_size", [(5, 4), (3, 6)])
def test_gradient_to_theta_is_the_finite_difference_off_the_knots(
    output_size: tuple[int, int], rng: np.random.Generator
) -> None:
    """In float64, at thetas whose points stay clear of pixel centres, some of them outside."""
    image = rng.normal(size=(1, 5, 4, 2))
    upstream = rng.normal(size=(1, *output_size, 2))
    step = 1e-6
    checked = 0
    while checked < 5:
        theta = random_theta(rng, 1, 0.4).astype(np.float64)
        if not _step_is_inside_a_cell(theta, step, (5, 4), output_size):
            continue
        _, gradient = _gradients(image, theta, upstream)
        for k in range(6):
            nudge = np.eye(6)[k] * step
            rise = (
                oracle.warp(image, theta + nudge, output_size)
                - oracle.warp(image, theta - nudge, output_size)
            ) * upstream
            np.testing.assert_allclose(gradient[0, k], rise.sum() / (2 * step), atol=2e-7)
        checked += 1


@pytest.mark.parametrize("x", [-2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
def test_gradient_at_a_pixel_centre_and_at_the_border_is_that_of_the_cell_to_the_right(
    x: float,
) -> None:
    """As torch: a one-sided difference, in which outside counts as zero."""
    row = np.array([3.0, 5.0, 11.0, 7.0])
    padded = {i - 2: value for i, value in enumerate([0.0, 0.0, *row, 0.0, 0.0, 0.0])}
    point = tf.constant([[[[x / 1.5 - 1, 0.0]]]], tf.float64)

    with tf.GradientTape() as tape:
        tape.watch(point)
        value = bilinear_sampler(row.reshape(1, 1, 4, 1), point)
    gradient = tape.gradient(value, point)[0, 0, 0, 0]

    one_sided = padded[int(x) + 1] - padded[int(x)]
    np.testing.assert_allclose(gradient, one_sided * 1.5, atol=1e-12)


def test_gradient_at_the_identity_is_alive(rng: np.random.Generator) -> None:
    """A localizer starts at the identity, where all points are pixel centres: not zero there."""
    image = rng.normal(size=(1, 6, 7, 1))
    upstream = rng.normal(size=(1, 6, 7, 1))

    _, gradient = _gradients(image, IDENTITY.astype(np.float64), upstream)

    step = 1e-6
    for k, name in [(2, "x"), (5, "y")]:
        theta = IDENTITY.astype(np.float64) + np.eye(6)[k] * step
        rise = ((oracle.warp(image, theta) - image) * upstream).sum() / step
        np.testing.assert_allclose(gradient[0, k], rise, rtol=1e-4, err_msg=name)


def test_a_constant_image_gives_no_gradient_in_the_interior() -> None:
    """Where nothing changes with the place, theta feels nothing."""
    theta = np.array([[0.5, 0.1, 0.02, -0.1, 0.6, -0.03]])

    _, gradient = _gradients(np.full((1, 9, 9, 1), 3.0), theta, np.ones((1, 9, 9, 1)))

    np.testing.assert_allclose(gradient, np.zeros((1, 6)), atol=1e-12)


def test_points_outside_give_theta_no_gradient(rng: np.random.Generator) -> None:
    """Beyond the fading border the value is zero, and so is its slope."""
    theta = np.array([[1.0, 0.0, 5.0, 0.0, 1.0, 0.0]])

    _, gradient = _gradients(rng.normal(size=(1, 4, 4, 1)), theta, np.ones((1, 4, 4, 1)))

    np.testing.assert_array_equal(gradient, np.zeros((1, 6)))


@pytest.mark.parametrize("spread", [0.0, 0.2, 0.8])
def test_gradient_to_the_image_is_the_adjoint(spread: float, rng: np.random.Generator) -> None:
    """<W x, y> = <x, W' y>, zooming in and out."""
    image = rng.normal(size=(4, 8, 9, 2))
    upstream = rng.normal(size=(4, 7, 11, 2))
    theta = random_theta(rng, 4, spread).astype(np.float64)

    gradient, _ = _gradients(image, theta, upstream)

    forward = (oracle.warp(image, theta, (7, 11)) * upstream).sum()
    np.testing.assert_allclose(np.vdot(image, gradient.numpy()), forward, rtol=1e-10)


def test_gradient_is_the_same_in_graph_and_eager(rng: np.random.Generator) -> None:
    """`tf.function` changes nothing."""
    image = rng.normal(size=(2, 6, 5, 1)).astype(np.float32)
    upstream = rng.normal(size=(2, 6, 5, 1)).astype(np.float32)
    theta = random_theta(rng, 2, 0.3)

    eager = _gradients(image, theta, upstream)
    graph = tf.function(lambda: _gradients(image, theta, upstream))()

    for one, other in zip(eager, graph, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)

"""Composition, inversion, pixels, corners, decomposition, and the conventions of others."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from stn import (
    affine_grid,
    compose,
    corners,
    decompose,
    from_keras,
    from_opencv,
    from_pixels,
    from_torch,
    invert,
    matrix,
    sample,
    spatial_transformer_network,
    theta_from_1_0_1,
    to_keras,
    to_opencv,
    to_pixels,
    to_torch,
    warp,
)
from tests.stn import oracle
from tests.stn.test_core import IDENTITY, random_theta
from tests.stn.test_transforms import thetas

SIZE, OUTPUT = (5, 9), (7, 4)


def _smooth(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return np.exp(-3 * ((x - 0.1) ** 2 + (y + 0.2) ** 2))[np.newaxis, ..., np.newaxis]


def test_composed_warps_are_one_warp_after_the_other(rng: np.random.Generator) -> None:
    """On a smooth image, where the second blur does not matter; the order does."""
    image = np.repeat(_smooth(96, 96), 4, axis=0).astype(np.float32)
    first, second = random_theta(rng, 4, 0.15), random_theta(rng, 4, 0.15)

    twice = warp(warp(image, first), second).numpy()
    once = warp(image, compose(first, second)).numpy()
    swapped = warp(image, compose(second, first)).numpy()

    inside = warp(np.ones_like(image), compose(first, second)).numpy() == 1
    inside &= warp(warp(np.ones_like(image), first), second).numpy() == 1
    assert inside.mean() > 0.3
    assert abs(twice - once)[inside].max() < 2e-3
    assert abs(twice - swapped)[inside].max() > 2e-2


@pytest.mark.parametrize("name", ["affine", "attention", "similarity", "projective"])
def test_a_transform_composed_with_its_inverse_is_the_identity(
    name: str, rng: np.random.Generator
) -> None:
    """Both ways round."""
    theta = matrix(tf.constant(thetas(name, rng, 20, 0.1)), name)
    identity = np.eye(3)[: theta.shape[1]]

    for product in (compose(theta, invert(theta)), compose(invert(theta), theta)):
        np.testing.assert_allclose(product, np.broadcast_to(identity, theta.shape), atol=1e-9)


@pytest.mark.parametrize("align", [True, False])
@pytest.mark.parametrize("name", ["affine", "projective"])
def test_pixels_and_back(name: str, align: bool, rng: np.random.Generator) -> None:
    """`from_pixels` undoes `to_pixels`, at unequal sizes."""
    theta = matrix(tf.constant(thetas(name, rng, 5, 0.1)), name)

    pixels = to_pixels(theta, SIZE, OUTPUT, align)

    np.testing.assert_allclose(from_pixels(pixels, SIZE, OUTPUT, align), theta, atol=1e-12)


def test_to_pixels_takes_output_pixels_to_input_pixels(rng: np.random.Generator) -> None:
    """Against the points of the oracle."""
    theta = random_theta(rng, 3).astype(np.float64)

    pixels = to_pixels(theta, SIZE, OUTPUT).numpy()

    points = oracle.affine_points(theta, SIZE, OUTPUT)
    np.testing.assert_allclose(pixels @ [2, 5, 1], points[:, 5, 2], atol=1e-9)


def test_corners_go_round_the_region_clockwise() -> None:
    """From the output's top left corner; a quarter turn moves them on."""
    quarter = np.array([[0, -1, 0, 1, 0, 0]], np.float32)

    np.testing.assert_allclose(
        corners(quarter, (5, 9))[0], [[8, 0], [8, 4], [0, 4], [0, 0]], atol=1e-6
    )


def test_decompose_undoes_its_own_recipe() -> None:
    """Unequal numbers for each part, mirrored or not."""
    turn, shear, sx, sy = np.radians(25), np.radians(-12), 0.7, 1.3
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    for sign in (1, -1):
        linear = rotation @ np.array([[sx, np.tan(shear) * sy], [0, sign * sy]])
        theta = np.column_stack([linear, [0.3, -0.4]])[np.newaxis]

        parts = decompose(theta)

        np.testing.assert_allclose(parts.rotation, [25])
        np.testing.assert_allclose(parts.scale, [[0.7, 1.3]])
        np.testing.assert_allclose(parts.shear, [-12])
        np.testing.assert_allclose(parts.translation, [[0.3, -0.4]])
        assert parts.mirrored.numpy().tolist() == [sign < 0]


def _as_in_1_0_1(image: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """Release 1.0.1 in NumPy: corners at W - 2, indices clipped before the weights."""
    height, width = image.shape[1:3]
    out = np.zeros_like(image)
    for i, y in enumerate(np.linspace(-1, 1, height)):
        for j, x in enumerate(np.linspace(-1, 1, width)):
            sx, sy = theta.reshape(2, 3) @ [x, y, 1]
            px, py = (sx + 1) * (width - 2) / 2, (sy + 1) * (height - 2) / 2
            x0, y0 = int(np.floor(px)), int(np.floor(py))
            xs = np.clip([x0, x0 + 1], 0, width - 1)
            ys = np.clip([y0, y0 + 1], 0, height - 1)
            wx, wy = (xs[1] - px, px - xs[0]), (ys[1] - py, py - ys[0])
            for r in (0, 1):
                for c in (0, 1):
                    out[0, i, j] += wy[r] * wx[c] * image[0, ys[r], xs[c]]
    return out


def test_theta_from_1_0_1_sees_what_1_0_1_saw(rng: np.random.Generator) -> None:
    """While all samples lie inside."""
    image = rng.random((1, 8, 11, 2))
    theta = np.array([[0.6, 0.1, 0.05, -0.12, 0.55, 0.1]])

    now = warp(image, theta_from_1_0_1(theta, 8, 11))

    np.testing.assert_allclose(now, _as_in_1_0_1(image, theta), atol=1e-12)


def test_keras_agrees(rng: np.random.Generator) -> None:
    """`keras.ops.image.affine_transform` warps alike, and its numbers come back."""
    image = rng.random((4, 8, 11, 2)).astype(np.float32)
    theta = random_theta(rng, 4, 0.3)

    numbers = to_keras(theta, (8, 11))
    theirs = keras.ops.image.affine_transform(image, numbers)

    np.testing.assert_allclose(warp(image, theta), theirs, atol=2e-5)
    back = from_keras(numbers, (8, 11))
    np.testing.assert_allclose(back[:, :2], theta.reshape(-1, 2, 3), atol=1e-5)


@pytest.mark.parametrize("align", [True, False])
def test_torch_theta_and_back(align: bool, rng: np.random.Generator) -> None:
    """Torch's default has other corners: the same theta is another map, and converts."""
    theta = random_theta(rng, 4, 0.3).reshape(-1, 2, 3)
    image = rng.random((4, 6, 9, 1)).astype(np.float32)

    ours = from_torch(theta, (6, 9), (5, 4), align_corners=align)

    theirs = sample(image, affine_grid(theta, (5, 4), align), align_corners=align)
    np.testing.assert_allclose(warp(image, ours, output_size=(5, 4)), theirs, atol=2e-5)
    np.testing.assert_allclose(to_torch(ours, (6, 9), (5, 4), align), theta, atol=1e-5)


def test_opencv_matrix_pushes() -> None:
    """Without WARP_INVERSE_MAP a matrix that adds 2 to x moves the picture right by 2 pixels."""
    image = np.arange(45, dtype=np.float32).reshape(1, 5, 9, 1)
    push = np.array([[[1, 0, 2], [0, 1, 0]]], np.float32)

    warped = warp(image, from_opencv(push, (5, 9)))

    np.testing.assert_allclose(warped[:, :, 2:], image[:, :, :-2], atol=1e-4)
    np.testing.assert_allclose(to_opencv(from_opencv(push, (5, 9)), (5, 9)), push, atol=1e-5)
    back = to_opencv(from_opencv(push, (5, 9), inverse_map=True), (5, 9), inverse_map=True)
    np.testing.assert_allclose(back, push, atol=1e-5)


def test_what_has_no_matrix_says_so() -> None:
    """A spline cannot be composed, a homography not taken apart."""
    with pytest.raises(ValueError, match="tps transform has no matrix"):
        matrix(np.zeros((1, 32), np.float32), "tps")
    with pytest.raises(ValueError, match="projective"):
        decompose(np.zeros((1, 8), np.float32), "projective")
    with pytest.raises(ValueError, match=r"got \(1, 5\)"):
        compose(IDENTITY, np.zeros((1, 5), np.float32))
    with pytest.raises(ValueError, match="at least 2; got 1 x 4"):
        theta_from_1_0_1(IDENTITY, 1, 4)


def test_the_old_call_is_still_the_old_call(rng: np.random.Generator) -> None:
    """`spatial_transformer_network(input_fmap, theta, out_dims)`, by name and by place."""
    image, theta = rng.random((2, 6, 5, 1)).astype(np.float32), random_theta(rng, 2)

    by_name = spatial_transformer_network(input_fmap=image, theta=theta, out_dims=(4, 3))

    np.testing.assert_array_equal(by_name, spatial_transformer_network(image, theta, (4, 3)))

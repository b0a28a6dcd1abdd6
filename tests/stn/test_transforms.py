"""Each transform: parameters, identity, the map itself, its gradient, in each context."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from scipy.interpolate import RBFInterpolator

from stn import (
    affine_grid,
    attention_grid,
    flow_grid,
    get_transform,
    projective_grid,
    sample,
    similarity_grid,
    thin_plate_spline,
    tps_grid,
    transform_grid,
    translation_grid,
    warp,
)
from tests.stn import oracle
from tests.stn.backends import CONTEXTS
from tests.stn.conftest import TOLERANCE

NAMES = ("affine", "attention", "similarity", "translation", "projective", "tps", "tps_2x3")
SIZE, OUTPUT = (7, 9), (5, 6)


def thetas(name: str, rng: np.random.Generator, batch: int, spread: float = 0.25) -> np.ndarray:
    """Thetas around the identity; the horizon of some projective ones crosses the picture."""
    identity = np.array(get_transform(name).identity)
    theta = identity + rng.normal(0, spread, (batch, len(identity)))
    if name == "projective":
        theta[0, 6:] = (1.3, 0.4)
    return theta


def oracle_points(name: str, theta: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Source points in normalised units, one at a time."""
    points = np.zeros((len(theta), *size, 2))
    for b, t in enumerate(theta):
        spline = None
        if name.startswith("tps"):
            rows, columns = (4, 4) if name == "tps" else (2, 3)
            y, x = np.meshgrid(np.linspace(-1, 1, rows), np.linspace(-1, 1, columns), indexing="ij")
            control = np.stack([x.ravel(), y.ravel()], axis=1)
            spline = RBFInterpolator(
                control, control + t.reshape(-1, 2), kernel="thin_plate_spline", degree=1
            )
        for i, y in enumerate(oracle.lattice(size[0])):
            for j, x in enumerate(oracle.lattice(size[1])):
                if spline is not None:
                    points[b, i, j] = spline([[x, y]])[0]
                    continue
                w = 1.0
                if name == "affine":
                    matrix = t.reshape(2, 3)
                elif name == "attention":
                    matrix = np.array([[t[0], 0, t[1]], [0, t[0], t[2]]])
                elif name == "translation":
                    matrix = np.array([[1, 0, t[0]], [0, 1, t[1]]])
                elif name == "similarity":
                    cos, sin = t[1] * np.cos(t[0]), t[1] * np.sin(t[0])
                    matrix = np.array([[cos, -sin, t[2]], [sin, cos, t[3]]])
                else:
                    matrix = t[:6].reshape(2, 3)
                    w = t[6] * x + t[7] * y + 1
                points[b, i, j] = matrix @ [x, y, 1] / w if w > 0 else np.nan
    return points


def _in_pixels(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return (points + 1) * (np.array([size[1], size[0]]) - 1) / 2


@pytest.mark.parametrize("name", NAMES)
def test_the_grid_is_the_map_applied_point_by_point(name: str, rng: np.random.Generator) -> None:
    """Two hundred thetas in float64; splines against SciPy's radial basis functions."""
    count = 200 if not name.startswith("tps") else 20
    theta = thetas(name, rng, count)

    grid = transform_grid(tf.constant(theta), (3, 4), name)

    np.testing.assert_allclose(grid, oracle_points(name, theta, (3, 4)), atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("context", CONTEXTS)
def test_the_warp_reads_where_the_grid_points(
    name: str, context: str, rng: np.random.Generator
) -> None:
    """Eager, graph and XLA, with and without compilation of the warp alone."""
    image = rng.random((6, *SIZE, 2)).astype(np.float32)
    theta = thetas(name, rng, 6).astype(np.float32)
    expected = oracle.sample(image, _in_pixels(oracle_points(name, theta, OUTPUT), SIZE))

    for training in (False, True):
        run = CONTEXTS[context](lambda i, t, on=training: warp(i, t, name, OUTPUT, training=on))
        warped = run(tf.constant(image), tf.constant(theta))
        np.testing.assert_allclose(warped, expected, atol=3 * TOLERANCE["float32"])


@pytest.mark.parametrize("name", [*NAMES, "flow"])
def test_the_identity_of_each_transform_is_exact(name: str, rng: np.random.Generator) -> None:
    """Its own identity returns the image bit for bit."""
    image = rng.random((2, 13, 22, 1)).astype(np.float32)
    identity = np.array([get_transform(name).identity] * 2, np.float32)
    theta = np.zeros((2, 13, 22, 2), np.float32) if name == "flow" else identity

    np.testing.assert_array_equal(warp(image, theta, name), image)


@pytest.mark.parametrize("name", [*NAMES, "flow"])
def test_gradient_of_each_transform_is_the_finite_difference(
    name: str, rng: np.random.Generator
) -> None:
    """In float64, bicubic, which has no knots; the horizon left out."""
    image = rng.normal(size=(1, *SIZE, 1))
    upstream = rng.normal(size=(1, *OUTPUT, 1))
    theta = rng.normal(0, 0.1, (1, *OUTPUT, 2)) if name == "flow" else thetas(name, rng, 1, 0.1)
    if name == "projective":
        theta[0, 6:] = (0.2, -0.1)

    def loss(value: np.ndarray | tf.Tensor) -> tf.Tensor:
        warped = warp(
            image, value, name, OUTPUT, interpolation="bicubic", padding="border", backend="gather"
        )
        return tf.reduce_sum(warped * upstream)

    tensor = tf.constant(theta)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        value = loss(tensor)
    gradient = tape.gradient(value, tensor).numpy()

    step = 1e-6
    places = list(np.ndindex(*theta.shape))
    for place in [places[k] for k in rng.permutation(len(places))[:8]]:
        up, down = theta.copy(), theta.copy()
        up[place] += step
        down[place] -= step
        rise = float(loss(up) - loss(down)) / (2 * step)
        np.testing.assert_allclose(gradient[place], rise, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["affine", "attention", "projective", "tps"])
@pytest.mark.parametrize("poison", [np.nan, np.inf, 1e38])
def test_a_wild_theta_has_no_gradient(name: str, poison: float, rng: np.random.Generator) -> None:
    """Also where a denominator or a product would overflow; its neighbour keeps its own."""
    image = rng.normal(size=(2, 6, 5, 1)).astype(np.float32)
    theta = np.array([get_transform(name).identity] * 2, np.float32)
    theta[0] += poison

    tensor = tf.constant(theta)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        warped = warp(image, tensor, name)
    gradient = tape.gradient(warped, tensor, output_gradients=tf.constant(image))

    assert not warped[0].numpy().any()
    assert not gradient[0].numpy().any()
    assert gradient[1].numpy().any()


def test_points_behind_the_horizon_are_not_seen() -> None:
    """The denominator 1 + 2x is negative on the left: the mirror image there is not drawn."""
    image = np.ones((1, 5, 9, 1), np.float32)
    theta = np.array([[1, 0, 0, 0, 1, 0, 2, 0]], np.float32)

    for context in CONTEXTS.values():
        warped = context(lambda t: warp(image, t, "projective"))(tf.constant(theta))[0, 2, :, 0]
        assert not warped[:3].numpy().any()
        assert warped[4:].numpy().all()


def test_a_flow_is_added_to_where_the_identity_looks(rng: np.random.Generator) -> None:
    """In normalised units of the input, x before y."""
    image = rng.random((2, *SIZE, 1)).astype(np.float32)
    flow = rng.normal(0, 0.2, (2, *OUTPUT, 2)).astype(np.float32)
    lattice = np.stack(np.meshgrid(oracle.lattice(6), oracle.lattice(5)), axis=-1)

    warped = warp(image, flow, "flow")

    expected = oracle.sample(image, _in_pixels(lattice + flow, SIZE))
    np.testing.assert_allclose(warped, expected, atol=TOLERANCE["float32"])
    np.testing.assert_allclose(flow_grid(flow), lattice + flow, atol=1e-6)


def test_a_spline_passes_through_its_control_points(rng: np.random.Generator) -> None:
    """On a lattice that meets the control points, each is moved by its own displacement."""
    theta = rng.normal(0, 0.3, (3, 2 * 3 * 5))

    grid = tps_grid(tf.constant(theta), (3, 5), control_points=(3, 5))

    own = np.stack(np.meshgrid(np.linspace(-1, 1, 5), np.linspace(-1, 1, 3)), axis=-1)
    np.testing.assert_allclose(grid, own + theta.reshape(3, 3, 5, 2), atol=1e-10)


def test_a_spline_of_unknown_output_size_is_the_same(rng: np.random.Generator) -> None:
    """The basis made in the graph is the one made while it is built."""
    theta = tf.constant(thetas("tps", rng, 2), tf.float32)

    dynamic = tf.function(lambda t, s: tps_grid(t, s))(theta, tf.constant((6, 11)))

    np.testing.assert_allclose(dynamic, tps_grid(theta, (6, 11)), atol=1e-6)


def test_a_grid_behind_the_horizon_is_sampled_as_zero() -> None:
    """`projective_grid` marks such points NaN, and `sample` reads nothing there."""
    grid = projective_grid([[1.0, 0, 0, 0, 1, 0, 2, 0]], (1, 9))

    assert np.isnan(grid[0, 0, :2]).all()
    assert not sample(np.ones((1, 3, 3, 1), np.float32), grid)[0, 0, :2].numpy().any()


def test_the_named_grids_are_the_transforms(rng: np.random.Generator) -> None:
    """No grid function has a geometry of its own."""
    named: dict[str, Any] = {
        "affine": affine_grid,
        "attention": attention_grid,
        "similarity": similarity_grid,
        "translation": translation_grid,
        "projective": projective_grid,
        "tps": tps_grid,
    }
    for name, function in named.items():
        theta = thetas(name, rng, 2)
        np.testing.assert_array_equal(function(theta, (3, 4)), transform_grid(theta, (3, 4), name))


@pytest.mark.parametrize("name", NAMES)
def test_parameters_identity_and_limits_have_one_length(name: str) -> None:
    """One number, one name, one limit."""
    transform = get_transform(name)

    assert transform.num_parameters == len(transform.identity) == len(transform.limits)
    assert get_transform(transform) is transform
    assert get_transform(transform.name) == transform


def test_a_spline_is_known_by_its_control_points() -> None:
    """The name carries rows and columns, so that a configuration can."""
    assert get_transform("tps_3x5") == thin_plate_spline(3, 5)
    assert get_transform("tps") == thin_plate_spline(4, 4)


@pytest.mark.parametrize(
    ("name", "shape"),
    [("attention", (2, 4)), ("similarity", (2, 2, 3)), ("projective", (2, 9)), ("flow", (2, 4))],
)
def test_a_theta_of_another_transform_is_refused(name: str, shape: tuple[int, ...]) -> None:
    """The message says what arrived."""
    with pytest.raises(ValueError, match=str(shape[0])):
        warp(np.ones((2, 4, 4, 1), np.float32), np.ones(shape, np.float32), name)

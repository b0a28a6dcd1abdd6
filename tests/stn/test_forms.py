"""What must hold of a warp holds in each form it takes: eager, graph, XLA and SavedModel."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from stn import compose, invert, warp
from tests.stn import oracle, peer_vectors
from tests.stn.backends import CONTEXTS
from tests.stn.conftest import TOLERANCE
from tests.stn.test_core import IDENTITY, random_theta
from tests.stn.test_transforms import NAMES, oracle_points, thetas

FORMS = (*CONTEXTS, "saved")


class Form:
    """One way to run a warp and its gradients; what is once compiled is used again."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._folder = folder
        self._made: dict[Any, Callable[..., Any]] = {}
        self._loaded: list[Any] = []

    def warp(self, image: np.ndarray, theta: np.ndarray, *options: Any, **named: Any) -> np.ndarray:
        """Return the warped image."""
        key = ("warp", options, *named.items())
        run = self._make(key, lambda i, t: warp(i, t, *options, **named), image, theta)
        return np.asarray(run(tf.constant(image), tf.constant(theta)))

    def gradients(
        self, image: np.ndarray, theta: np.ndarray, upstream: np.ndarray, **named: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the gradients of `<warped, upstream>` to the image and to theta."""

        def gradients(image: tf.Tensor, theta: tf.Tensor, upstream: tf.Tensor) -> Any:
            with tf.GradientTape() as tape:
                tape.watch([image, theta])
                # In a SavedModel, too, as whoever exports a training step has it.
                size = upstream.shape[1:3].as_list()
                warped = warp(image, theta, output_size=size, training=True, **named)
            return tape.gradient(warped, [image, theta], output_gradients=upstream)

        arguments = image, theta, upstream
        run = self._make(("gradients", *named.items()), gradients, *arguments)
        to_image, to_theta = run(*map(tf.constant, arguments))
        return np.asarray(to_image), np.asarray(to_theta)

    def _make(
        self, key: Any, function: Callable[..., Any], *arguments: np.ndarray
    ) -> Callable[..., Any]:
        key = (key, *((a.shape, a.dtype) for a in arguments))
        if key not in self._made:
            made = self._saved if self.name == "saved" else CONTEXTS[self.name]
            specs = [tf.TensorSpec(a.shape, a.dtype) for a in arguments]
            self._made[key] = made(function, *(specs if self.name == "saved" else ()))
        return self._made[key]

    def _saved(self, function: Callable[..., Any], *specs: tf.TensorSpec) -> Callable[..., Any]:
        """Exported and read again."""
        module, folder = tf.Module(), str(self._folder / str(len(self._made)))
        module.run = tf.function(function, autograph=False, input_signature=specs)
        tf.saved_model.save(module, folder)
        loaded = tf.saved_model.load(folder)
        self._loaded.append(loaded)  # its functions do not keep it alive
        return loaded.run


@pytest.fixture(scope="module", params=FORMS)
def form(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Form:
    """Each form in turn."""
    return Form(request.param, tmp_path_factory.mktemp(request.param))


def batch(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Images and an upstream gradient of one size, so that all tests share what is compiled."""
    return rng.normal(size=(8, 5, 4, 2)), rng.normal(size=(8, 5, 4, 2))


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (41, 97), (64, 50)])
def test_the_identity_is_exact(size: tuple[int, int], form: Form, rng: np.random.Generator) -> None:
    """Bit for bit, one pixel, even and odd."""
    image = rng.normal(size=(1, *size, 2)).astype(np.float32)

    np.testing.assert_array_equal(form.warp(image, IDENTITY), image)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "tps_2x3"])
def test_two_hundred_thetas_agree_with_the_oracle(
    name: str, form: Form, rng: np.random.Generator
) -> None:
    """Values, at another output size; some points lie outside, some behind a horizon."""
    size, output = (5, 6), (3, 4)
    image = rng.random((200, *size, 1)).astype(np.float32)
    theta = thetas(name, rng, 200).astype(np.float32)

    points = (oracle_points(name, theta, output) + 1) * (np.array(size[::-1]) - 1) / 2
    expected = oracle.sample(image, points)

    np.testing.assert_allclose(
        form.warp(image, theta, name, output), expected, atol=3 * TOLERANCE["float32"]
    )


@pytest.mark.parametrize(
    ("padding", "align"), [("zeros", True), ("border", False), ("reflection", False)]
)
def test_values_and_gradients_are_those_of_torch(padding: Any, align: bool, form: Form) -> None:
    """The answers of torch, kept beside the tests."""
    given = peer_vectors.inputs()
    image, theta, upstream = given["image"], given["theta"], given["upstream"]
    named = {"padding": padding, "align_corners": align}

    warped = form.warp(image, theta, output_size=(6, 4), **named)
    ours = [warped, *form.gradients(image, theta, upstream, **named)]

    with np.load(peer_vectors.FILE) as kept:
        for name, value in zip(("warped", "image", "theta"), ours, strict=True):
            theirs = kept[f"bilinear/{padding}/{align}/{name}"]
            np.testing.assert_allclose(value, theirs, rtol=1e-4, atol=1e-4, err_msg=name)


def test_half_a_pixel_is_the_mean_of_two(form: Form) -> None:
    """Between two centres; beyond the last, half of it."""
    image = np.array([1.0, 4.0, 2.0, 8.0], np.float32).reshape(1, 1, 4, 1)
    theta = np.array([[1.0, 0.0, 1 / 3, 0.0, 1.0, 0.0]], np.float32)

    np.testing.assert_allclose(form.warp(image, theta)[0, 0, :, 0], [2.5, 3.0, 5.0, 4.0], rtol=1e-6)


def test_gradient_to_theta_is_the_finite_difference(form: Form, rng: np.random.Generator) -> None:
    """Off the knots, in float64, where some points lie outside or on the fading border."""
    image, upstream = batch(rng)
    step = 1e-6
    theta = random_theta(rng, 200, 0.4).astype(np.float64)
    points = oracle.affine_points(theta, (5, 4), (5, 4))
    clear = (np.abs(points - np.round(points)) > 40 * step).all(axis=(1, 2, 3))
    theta = theta[clear][:8]
    assert len(theta) == 8

    _, gradient = form.gradients(image, theta, upstream)

    for k in range(6):
        nudge = np.eye(6)[k] * step
        rise = (oracle.warp(image, theta + nudge) - oracle.warp(image, theta - nudge)) * upstream
        slope = rise.sum(axis=(1, 2, 3)) / (2 * step)
        np.testing.assert_allclose(gradient[:, k], slope, atol=1e-6)


def test_gradient_to_the_image_is_the_adjoint(form: Form, rng: np.random.Generator) -> None:
    """<W x, y> = <x, W' y>, zooming in and out."""
    image, upstream = batch(rng)
    theta = random_theta(rng, len(image), 0.4).astype(np.float64)

    gradient, _ = form.gradients(image, theta, upstream)

    forward = np.vdot(oracle.warp(image, theta), upstream)
    np.testing.assert_allclose(np.vdot(image, gradient), forward, rtol=1e-10)


def test_a_constant_image_gives_no_gradient_in_the_interior(form: Form) -> None:
    """Where nothing changes with the place, theta feels nothing."""
    theta = np.array([[0.5, 0.1, 0.02, -0.1, 0.6, -0.03]] * 8)

    _, gradient = form.gradients(np.full((8, 5, 4, 2), 3.0), theta, np.ones((8, 5, 4, 2)))

    np.testing.assert_allclose(gradient, np.zeros((8, 6)), atol=1e-12)


def test_beyond_the_border_there_is_no_gradient(form: Form, rng: np.random.Generator) -> None:
    """And on the fading pixel around the image there is: its slope is the border's own value."""
    image, upstream = batch(rng)
    theta = np.repeat(IDENTITY, 8, axis=0).astype(np.float64)
    theta[0, 2] = 9.0
    # Half a pixel to the left: the first column of points lies outside, and it alone is asked.
    theta[1, 2] = -1 / 3
    upstream[1], upstream[1, :, 0] = 0, 1

    _, gradient = form.gradients(image, theta, upstream)

    np.testing.assert_array_equal(gradient[0], np.zeros(6))
    np.testing.assert_allclose(gradient[1, 2], image[1, :, 0].sum() * 1.5, rtol=1e-10)


def test_a_theta_that_is_not_finite_reads_the_fill_value(
    form: Form, rng: np.random.Generator
) -> None:
    """And its neighbour in the batch is as if it were alone."""
    image = rng.random((4, 5, 6, 1)).astype(np.float32)
    theta = np.repeat(IDENTITY, 4, axis=0)
    theta[:3, 1] = np.nan, np.inf, -np.inf

    warped = form.warp(image, theta, padding="constant", fill_value=0.25)

    np.testing.assert_array_equal(warped[:3], np.full((3, 5, 6, 1), 0.25, np.float32))
    np.testing.assert_array_equal(warped[3], image[3])


def test_a_wild_theta_moves_nothing(form: Form, rng: np.random.Generator) -> None:
    """No gradient to it nor to its image; the neighbour in the batch has its own."""
    image, upstream = batch(rng)
    theta = np.repeat(IDENTITY, 8, axis=0).astype(np.float64)
    theta[:5, 1] = np.nan, np.inf, -np.inf, 1e38, 1e300

    to_image, to_theta = form.gradients(image, theta, upstream)

    np.testing.assert_array_equal(to_theta[:5], np.zeros((5, 6)))
    np.testing.assert_array_equal(to_image[:3], np.zeros((3, 5, 4, 2)))
    np.testing.assert_allclose(to_image[5:], upstream[5:], atol=1e-12)


def _smooth(size: int) -> np.ndarray:
    """A hill that has faded where the picture ends."""
    axis = np.linspace(-1, 1, size)
    hill = np.exp(-((axis[:, None] - 0.1) ** 2 + (axis[None] + 0.05) ** 2) / 0.05)
    return hill[np.newaxis, :, :, np.newaxis].astype(np.float32)


def _turn(degrees: float, scale: float, x: float, y: float) -> np.ndarray:
    cos, sin = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    return np.array([[cos, -sin, x, sin, cos, y]], np.float32)


def test_one_warp_after_another_is_the_warp_of_their_composition(form: Form) -> None:
    """On a smooth image, but for the blur of reading twice."""
    image = _smooth(65)
    first, second = _turn(25, 1.1, 0.1, -0.05), _turn(-40, 0.9, -0.02, 0.1)

    twice = form.warp(form.warp(image, first), second)

    once = form.warp(image, np.asarray(compose(first, second)))
    np.testing.assert_allclose(twice, once, atol=0.02)


def test_a_warp_and_its_inverse_return_the_image(form: Form) -> None:
    """On a smooth image, but for the blur of reading twice."""
    image = _smooth(65)
    theta = _turn(33, 1.2, 0.06, 0.03)

    back = form.warp(form.warp(image, theta), np.asarray(invert(theta)))

    np.testing.assert_allclose(back, image, atol=0.02)


def test_bounds_of_a_round_trip_are_not_idle() -> None:
    """The tolerance above is a tenth of what a wrong order of composition would show."""
    image = _smooth(65)
    first, second = _turn(25, 1.1, 0.1, -0.05), _turn(-40, 0.9, -0.02, 0.1)

    right = warp(image, compose(first, second))
    wrong = warp(image, compose(second, first))

    assert np.abs(right - wrong).max() > 0.1

"""What the layers can be told: transform, bounds, learning rate, several regions, several steps."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import stn
from stn import ParallelTransformers, RecurrentTransformer, SpatialTransformer, get_transform
from stn.theta import Bounded, scale_gradient

LAYERS: dict[str, Any] = {
    "plain": lambda: SpatialTransformer(output_size=(5, 6), return_theta=True),
    "options": lambda: SpatialTransformer(
        output_size=(5, 6),
        transform="similarity",
        interpolation="bicubic",
        padding="constant",
        fill_value=0.5,
        align_corners=False,
        antialias=(1, 2),
        bounds=True,
        theta_lr_scale=0.1,
        return_mask=True,
    ),
    "spline": lambda: SpatialTransformer(transform="tps_2x3", bounds=[0.2] * 12),
    "parallel": lambda: ParallelTransformers(
        3, output_size=(5, 6), return_theta=True, return_mask=True
    ),
    "inside": lambda: ParallelTransformers(2, transform="attention", bounds="inside"),
    "recurrent": lambda: RecurrentTransformer(2, transform="similarity", return_theta=True),
    "projective": lambda: RecurrentTransformer(2, transform="projective", return_theta=True),
}

UNKNOWN: Any = "unknown"


def _shake(layer: keras.Layer, rng: np.random.Generator, amount: float = 0.1) -> None:
    for weight in layer.trainable_variables:
        weight.assign_add(rng.normal(0, amount, weight.shape).astype(np.float32))


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_every_layer_comes_back_from_a_file_the_same(
    name: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    """Arguments and weights; and what is said of shapes is what comes."""
    images = keras.Input((12, 14, 1))
    layer = LAYERS[name]()
    model = keras.Model(images, layer(images))
    _shake(layer, rng)
    batch = rng.random((3, 12, 14, 1)).astype(np.float32)
    model.save(tmp_path / "model.keras")

    again = keras.saving.load_model(tmp_path / "model.keras")

    before, after = (tf.nest.flatten(m(batch)) for m in (model, again))
    assert [tuple(t.shape)[1:] for t in before] == [tuple(o.shape)[1:] for o in model.outputs]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["plain", "options", "parallel", "recurrent"])
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_every_layer_trains(name: str, policy: str, rng: np.random.Generator) -> None:
    """A gradient that is finite reaches the last layer of the localizer."""
    images = tf.constant(rng.random((4, 12, 14, 1)), tf.float32)
    keras.config.set_dtype_policy(policy)
    try:
        layer = LAYERS[name]()
        layer(images)
    finally:
        keras.config.set_dtype_policy("float32")
    kernel = layer.localization.network.layers[-1].kernel

    @tf.function
    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            out = tf.nest.flatten(layer(images, training=True))[0]
            ramp = tf.range(tf.cast(tf.size(out), tf.float32))
            loss = tf.reduce_sum(tf.reshape(tf.cast(out, tf.float32), [-1]) * ramp)
        return tape.gradient(loss, kernel)

    gradient = step().numpy()
    assert np.isfinite(gradient).all()
    assert gradient.any(axis=0).all()


@pytest.mark.parametrize("name", ["affine", "attention", "similarity", "projective", "tps"])
def test_bounded_numbers_stay_within_their_limits(name: str, rng: np.random.Generator) -> None:
    """However far the raw numbers go; and the identity stays the identity, with slope one."""
    transform = get_transform(name)
    bounded = Bounded(transform, True)
    identity = np.array(transform.identity)

    wild = bounded(tf.constant(rng.normal(0, 100, (50, len(identity)))))

    assert (abs(wild.numpy() - identity) <= np.array(transform.limits) + 1e-12).all()
    start = tf.constant([transform.identity], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(start)
        theta = bounded(start)
    np.testing.assert_array_equal(theta, start)
    np.testing.assert_allclose(tape.gradient(theta, start), np.ones_like(start))


def test_the_projective_limits_keep_the_horizon_away() -> None:
    """No bounded theta puts a point of the output behind the horizon."""
    limits = get_transform("projective").limits

    assert limits[6] + limits[7] < 1


def test_an_inside_crop_never_leaves_the_image(rng: np.random.Generator) -> None:
    """Whatever the localizer says, all of what is seen lies on the picture."""
    raw = tf.constant(rng.normal(0, 5, (100, 3)), tf.float32)

    theta = Bounded(get_transform("attention"), "inside")(raw)

    _, mask = stn.warp(np.ones((1, 9, 9, 1), np.float32), theta, "attention", return_mask=True)
    assert mask.numpy().all()


def test_the_learning_rate_scale_touches_the_gradient_alone() -> None:
    """The value passes unchanged."""
    value = tf.constant([2.0, -3.0])
    with tf.GradientTape() as tape:
        tape.watch(value)
        scaled = scale_gradient(value, 0.25)
    np.testing.assert_array_equal(scaled, value)
    assert tape.gradient(scaled, value).numpy().tolist() == [0.25, 0.25]


@pytest.mark.parametrize("transform", ["affine", "attention", "similarity", "translation"])
@pytest.mark.parametrize("bounds", [None, True])
def test_parallel_transformers_start_at_places_of_their_own(
    transform: str, bounds: Any, rng: np.random.Generator
) -> None:
    """Bounded or not, tiles that differ and lie within the picture."""
    layer = ParallelTransformers(4, transform=transform, bounds=bounds, return_theta=True)

    warped, theta = layer(rng.random((2, 12, 12, 1)).astype(np.float32))

    assert warped.shape == (2, 4, 12, 12, 1)
    starts = np.array(stn.tiled_starts(transform, 4))
    np.testing.assert_allclose(theta[0], starts, atol=1e-5)
    assert len(np.unique(starts, axis=0)) == 4


def test_parallel_regions_are_those_of_their_thetas(rng: np.random.Generator) -> None:
    """Image by image, region by region."""
    images = rng.random((3, 12, 10, 2)).astype(np.float32)
    layer = ParallelTransformers(2, output_size=(4, 5), return_theta=True)
    layer(images)
    _shake(layer, rng)

    warped, theta = layer(images)

    for k in range(2):
        single = stn.warp(images, theta[:, k], output_size=(4, 5))
        np.testing.assert_allclose(warped[:, k], single, atol=1e-5)


def test_recurrent_steps_warp_the_original_by_their_composition(
    rng: np.random.Generator,
) -> None:
    """Two steps by hand: the second sees what the first made; the end is one warp."""
    images = rng.random((3, 12, 12, 1)).astype(np.float32)
    layer = RecurrentTransformer(2, return_theta=True)
    layer(images)
    _shake(layer, rng, 0.05)

    warped, theta = layer(images)

    first = layer.localization(images)
    second = layer.localization(stn.warp(images, first))
    both = stn.compose(first, second)
    np.testing.assert_allclose(theta, tf.reshape(both, [-1, 6]), atol=1e-5)
    np.testing.assert_allclose(warped, stn.warp(images, both), atol=1e-4)


@pytest.mark.parametrize("make", [stn.fully_connected_localization, stn.convolutional_localization])
def test_the_paper_localizers_start_where_they_are_told(
    make: Any, rng: np.random.Generator
) -> None:
    """At any theta, whatever the image."""
    network = make((0.5, 0.1, -0.2))

    theta = network(rng.random((2, 42, 42, 1)).astype(np.float32))

    np.testing.assert_allclose(theta, [[0.5, 0.1, -0.2]] * 2)


def test_a_flow_layer_warps_by_a_network_of_its_own(rng: np.random.Generator) -> None:
    """Each output pixel has a displacement; a network of zeros is the identity."""
    images = rng.random((2, 8, 9, 1)).astype(np.float32)
    network = keras.layers.Conv2D(2, 3, padding="same", kernel_initializer="zeros")

    layer = SpatialTransformer(network, transform="flow")

    np.testing.assert_array_equal(layer(images), images)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SpatialTransformer(transform="flow"), "no default localization"),
        (lambda: SpatialTransformer(padding=UNKNOWN), "padding must .* got 'unknown'"),
        (lambda: SpatialTransformer(backend=UNKNOWN), "backend must .* got 'unknown'"),
        (lambda: SpatialTransformer(bounds="inside"), "is for attention; got affine"),
        (lambda: SpatialTransformer(bounds=[1.0]), "6 positive limits"),
        (lambda: ParallelTransformers(0), "count must be at least 1"),
        (lambda: ParallelTransformers(2, transform="tps"), "no translation to tile"),
        (lambda: RecurrentTransformer(0), "steps must be at least 1"),
        (lambda: RecurrentTransformer(2, transform="tps"), "cannot be composed"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(make: Any, message: str) -> None:
    """When the layer is made, not when it first runs."""
    with pytest.raises(ValueError, match=message):
        make()

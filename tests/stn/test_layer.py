"""The Keras layer: starts at the identity, serialises, clones, trains."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from stn import LocalizationNetwork, SpatialTransformer, spatial_transformer_network


def _model(**options: Any) -> keras.Model:
    images = keras.Input((14, 12, 1))
    warped, theta = SpatialTransformer(
        LocalizationNetwork(filters=(4, 4, 4), units=8),
        return_theta=True,
        name="spatial_transformer",
        **options,
    )(images)
    pooled = keras.layers.GlobalAveragePooling2D()(warped)
    return keras.Model(images, {"score": keras.layers.Dense(1)(pooled), "theta": theta})


def test_a_new_layer_returns_its_input(rng: np.random.Generator) -> None:
    """Zero weights and the identity as bias, whatever the image."""
    images = rng.random((3, 20, 31, 2)).astype(np.float32)

    warped, theta = SpatialTransformer(return_theta=True)(images)

    np.testing.assert_array_equal(warped, images)
    assert theta.numpy().tolist() == [[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]] * 3


def test_the_layer_is_the_function_applied_to_its_theta(rng: np.random.Generator) -> None:
    """No second geometry lives in the layer."""
    images = rng.random((2, 14, 12, 1)).astype(np.float32)
    layer = SpatialTransformer(output_size=(5, 6), return_theta=True)
    layer(images)
    for weight in layer.trainable_variables:
        weight.assign(rng.normal(0, 0.3, weight.shape))

    warped, theta = layer(images)

    assert warped.shape == (2, 5, 6, 1)
    expected = spatial_transformer_network(images, theta, (5, 6))
    np.testing.assert_allclose(warped, expected, atol=1e-6)


# Keras 3.15 copies its own variables the way NumPy 1 liked.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_saved_model_comes_back_the_same(tmp_path: Path, rng: np.random.Generator) -> None:
    """Weights and arguments survive `.keras`, with no custom_objects."""
    model = _model(output_size=(6, 7))
    for weight in model.trainable_variables:
        weight.assign(rng.normal(0, 0.2, weight.shape))
    images = rng.random((2, 14, 12, 1)).astype(np.float32)
    model.save(tmp_path / "model.keras")

    again = keras.saving.load_model(tmp_path / "model.keras")

    assert again.get_layer("spatial_transformer").output_size == (6, 7)
    for name, value in model(images).items():
        np.testing.assert_array_equal(again(images)[name], value)


def test_clone_model_builds_a_second_localizer(rng: np.random.Generator) -> None:
    """A clone has the same shape and shares no weight."""
    model = _model()

    clone = keras.models.clone_model(model)

    assert [w.shape for w in clone.weights] == [w.shape for w in model.weights]
    clone.trainable_variables[0].assign_add(tf.ones_like(clone.trainable_variables[0]))
    assert not np.array_equal(clone.trainable_variables[0], model.trainable_variables[0])


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_keeps_theta_in_float32(policy: Any, rng: np.random.Generator) -> None:
    """The image is half, where it is looked at is not, and the identity stays exact."""
    images = tf.constant(rng.random((2, 30, 33, 1)), policy.removeprefix("mixed_"))

    warped, theta = SpatialTransformer(return_theta=True, dtype=policy)(images)

    assert (warped.dtype, theta.dtype) == (images.dtype, tf.float32)
    np.testing.assert_array_equal(warped, images)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_fit_moves_every_weight_of_the_localizer(
    policy: Any, jit_compile: bool, rng: np.random.Generator
) -> None:
    """A gradient reaches the localization network through the sampler."""
    keras.utils.set_random_seed(3)
    images = rng.random((8, 14, 12, 1)).astype(np.float32)
    layer = SpatialTransformer(LocalizationNetwork((4, 4, 4), 8), dtype=policy)
    model = keras.Sequential([keras.Input((14, 12, 1)), layer, keras.layers.Flatten()])
    model.compile(keras.optimizers.SGD(0.1), loss="mse", jit_compile=jit_compile)
    bias = layer.localization.network.layers[-1].bias

    model.fit(images, rng.random((8, 168)), epochs=1, verbose=0, batch_size=8)
    after_one_step = bias.numpy()
    model.fit(images, rng.random((8, 168)), epochs=1, verbose=0, batch_size=8)

    assert (after_one_step != [1, 0, 0, 0, 1, 0]).all()
    assert np.isfinite(bias.numpy()).all()
    assert np.isfinite(model.predict(images, verbose=0)).all()


def test_a_localizer_of_another_width_is_refused() -> None:
    """Affine needs six numbers; the message says how to mend it."""
    network = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(5)])

    with pytest.raises(ValueError, match=r"return \(batch, 6\).*got 5"):
        SpatialTransformer(network)(np.zeros((1, 8, 8, 1), np.float32))


def test_the_default_localizer_asks_for_a_known_size() -> None:
    """Its dense layer cannot be built for a size that is not known."""
    with pytest.raises(ValueError, match="known height and width"):
        SpatialTransformer()(keras.Input((None, 28, 1)))


def test_a_size_in_the_place_of_the_localization_network_is_said_to_be_one() -> None:
    with pytest.raises(TypeError, match=r"got \(24, 24\)\. A size .* is given as output_size="):
        SpatialTransformer((24, 24))

"""The callback that sees a localizer die, and the pictures."""

import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import stn


def _model(start: tuple[float, ...], spread: float) -> keras.Model:
    """A model whose localizer cannot learn, with a kernel of the spread asked for."""
    network = keras.Sequential([keras.layers.Flatten(), stn.theta_layer(start)])
    images = keras.Input((8, 8, 1))
    seen = stn.SpatialTransformer(network, transform="attention")(images)
    model = keras.Model(images, keras.layers.Flatten()(seen))
    kernel = network.layers[-1].kernel
    kernel.assign(np.random.default_rng(0).normal(0, spread, kernel.shape))
    network.trainable = False
    model.compile("sgd", "mse")
    return model


def _watch(model: keras.Model, **options: Any) -> tuple[dict[str, list[float]], list[str]]:
    images = np.random.default_rng(1).random((6, 8, 8, 1)).astype(np.float32)
    monitor = stn.TransformerMonitor(images, patience=2, **options)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history = model.fit(images, np.zeros((6, 64)), epochs=3, verbose=0, callbacks=[monitor])
    said = [
        str(w.message) for w in caught if "local" in str(w.message) or "beside" in str(w.message)
    ]
    return history.history, said


def test_a_healthy_localizer_is_left_in_peace() -> None:
    """Spread and fraction are in the logs, as measured by hand, and nobody is warned."""
    model = _model((0.6, 0.0, 0.0), 0.02)

    logs, said = _watch(model)

    images = np.random.default_rng(1).random((6, 8, 8, 1)).astype(np.float32)
    theta = model.layers[1].localization(images).numpy()
    np.testing.assert_allclose(logs["theta_spread"][-1], theta.std(axis=0).mean(), rtol=1e-5)
    assert logs["valid_fraction"] == [1.0] * 3
    assert not said


def test_a_dead_localizer_is_named_once() -> None:
    """The same theta for every image, three epochs long."""
    _, said = _watch(_model((0.6, 0.0, 0.0), 0.0))

    assert len(said) == 1
    assert "same to every image" in said[0]


def test_a_localizer_that_looks_beside_the_image_is_named() -> None:
    """Zoomed out by four, a sixteenth of what is seen lies on the picture."""
    logs, said = _watch(_model((4.0, 0.0, 0.0), 0.02))

    assert logs["valid_fraction"][-1] < 0.15
    assert len(said) == 1
    assert "looks beside the image" in said[0]


def test_the_batch_is_drawn_for_tensorboard(tmp_path: Path) -> None:
    """Input and output as images, the figures as scalars."""
    _watch(_model((0.6, 0.0, 0.0), 0.02), log_dir=str(tmp_path))

    (events,) = tmp_path.glob("events*")
    tags = {
        value.tag
        for record in tf.data.TFRecordDataset(str(events))
        for value in tf.compat.v1.Event.FromString(record.numpy()).summary.value
    }
    wanted = {"transformer/input/image/0", "transformer/output/image/5", "theta/spread"}
    assert wanted <= tags


def test_a_model_without_a_transformer_is_refused() -> None:
    """The monitor has nothing to watch."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")

    with pytest.raises(ValueError, match="one transformer layer"):
        model.fit(
            np.ones((2, 2)),
            np.ones((2, 1)),
            verbose=0,
            callbacks=[stn.TransformerMonitor(np.ones((2, 2)))],
        )


def test_show_draws_the_region_where_the_corners_are() -> None:
    """The outline over the image runs through the four corners that `corners` gives."""
    theta = np.array([[0.5, -0.2, 0.1, 0.2, 0.4, -0.1]], np.float32)

    figure = stn.show(np.zeros((1, 9, 13, 3), np.float32), theta, titles=["a title"])

    before, after = figure.axes
    outline, first = (np.asarray(line.get_xydata()) for line in before.lines[-2:])
    for corner in stn.corners(theta, (9, 13))[0].numpy():
        assert np.abs(outline - corner).sum(axis=1).min() < 1e-4
    np.testing.assert_allclose(first[0], stn.corners(theta, (9, 13))[0, 0])
    assert before.get_title() == "a title"
    np.testing.assert_array_equal(after.images[0].get_array(), np.zeros((9, 13, 3)))


@pytest.mark.parametrize("transform", ["tps", "projective", "flow"])
def test_show_draws_every_transform(transform: str, tmp_path: Path) -> None:
    """Bytes and grey images too."""
    image = np.zeros((2, 6, 8, 1), np.uint8)
    identity = np.array([stn.get_transform(transform).identity] * 2, np.float32)
    theta = np.zeros((2, 6, 8, 2), np.float32) if transform == "flow" else identity

    stn.show(image, theta, transform).savefig(tmp_path / "shown.png")

    assert (tmp_path / "shown.png").stat().st_size > 1000

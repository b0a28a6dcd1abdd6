"""The picture of what was seen: of the image itself, whatever lies before the transformer."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from model_export.foreign.classifier import KerasClassifier
from model_export.foreign.own import InputRange
from stn import SpatialTransformer
from tests.model_export.foreign.models import (
    SIZE,
    Part,
    classifier,
    pictures,
    transformer,
    with_weights,
)

layers = keras.layers


def normalization() -> Any:
    return layers.Normalization(mean=[90, 120, 140], variance=[900, 1600, 3600])


@pytest.mark.parametrize(
    ("before", "taken"),
    [
        ([], "unit"),
        ([layers.Rescaling(2, -1)], "unit"),
        ([], "symmetric"),
        ([], "bytes"),
        ([layers.Rescaling(1 / 255)], "bytes"),
        ([layers.Rescaling(1 / 127.5, -1)], "bytes"),
        ([normalization()], "bytes"),
        ([lambda x: 1 - x / 255, layers.RandomFlip(), layers.Dropout(0.5)], "bytes"),
    ],
)
def test_at_the_identity_what_is_seen_is_what_was_sent(
    before: list[Part], taken: InputRange
) -> None:
    sent = pictures(channels=3) / np.float32(255)

    seen = KerasClassifier(classifier(3, before), taken)(sent)["warped"]

    assert seen.numpy() == pytest.approx(sent, abs=1e-6)


def test_what_is_outside_stays_within_a_picture() -> None:
    look = transformer(size=(30, 30), interpolation="bicubic", padding="constant", fill_value=7)
    model = with_weights(classifier(look=look), spread=0.3)

    seen = KerasClassifier(model)(pictures() / np.float32(255))["warped"].numpy()

    assert (seen.min(), seen.max()) == (0, 1)


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (layers.Conv2D(3, 3), "warps 3 feature maps of 18 x 22"),
        (layers.Conv2D(3, 3, padding="same"), "warps 3 feature maps of 20 x 24"),
        (layers.Conv2D(1, 1), "warps 1 feature maps of 20 x 24"),
        (layers.Resizing(10, 12), "warps 3 feature maps of 10 x 12"),
        (lambda x: layers.ReLU()(x - 0.5), "warps 3 feature maps of 20 x 24"),
        (lambda x: x[..., ::-1], "warps 3 feature maps of 20 x 24"),
        (lambda x: 0 * x, "warps 3 feature maps of 20 x 24"),
    ],
    ids=["features", "features of equal size", "grey", "resized", "clipped", "bgr", "nothing"],
)
def test_what_is_no_longer_the_image_is_refused(before: Part, reason: str) -> None:
    model = with_weights(classifier(3, [before]))

    with pytest.raises(ValueError, match=f"{reason}. Between image and transformer"):
        KerasClassifier(model)


@pytest.mark.parametrize("taken", ["unit", "symmetric"])
@pytest.mark.parametrize(
    "first",
    [layers.Rescaling(1 / 255), layers.Normalization(mean=200.0, variance=45.0**2)],
    ids=["Rescaling", "Normalization"],
)
def test_a_model_of_bytes_that_is_not_said_to_be_one_is_refused(
    first: keras.Layer, taken: InputRange
) -> None:
    model = classifier(before=[first])

    with pytest.raises(ValueError, match="give --input-range bytes"):
        KerasClassifier(model, taken)


def test_theta_must_be_a_row_of_numbers() -> None:
    flow = SpatialTransformer(layers.Conv2D(2, 3, padding="same"), transform="flow")

    with pytest.raises(ValueError, match="that of the transform 'flow' is not"):
        KerasClassifier(classifier(look=flow))


# Wherever the transformer is.


def in_a_functional_model(layer: SpatialTransformer) -> Part:
    images = keras.Input((*SIZE, 1))
    return keras.Model(images, layer(images))


def in_a_sequential_model(layer: SpatialTransformer) -> Part:
    return keras.Sequential([layers.Rescaling(2.0), layer])


class Eye(keras.Model):
    """A part written as a class."""

    def __init__(self, layer: SpatialTransformer) -> None:
        super().__init__()
        self.look = layer

    def call(self, images: Any) -> Any:
        return self.look(images)


@pytest.mark.parametrize("wrap", [in_a_functional_model, in_a_sequential_model, Eye])
@pytest.mark.parametrize("return_theta", [False, True])
def test_a_transformer_within_a_part_of_the_model_is_found(wrap: Any, return_theta: bool) -> None:
    layer = transformer("projective", (9, 7), return_theta=return_theta)
    part = wrap(layer)

    def look(images: Any) -> Any:
        seen = part(images)
        return seen[0] if return_theta else seen

    model = with_weights(classifier(look=look))
    images = pictures() / np.float32(255)

    served = KerasClassifier(model)(images)

    given = 2 * images if wrap is in_a_sequential_model else images
    assert served["theta"].numpy() == pytest.approx(layer.localize(given).numpy(), abs=1e-6)
    assert np.ptp(served["theta"].numpy(), axis=0).max() > 1e-3
    assert served["warped"].shape == (3, 9, 7, 1)


def test_of_two_transformers_that_on_the_image_is_shown() -> None:
    def look(images: Any) -> Any:
        features = transformer("translation")(layers.Conv2D(2, 3, padding="same")(images))
        return layers.Concatenate()([features, transformer("similarity")(images)])

    served = KerasClassifier(with_weights(classifier(look=look)))

    assert served.transform == "similarity"
    assert served(np.zeros((1, *SIZE, 1), np.float32))["theta"].shape == (1, 4)


class InAGraph(Eye):
    def call(self, images: Any) -> Any:
        return tf.function(self.look)(images)


class InALoop(Eye):
    def call(self, images: Any) -> Any:
        return tf.map_fn(lambda image: self.look(image[tf.newaxis])[0], images)

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


@pytest.mark.parametrize("part", [InAGraph, InALoop])
def test_a_transformer_out_of_sight_is_refused_in_plain_words(part: type[Eye]) -> None:
    with pytest.raises(ValueError, match="is called in a loop or a graph within another layer"):
        KerasClassifier(classifier(look=part(transformer())))


def test_the_model_is_left_as_it_was() -> None:
    layer = transformer()
    model = classifier(look=layer)
    kept = dict(layer.__dict__)

    KerasClassifier(model)

    assert layer.__dict__ == kept

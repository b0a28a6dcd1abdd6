"""Logits or probabilities: told from the model's end, or asked for, and never guessed."""

from typing import Any

import keras
import numpy as np
import pytest

from model_export.foreign.classifier import KerasClassifier
from model_export.foreign.output import output_kind
from model_export.foreign.own import in_float32, own_probabilities
from tests.model_export.foreign.models import Part, classifier, pictures, softmax, with_weights

layers = keras.layers


def logits(features: Any) -> Any:
    return layers.Dense(3)(features)


def log_softmax(features: Any) -> Any:
    return layers.Dense(3, activation="log_softmax")(features)


def softmax_layer(features: Any) -> Any:
    return layers.Softmax()(logits(features))


def activation_layer(features: Any) -> Any:
    return layers.Activation("softmax")(logits(features))


def cast_afterwards(features: Any) -> Any:
    """As is done in mixed precision."""
    return layers.Activation("linear", dtype="float32")(softmax(features))


def of_submodels(features: Any) -> Any:
    inner = keras.Sequential([layers.Dense(4), layers.Dense(3, activation="softmax")])
    images = keras.Input(features.shape[1:])
    return keras.Model(images, inner(images))(features)


def in_words(features: Any) -> Any:
    return {"probabilities": shown_by_nothing(features)}


def in_wrong_words(features: Any) -> Any:
    return {"logits": softmax(features)}


def listed(features: Any) -> Any:
    return [logits(features)]


def shown_by_nothing(features: Any) -> Any:
    return keras.ops.softmax(logits(features))


def hidden_sigmoid(features: Any) -> Any:
    return keras.ops.sigmoid(logits(features))


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        (logits, "logits"),
        (softmax, "probabilities"),
        (log_softmax, "logits"),
        (softmax_layer, "probabilities"),
        (activation_layer, "probabilities"),
        (cast_afterwards, "probabilities"),
        (of_submodels, "probabilities"),
        (in_words, "probabilities"),
        (listed, "logits"),
    ],
)
def test_the_end_of_a_model_says_what_it_gives(end: Part, kind: str) -> None:
    assert output_kind(classifier(end=end)) == kind


@pytest.mark.parametrize("activation", ["sigmoid", "relu", "tanh"])
def test_an_end_that_is_no_distribution_is_refused(activation: str) -> None:
    model = classifier(end=layers.Dense(3, activation=activation))

    with pytest.raises(ValueError, match=f"with activation {activation}; .* must end in softmax"):
        output_kind(model)


def test_what_cannot_be_told_has_to_be_said() -> None:
    model = classifier(end=shown_by_nothing)

    with pytest.raises(ValueError, match="say it with --output logits or --output probabilities"):
        output_kind(model)

    assert output_kind(model, "probabilities") == "probabilities"


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (logits, "probabilities"),
        (softmax, "logits"),
        (in_words, "logits"),
        (in_wrong_words, None),
    ],
)
def test_two_claims_that_differ_are_refused(end: Part, said: Any) -> None:
    with pytest.raises(ValueError, match="is it logits or probabilities"):
        output_kind(classifier(end=end), said)


def test_of_several_outputs_none_is_chosen() -> None:
    with pytest.raises(ValueError, match="gives 2 outputs without names"):
        output_kind(classifier(end=lambda x: [logits(x), logits(x)]))
    with pytest.raises(ValueError, match="must give 'logits' or 'probabilities'; it gives scores"):
        output_kind(classifier(end=lambda x: {"scores": logits(x)}))


@pytest.mark.parametrize(
    ("end", "said", "reason"),
    [
        (shown_by_nothing, "logits", "are positive numbers that sum to 1"),
        (hidden_sigmoid, "probabilities", "are not positive numbers"),
    ],
)
def test_answers_that_belie_what_is_said_are_refused(end: Part, said: Any, reason: str) -> None:
    model = with_weights(classifier(end=end))

    with pytest.raises(ValueError, match=f"should give {said}, but its answers {reason}"):
        own_probabilities(model, pictures(), "unit", said)


@keras.saving.register_keras_serializable(package="tests")
class Grain(keras.layers.Layer):
    """What half precision rounds away decides the class."""

    def call(self, features: Any) -> Any:
        fine = features[:, :3] + 2.0**-10 * keras.ops.arange(3, dtype=features.dtype) + 1
        return 2**13 * (fine - 1)


def test_a_model_that_answers_otherwise_in_float32_is_refused() -> None:
    model = classifier(end=lambda x: Grain(dtype="mixed_bfloat16")(0 * x))

    with pytest.raises(ValueError, match="served in float32, where its answers differ by"):
        in_float32(model, pictures(), "unit", "logits")


@pytest.mark.parametrize("end", [logits, softmax, in_words])
def test_what_is_served_is_what_the_model_answers(end: Part) -> None:
    model = with_weights(classifier(end=end))
    images = pictures()

    served = KerasClassifier(model)(images.astype(np.float32) / 255)

    answer = model.predict(images / 255, verbose=0)
    answer = answer["probabilities"] if isinstance(answer, dict) else answer
    expected = answer if answer.min() >= 0 else keras.ops.softmax(answer).numpy()
    assert keras.ops.softmax(served["logits"]).numpy() == pytest.approx(expected, abs=1e-6)

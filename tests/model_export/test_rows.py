"""A picture alone gets the very answer that it gets in company."""

from pathlib import Path

import keras
import numpy as np
import pytest

from model_export.foreign.classifier import KerasClassifier
from model_export.predictors import Predictor, keras_predictor, session_predictor
from model_export.saved_models import save_classifier
from model_export.session_model import SessionModel
from tests.model_export.foreign.models import classifier, with_weights
from tests.model_export.test_start import classifier as own_classifier

layers = keras.layers


def answers_alone_and_in_company(predict: Predictor, pictures: np.ndarray) -> None:
    together = predict(pictures)
    for size in (1, 2, 3):
        for first in range(len(pictures) - size):
            some = predict(pictures[first : first + size])
            for name, values in together.items():
                assert np.array_equal(some[name], values[first : first + size]), (name, size)


@pytest.mark.parametrize("of_others", [False, True])
def test_a_picture_alone_is_answered_as_in_company(of_others: bool, tmp_path: Path) -> None:
    if of_others:
        end = keras.Sequential([layers.Dense(200, "relu"), layers.Dense(3)])
        model = KerasClassifier(with_weights(classifier(end=end)))
    else:
        model = with_weights(own_classifier(side=64))
    shape = [12, *(side or 0 for side in model.input_shape[1:])]
    pictures = np.random.default_rng(2).integers(0, 256, shape, np.uint8)
    num_classes = keras_predictor(model)(pictures)["probabilities"].shape[1]

    save_classifier(model, ["one"] * num_classes, "{}", tmp_path)

    answers_alone_and_in_company(keras_predictor(model), pictures)
    with SessionModel(tmp_path) as exported:
        answers_alone_and_in_company(session_predictor(exported), pictures)

"""Where a training starts from."""

from pathlib import Path

import keras
import numpy as np
import pytest

from model_export.card import weights_digest
from model_export.classifier import build_classifier
from model_export.predictors import load_weights
from model_export.start import start_from


def classifier(side: int = 42) -> keras.Model:
    return build_classifier((side, side, 1), num_classes=10)


@pytest.mark.parametrize("source", ["run", "version", "servable"])
def test_weights_are_taken_over_from_a_run_and_from_its_export(
    source: str, run_folder: Path, models: Path
) -> None:
    folder = {"run": run_folder, "version": models / "stn" / "1", "servable": models / "stn"}
    wanted = load_weights(run_folder)
    model = classifier()

    said = start_from(model, folder[source])

    assert all(map(np.array_equal, model.get_weights(), wanted.get_weights()))
    assert said.endswith(f"weights {weights_digest(wanted)}")


def test_it_does_not_matter_how_many_layers_keras_has_numbered_before(run_folder: Path) -> None:
    """Beyond ten, `conv2d_10` would come before `conv2d_9` in the order of the alphabet."""
    wanted = load_weights(run_folder)
    for _ in range(4):
        model = classifier()
        start_from(model, run_folder)

        assert all(map(np.array_equal, model.get_weights(), wanted.get_weights()))


def test_another_kind_of_classifier_is_refused(run_folder: Path) -> None:
    model = classifier(side=60)
    before = [values.copy() for values in model.get_weights()]

    with pytest.raises(ValueError, match="holds another kind of classifier"):
        start_from(model, run_folder)

    assert all(map(np.array_equal, model.get_weights(), before))


def test_a_folder_without_a_classifier_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="neither a run folder"):
        start_from(classifier(), tmp_path)

"""A tiny run and its export, made once: seconds of training on the sample."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from model_export.config import TrainingConfig
from model_export.data import Digits, load_sample
from model_export.export import export_classifier, export_warp
from model_export.session_model import SessionModel
from model_export.train import TrainingResult, train

# Three epochs of twelve steps: enough for the loss to fall, not for a living localizer.
TINY = TrainingConfig(epochs=3, batch_size=64, seed=3)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let one warning pass: Keras copies TensorFlow's variables to NumPy in a way of old."""
    known = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(known)


@pytest.fixture(scope="session")
def sample() -> Digits:
    return load_sample()


@pytest.fixture(scope="session")
def few(sample: Digits) -> Digits:
    """A hundred digits of the sample."""
    parts = (sample.train_images, sample.train_labels, sample.test_images, sample.test_labels)
    return Digits("a hundred", *(part[:100] for part in parts))


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory, sample: Digits) -> tuple[Path, TrainingResult]:
    """A run folder, and what training returned."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    return folder, train(sample, TINY, folder)


@pytest.fixture(scope="session")
def run_folder(run: tuple[Path, TrainingResult]) -> Path:
    return run[0]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory, run_folder: Path, sample: Digits) -> Path:
    """A folder with `stn/1` and `warp/1`."""
    folder = tmp_path_factory.mktemp("exported") / "models"
    export_classifier(run_folder, sample, folder)
    export_warp(folder)
    return folder


@pytest.fixture(scope="session")
def classifier(models: Path) -> Iterator[SessionModel]:
    with SessionModel(models / "stn" / "1") as model:
        yield model


@pytest.fixture(scope="session")
def warp(models: Path) -> Iterator[SessionModel]:
    with SessionModel(models / "warp" / "1") as model:
        yield model


class EagerModel:
    """The same interface as `SessionModel`, through the other loader."""

    def __init__(self, folder: Path) -> None:
        self.signatures = tf.saved_model.load(str(folder)).signatures

    def run(self, signature: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        tensors = {name: tf.constant(value) for name, value in inputs.items()}
        return {name: v.numpy() for name, v in self.signatures[signature](**tensors).items()}


@pytest.fixture(scope="session")
def eager_classifier(models: Path) -> EagerModel:
    return EagerModel(models / "stn" / "1")


@pytest.fixture(scope="session")
def eager_warp(models: Path) -> EagerModel:
    return EagerModel(models / "warp" / "1")

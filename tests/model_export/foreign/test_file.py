"""Files of others: what can be opened is, and what cannot is refused in plain words."""

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from model_export.cli import main
from model_export.foreign.file import import_layers, load_keras
from tests.model_export.foreign.models import SIZE, classifier, transformer

layers = keras.layers


@keras.saving.register_keras_serializable(package="tests")
class AsAClass(keras.Model):
    """It shows neither input nor output."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.end = layers.Dense(3)

    def call(self, images: Any) -> Any:
        return self.end(layers.Flatten()(images))


def as_a_class() -> keras.Model:
    model = AsAClass()
    model(np.zeros((1, 4, 4, 1), np.float32))
    return model


def never_built() -> keras.Model:
    return keras.Sequential([layers.Flatten(), layers.Dense(3)])


@pytest.mark.parametrize("make", [as_a_class, never_built])
def test_a_model_that_hides_its_input_is_refused_with_what_to_do(
    make: Callable[[], keras.Model], tmp_path: Path
) -> None:
    with warnings.catch_warnings():
        # Keras says that it may hold no weights.
        warnings.simplefilter("ignore")
        make().save(tmp_path / "model.keras")

    with pytest.raises(ValueError, match=r"does not show its input .* within a functional model"):
        load_keras(tmp_path / "model.keras")


def test_it_does_within_a_functional_model(tmp_path: Path) -> None:
    images = keras.Input((4, 4, 1))
    keras.Model(images, as_a_class()(images)).save(tmp_path / "model.keras")

    assert load_keras(tmp_path / "model.keras").inputs[0].shape == (None, 4, 4, 1)


@pytest.mark.parametrize("content", [b"", b"no model", b"PK\x03\x04 half a model"])
def test_a_file_that_is_no_model_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(content)

    with pytest.raises(ValueError, match="is not a Keras model that can be read"):
        load_keras(tmp_path / "model.keras")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is no file"):
        load_keras(tmp_path / "model.keras")


_OWN = """
import keras

@keras.saving.register_keras_serializable(package="own")
class Doubled(keras.layers.Layer):
    def call(self, images):
        return 2 * images
"""


@pytest.fixture
def of_own_layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with a layer of a module `own_layers` of this folder, neither of which is known."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own_layers.py").write_text(_OWN)
    import_layers(["own_layers"])
    doubled = sys.modules["own_layers"].Doubled()
    classifier(before=[doubled]).save(tmp_path / "model.keras")
    forget()
    return tmp_path / "model.keras"


def forget() -> None:
    del sys.modules["own_layers"], keras.saving.get_custom_objects()["own>Doubled"]


def test_a_layer_that_is_not_known_is_named_with_what_to_do(of_own_layers: Path) -> None:
    with pytest.raises(ValueError, match=r"holds 'Doubled', .* name its module: --import MODULE$"):
        load_keras(of_own_layers)


def test_a_module_of_this_folder_makes_it_known(of_own_layers: Path) -> None:
    import_layers(["own_layers"])

    assert "Doubled" in {type(layer).__name__ for layer in load_keras(of_own_layers).layers}
    forget()


def test_a_module_that_is_not_there_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--keras", str(tmp_path / "model.keras"), "--import", "no_such_module"]

    status = main(["export", *arguments, "--models", str(tmp_path), "--name", "mine"])

    (line,) = capsys.readouterr().err.splitlines()
    assert status == 2
    assert "--import no_such_module fails: ModuleNotFoundError: No module named" in line


def test_a_module_that_does_not_run_is_refused(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "half_written.py").write_text("def call(self")

    with pytest.raises(ValueError, match="--import half_written fails: SyntaxError"):
        import_layers(["half_written"])


def test_a_sequential_model_is_opened(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((*SIZE, 1)), transformer(), layers.Flatten()])
    model.save(tmp_path / "model.keras")

    assert load_keras(tmp_path / "model.keras").inputs[0].shape == (None, *SIZE, 1)

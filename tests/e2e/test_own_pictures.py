"""From a folder of real pictures to a served classifier, by the commands of the guide alone."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from model_export.images.prepare import open_prepared
from model_export.images.split import TEST
from tests.service.gateway_process import start_gateway

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each of ten digits, with the 1,797 that people wrote for scikit-learn's set."""
    folder = tmp_path_factory.mktemp("pictures") / "digits"
    for word in WORDS:
        (folder / word).mkdir(parents=True)
    written = load_digits()
    for number, (pixels, digit) in enumerate(zip(written.images, written.target, strict=True)):
        picture = Image.fromarray((pixels * 255 / 16).round().astype(np.uint8))
        picture.resize((32, 32)).save(folder / WORDS[digit] / f"{number:04}.png")
    return folder


def test_real_pictures_of_ten_classes_are_read_in_plain_words(digits: Path, tmp_path: Path) -> None:
    run, models = tmp_path / "run", tmp_path / "models"

    run_model("train", "--images", digits, "--run", run, "--epochs", 4)
    run_model("export", "--run", run, "--models", models, "--name", "written")
    run_model("check", models / "written")

    prepared = open_prepared(run)
    assert prepared.labels == tuple(sorted(WORDS))
    # Measured for this training: 0.978.
    assert json.loads((run / "metrics.json").read_text())["test"]["accuracy"] > 0.93
    kept = prepared.paths[prepared.part(TEST)][::5]
    with start_gateway(models, "--predict-servable", "written") as gateway:
        gateway.wait_until_ready()
        read = [asked(gateway.url, digits / path) for path in kept]
    right = [label == Path(path).parent.name for label, path in zip(read, kept, strict=True)]
    assert np.mean(right) > 0.9


def run_model(*arguments: object) -> None:
    command = [sys.executable, "-m", "model_export", *map(str, arguments)]
    subprocess.run(command, check=True, timeout=280)


def asked(url: str, path: Path) -> str:
    answer = httpx.post(f"{url}/predict", files={"image": path.read_bytes()}, timeout=60)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["label"])

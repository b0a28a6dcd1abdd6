"""Folders of pictures, drawn here: bars that lie or stand, in a colour of their own."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model_export.images.config import ImageConfig
from model_export.images.folder import list_pictures
from model_export.images.prepare import Prepared, prepare
from model_export.images.reading import PictureSpec
from model_export.images.training import train_on_pictures

SPEC = PictureSpec(28, 28, 1, 0)
TINY = ImageConfig(epochs=2, batch_size=16, averaging=0.5, seed=1)


def draw_bars(folder: Path, count: int, seed: int = 0) -> Path:
    """Write so many pictures of lying and as many of standing bars."""
    random = np.random.default_rng(seed)
    for label in ("lying", "standing"):
        (folder / label).mkdir(parents=True)
        for number in range(count):
            pixels = random.integers(0, 40, (28, 28), np.uint8)
            x, y = random.integers(8, 18, 2)
            length, width = (9, 2) if label == "standing" else (2, 9)
            pixels[y - length // 2 : y + length, x - width // 2 : x + width] = 220
            Image.fromarray(pixels).save(folder / label / f"{number:03}.png")
    return folder


@pytest.fixture(scope="session")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_bars(tmp_path_factory.mktemp("pictures") / "bars", 40)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, bars: Path) -> Prepared:
    """A run that has gone to its end."""
    folder = tmp_path_factory.mktemp("runs") / "bars"
    prepared = prepare(list_pictures(bars), SPEC, folder)
    train_on_pictures(prepared, TINY)
    return prepared

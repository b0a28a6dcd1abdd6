"""Where the models are, and settings that no environment disturbs."""

import os
from pathlib import Path

import pytest

from tests.service.digits import Digits, load_digits

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def models_folder() -> Path:
    """The shipped models, or those that STN_TEST_MODELS names."""
    folder = Path(os.environ.get("STN_TEST_MODELS", ROOT / "models"))
    assert folder.is_dir(), f"there are no models in {folder}"
    return folder


@pytest.fixture(scope="session")
def digits() -> Digits:
    return load_digits()


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the person who runs the tests has set must not change what is tested."""
    for name in os.environ:
        if name.startswith("STN_") and not name.startswith("STN_TEST_"):
            monkeypatch.delenv(name)

"""The embedded backend: what it brings into the gateway's process."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

_BEGIN = """
import asyncio, sys
from pathlib import Path
import numpy as np
from service.backend import Call
from service.embedded import EmbeddedBackend
from tests.versions import SHIPPED

DIGITS = {"images": np.zeros((1, 42, 42, 1), np.uint8)}
PREDICTION = Call("stn", SHIPPED, "predict", DIGITS, ("probabilities",))

def warp_of(side):
    photo = {
        "images": np.zeros((1, side, side, 3), np.uint8),
        "theta": np.array([[1, 0, 0, 0, 1, 0]], np.float32),
        "output_size": np.array([side, side], np.int32),
    }
    return Call("warp", 1, "warp_uint8_zeros_bilinear", photo, ("warped",))

async def start():
    backend = EmbeddedBackend(Path("models"), ("stn", "warp"))
    await backend.start()
    return backend
"""
_SERVE_ONE_OF_EACH = f"""{_BEGIN}
async def serve():
    backend = await start()
    await backend.run(PREDICTION, 0.0)
    await backend.run(warp_of(4), 0.0)
    await backend.close()

asyncio.run(serve())
"""
_PREDICT_DURING_A_WARP = f"""{_BEGIN}
async def serve():
    backend = await start()
    await backend.run(PREDICTION, 0.0)
    await backend.run(warp_of(4), 0.0)
    warp = asyncio.create_task(backend.run(warp_of(4000), 0.0))
    predictions = 0
    while not warp.done():
        await backend.run(PREDICTION, 0.0)
        predictions += 1
    print(predictions)
    await backend.close()

asyncio.run(serve())
"""


def _run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """The modules in a fresh interpreter after a prediction and a warp."""
    return set(_run(_SERVE_ONE_OF_EACH + "print(*sys.modules)").split())


def test_it_loads_what_runs_a_model_and_nothing_that_trains_one(loaded: set[str]) -> None:
    assert "tensorflow.python.client.session" in loaded
    assert not loaded & {"keras", "scipy", "h5py", "matplotlib", "tensorflow"}


def test_whoever_imports_tensorflow_afterwards_gets_all_of_it() -> None:
    use = "import tensorflow as tf; print(int(tf.reduce_sum(tf.keras.ops.ones((2, 2)))))"
    assert _run(_SERVE_ONE_OF_EACH + use).strip() == "4"


def test_it_runs_beside_a_tensorflow_that_is_already_there() -> None:
    _run("import tensorflow as tf; tf.constant(1)\n" + _SERVE_ONE_OF_EACH)


def test_a_large_warp_holds_up_no_prediction() -> None:
    """It takes as long as a thousand of them; one after the other, a few would come first."""
    assert int(_run(_PREDICT_DURING_A_WARP)) > 100

"""A look at an export as a server will see it, before it gets its name."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from model_export.card import WARP_KEYS
from model_export.data import load_sample
from model_export.distortion import fixed_set
from model_export.predictors import keras_predictor
from model_export.reasons import first_line
from model_export.session_model import SessionModel
from model_export.undo import PromotionError
from model_export.warp_graph import INTERPOLATIONS, PADDINGS

TOLERANCE = 1e-5
V1_LOADER = "v1 loader"
# Ops that need the Python that exported them.
_FOREIGN_OPS = {"PyFunc", "PyFuncStateless", "EagerPyFunc", "NumpyFunction"}

Run = Callable[..., dict[str, np.ndarray]]


class ExportRefusedError(RuntimeError):
    """What was written would fail in a model server, or answer otherwise than the model."""


def verify_classifier(
    folder: Path,
    model: Any,
    samples: np.ndarray | None = None,
    own_probabilities: np.ndarray | None = None,
) -> None:
    """Check an exported classifier against the Keras model it comes from, through both loaders.

    Args:
        folder: of the version.
        model: see `subject.ServedModel`.
        samples: uint8 `(num, height, width, channels)`; distorted digits when left out.
        own_probabilities: see `subject.Subject`; what `model` gives when left out.

    Raises:
        ExportRefusedError: it does not load, or answers otherwise.
    """
    if samples is None:
        samples = fixed_set(load_sample().test_images[:4])[0][..., np.newaxis]
    images = np.resize(samples, (4, *samples.shape[1:]))
    expected = keras_predictor(model)(images)
    if own_probabilities is not None:
        expected["probabilities"] = np.resize(own_probabilities, (4, own_probabilities.shape[1]))

    def check(loader: str, run: Run) -> None:
        for part in (slice(0, 1), slice(1, 4)):
            outputs = run("predict", images=images[part])
            for name, values in expected.items():
                _compare(f"{loader}: '{name}'", outputs.get(name), values[part])
        default = run("serving_default", images=images[:1])
        _compare(f"{loader}: serving_default", default["theta"], expected["theta"][:1])

    _through_both_loaders(folder, check)


def verify_warp(folder: Path) -> None:
    """Check an exported warp: in every signature the identity is exact, and a NaN gives zeros.

    Raises:
        ExportRefusedError: it does not load, lacks a part of the contract, or answers otherwise.
    """
    pixels = np.random.default_rng(0).integers(1, 256, (2, 5, 7, 3))
    identity = np.array([[1, 0, 0, 0, 1, 0]], np.float32)
    size = np.array([5, 7], np.int32)
    endings = ["", *(f"_{p}_{i}" for p in PADDINGS for i in INTERPOLATIONS)]

    def check(loader: str, run: Run) -> None:
        for name, dtype in (("warp", np.float32), ("warp_uint8", np.uint8)):
            images = pixels.astype(dtype)
            # The second loader shares the graphs that all have run in the first.
            for signature in (name + e for e in (endings if loader == V1_LOADER else [""])):
                call = {"images": images, "output_size": size}
                same = run(signature, theta=identity, **call)["warped"]
                none = run(signature, theta=np.full_like(identity, np.nan), **call)["warped"]
                if same.dtype != dtype or not np.array_equal(same, images):
                    raise ExportRefusedError(
                        f"{loader}: the identity of '{signature}' is not exact"
                    )
                if none.any():
                    raise ExportRefusedError(f"{loader}: '{signature}' of NaN is not zero")
        _check_card(loader, run("describe"), WARP_KEYS)

    _through_both_loaders(folder, check)


def _through_both_loaders(folder: Path, check: Callable[[str, Run], None]) -> None:
    """Call `check` with each loader's name and its way to call a signature; refuse what fails."""
    with refusing("the v1 loader in a Session"), SessionModel(folder) as session:
        check_ops(session)
        check(V1_LOADER, session.run)
    with refusing("tf.saved_model.load"):
        loaded = tf.saved_model.load(str(folder))

        def run(signature: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
            tensors = {name: tf.constant(value) for name, value in inputs.items()}
            outputs = loaded.signatures[signature](**tensors)
            return {name: value.numpy() for name, value in outputs.items()}

        check("tf.saved_model.load", run)


@contextmanager
def refusing(loader: str) -> Iterator[None]:
    """Turn what TensorFlow raises for a bad export into `ExportRefusedError`."""
    try:
        yield
    except (ExportRefusedError, PromotionError):
        raise
    # TensorFlow's own, and what its loaders raise besides.
    except (tf.errors.OpError, RuntimeError, OSError, KeyError, TypeError, ValueError) as error:
        raise ExportRefusedError(
            f"the export fails in {loader}: {type(error).__name__}: {first_line(error)}"
        ) from error


def check_ops(model: SessionModel) -> None:
    """Refuse a graph that no model server can run, though it can be loaded here.

    Raises:
        ExportRefusedError: it calls Python, or insists on XLA.
    """
    definition = model.meta_graph.graph_def
    nodes = [*definition.node, *(n for f in definition.library.function for n in f.node_def)]
    if foreign := {node.op for node in nodes} & _FOREIGN_OPS:
        raise ExportRefusedError(
            f"the graph calls back into Python ({', '.join(sorted(foreign))}), which a model "
            "server has not. Use TensorFlow operations instead."
        )
    if any(node.attr["_XlaMustCompile"].b for node in nodes if "_XlaMustCompile" in node.attr):
        raise ExportRefusedError(
            "the graph insists on XLA (jit_compile=True), which model servers have switched off"
        )


def _check_card(loader: str, described: dict[str, np.ndarray], keys: set[str]) -> None:
    card = json.loads(np.asarray(described["card"]).item())
    if missing := keys - set(card):
        raise ExportRefusedError(f"{loader}: the card lacks {', '.join(sorted(missing))}")


def _compare(what: str, got: np.ndarray | None, expected: np.ndarray) -> None:
    if got is None or (got.dtype, got.shape) != (expected.dtype, expected.shape):
        found = "nothing" if got is None else f"{got.dtype} {got.shape}"
        raise ExportRefusedError(f"{what} must be {expected.dtype} {expected.shape}; got {found}")
    # Written so that a NaN, on either side, is refused.
    difference = np.abs(got - expected).max()
    if not difference <= TOLERANCE:
        raise ExportRefusedError(
            f"{what} differs from the Keras model by {difference:.3g}; at most "
            f"{TOLERANCE:g} is rounding"
        )

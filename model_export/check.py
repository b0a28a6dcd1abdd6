"""Conformance: what an exported version folder must hold."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from model_export.golden import TOLERANCE as GOLDEN_TOLERANCE
from model_export.golden import compare_golden, read_golden
from model_export.serving_contract import check_contract
from model_export.session_model import SessionModel
from model_export.verify import (
    TOLERANCE,
    ExportRefusedError,
    check_ops,
    refusing,
    verify_warp,
)
from model_export.warmup import read_warmup, replay

Outputs = Mapping[str, np.ndarray]
Ask = Callable[..., Outputs]

BATCHES = (1, 2, 5, 32)


def check_version(folder: Path) -> Iterator[str]:
    """Check a version folder, and give a sentence for each thing that holds.

    Args:
        folder: with `saved_model.pb`, and in `assets.extra` the warm-up file and golden answers.

    Raises:
        ExportRefusedError: the first thing that does not hold, or a part is missing or damaged.
        PromotionError: it does not honour the contract, or its golden answers are not given.
    """
    with refusing("its warm-up file"):
        requests = read_warmup(folder)
    with refusing("the v1 loader in a Session"), SessionModel(folder) as model:
        check_ops(model)
        check_contract(model.signatures, model.run)
        yield "the v1 loader takes it; signatures and description are complete"
        is_classifier = "predict" in model.signatures
        if is_classifier:
            with refusing("its warm-up file"):
                images = _pictures(requests, model)
            _check_rows(model.run, images)
            yield (
                f"batches of {', '.join(map(str, BATCHES))} are answered, and each picture alone "
                f"as among 32, to {TOLERANCE:g}"
            )
            _check_default(model, images[:4])
            _check_describe_batched(model)
            yield (
                "'describe_batched' gives each row what 'describe' gives, and 'serving_default' "
                "what 'predict' gives"
            )
        with refusing("its golden answers"):
            golden = read_golden(folder)
        with refusing("the replay of its warm-up file"):
            answers = replay(requests, model)
        largest = compare_golden(golden, answers)
        yield (
            f"{len(requests)} warm-up requests are answered as at the export, off by at most "
            f"{largest:.1g} (up to {GOLDEN_TOLERANCE:g} is rounding)"
        )
        if is_classifier:
            with _other_loader(folder) as run:
                _check_same(model.run, run, images[:4])
            yield "tf.saved_model.load takes it, and gives the same answers"
    if not is_classifier:
        verify_warp(folder)
        yield (
            "tf.saved_model.load takes it; in every signature the identity is exact, and a theta "
            "of NaN gives zeros"
        )


def _pictures(requests: Sequence[PredictRequest], model: SessionModel) -> np.ndarray:
    """Thirty-two pictures: those of the warm-up file, black, white and noise."""
    shape = [d.size for d in model.signatures["predict"].inputs["images"].tensor_shape.dim][1:]
    known = [
        tf.make_ndarray(request.inputs["images"])
        for request in requests
        if request.model_spec.signature_name == "predict"
    ]
    noise = np.random.default_rng(0).integers(0, 256, (6, *shape), np.uint8)
    plain = np.stack([np.full(shape, value, np.uint8) for value in (0, 255)])
    return np.resize(np.concatenate([plain, noise, *known])[:32], (32, *shape))


def _check_rows(run: Ask, images: np.ndarray) -> None:
    together = run("predict", images=images)
    for name, values in together.items():
        if not np.isfinite(values).all():
            raise ExportRefusedError(f"'{name}' of black, white or noise is not finite")
    sums = together["probabilities"].sum(axis=1)
    if np.abs(sums - 1).max() > 1e-3 or together["probabilities"].min() < 0:
        raise ExportRefusedError("the probabilities of a picture do not sum to 1")
    for size in BATCHES:
        first = 0 if size == 32 else 3
        some = run("predict", images=images[first : first + size])
        for name, values in together.items():
            _compare(f"'{name}' in a batch of {size}", some[name], values[first : first + size])
    for index in range(len(images)):
        alone = run("predict", images=images[index : index + 1])
        for name, values in together.items():
            _compare(f"'{name}' of a picture alone", alone[name], values[index : index + 1])


def _check_default(model: SessionModel, images: np.ndarray) -> None:
    # As a server sees it: the other loader has signatures from elsewhere.
    if "serving_default" not in model.signatures:
        raise ExportRefusedError("it has no signature 'serving_default'")
    if inputs := set(model.signatures["serving_default"].inputs) ^ {"images"}:
        raise ExportRefusedError(
            f"'serving_default' must take 'images' alone; not {sorted(inputs)}"
        )
    got = model.run("serving_default", images=images)
    for name, values in model.run("predict", images=images).items():
        if name not in got:
            raise ExportRefusedError(f"'serving_default' gives no {name!r}, only {sorted(got)}")
        _compare(f"'{name}' of 'serving_default'", got[name], values)


def _check_describe_batched(model: SessionModel) -> None:
    if "describe_batched" not in model.signatures:
        raise ExportRefusedError(
            "it has no signature 'describe_batched', which a server that batches is asked for"
        )
    described = model.run("describe")
    batched = model.run("describe_batched", rows=np.zeros(3, np.uint8))
    for name, value in described.items():
        if not np.array_equal(batched[name], np.stack([value] * 3)):
            raise ExportRefusedError(f"'describe_batched' differs from 'describe' in '{name}'")


def _check_same(run: Ask, other: Ask, images: np.ndarray) -> None:
    described = other("describe")
    for name, value in run("describe").items():
        if not np.array_equal(described[name], value):
            raise ExportRefusedError(f"tf.saved_model.load: '{name}' of 'describe' differs")
    wanted = run("predict", images=images)
    for signature in ("predict", "serving_default"):
        got = other(signature, images=images)
        for name, values in wanted.items():
            what = f"tf.saved_model.load: '{name}' of '{signature}'"
            _compare(what, got[name], values)


@contextmanager
def _other_loader(folder: Path) -> Iterator[Ask]:
    with refusing("tf.saved_model.load"):
        signatures = tf.saved_model.load(str(folder)).signatures

        def run(signature: str, **inputs: np.ndarray) -> Outputs:
            tensors = {name: tf.constant(value) for name, value in inputs.items()}
            return {name: v.numpy() for name, v in signatures[signature](**tensors).items()}

        yield run


def _compare(what: str, got: np.ndarray, expected: np.ndarray) -> None:
    if got.shape != expected.shape:
        raise ExportRefusedError(f"{what} has shape {got.shape}; it must be {expected.shape}")
    # Written so that a NaN is refused.
    difference = np.abs(got - expected).max()
    if not difference <= TOLERANCE:
        raise ExportRefusedError(
            f"{what} is off by {difference:.3g}; at most {TOLERANCE:g} is rounding"
        )

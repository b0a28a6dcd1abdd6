"""An answer of the model that is not what it should be is never passed on."""

from typing import Any

import numpy as np
import pytest

from service.contract import (
    ALL_OUTPUTS,
    Classifier,
    Warper,
    check_prediction,
    check_warped,
    read_classifier,
)
from service.errors import ContractBroken
from tests.service.fakes import classifier_signatures, described

MODEL: Classifier = read_classifier("stn", 1, classifier_signatures(), described())
WARPER = Warper("warp", 1, {})


def good(batch: int = 2) -> dict[str, np.ndarray]:
    return {
        "probabilities": np.full((batch, 3), 1 / 3, np.float32),
        "theta": np.zeros((batch, 6), np.float32),
        "warped": np.zeros((batch, 2, 3, 1), np.float32),
    }


def changed(name: str, place: tuple[int, ...], value: float) -> dict[str, np.ndarray]:
    outputs = good()
    outputs[name][place] = value
    return outputs


def test_a_good_answer_passes() -> None:
    check_prediction(MODEL, good(), ALL_OUTPUTS, 2)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "probabilities missing": ({k: v for k, v in good().items() if k != "probabilities"}, "missing"),
    "theta missing": ({k: v for k, v in good().items() if k != "theta"}, "'theta' is missing"),
    "warped missing": ({k: v for k, v in good().items() if k != "warped"}, "missing"),
    "too few rows": (good(1), "instead of float32 (2, 3)"),
    "too many rows": (good(3), "instead of float32 (2, 3)"),
    "float64": ({**good(), "theta": np.zeros((2, 6))}, "came as float64"),
    "float16": ({**good(), "warped": np.zeros((2, 2, 3, 1), np.float16)}, "came as float16"),
    "shape": ({**good(), "theta": np.zeros((2, 2, 3), np.float32)}, "(2, 2, 3)"),
    "swapped sides": ({**good(), "warped": np.zeros((2, 3, 2, 1), np.float32)}, "(2, 3, 2, 1)"),
    "NaN probability": (changed("probabilities", (1, 2), np.nan), "not finite"),
    "NaN theta": (changed("theta", (0, 5), np.nan), "theta holds numbers that are not finite"),
    "infinite theta": (changed("theta", (0, 5), np.inf), "not finite"),
    "NaN pixel": (changed("warped", (1, 1, 2, 0), np.nan), "not finite"),
    "sum too high": (changed("probabilities", (1, 0), 0.34), "do not sum to 1"),
    "sum too low": (changed("probabilities", (0, 0), 0.32), "do not sum to 1"),
    "negative": (
        {**good(), "probabilities": np.array([[1.2, -0.2, 0], [1, 0, 0]], np.float32)},
        "",
    ),
    "logits": (
        {**good(), "probabilities": np.array([[5, -3, -1], [2, 0, 1]], np.float32)},
        "",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_answer_is_refused(name: str) -> None:
    outputs, sentence = BAD[name]

    with pytest.raises(ContractBroken) as caught:
        check_prediction(MODEL, outputs, ALL_OUTPUTS, 2)

    assert sentence in caught.value.detail


@pytest.mark.parametrize("count", [0, 1, 2])
def test_infinities_that_cancel_out_are_seen(count: int) -> None:
    """The sum of plus and minus infinity is NaN, of two infinities infinite: neither is finite."""
    outputs = good()
    outputs["theta"][0, :2] = (np.inf, -np.inf)[:count] + (0.0,) * (2 - count)

    if count == 0:
        check_prediction(MODEL, outputs, ALL_OUTPUTS, 2)
    else:
        with pytest.raises(ContractBroken):
            check_prediction(MODEL, outputs, ALL_OUTPUTS, 2)


@pytest.mark.parametrize(
    ("warped", "sentence"),
    [
        (np.zeros((1, 4, 5, 3), np.float32), "came as float32"),
        (np.zeros((1, 5, 4, 3), np.uint8), "(1, 5, 4, 3) instead of uint8 (1, 4, 5, 3)"),
        (np.zeros((4, 5, 3), np.uint8), "(4, 5, 3)"),
    ],
)
def test_a_bad_warped_image_is_refused(warped: np.ndarray, sentence: str) -> None:
    with pytest.raises(ContractBroken) as caught:
        check_warped(WARPER, {"warped": warped}, (1, 4, 5, 3), "uint8")

    assert sentence in caught.value.detail


def test_a_warped_image_with_nan_is_refused() -> None:
    with pytest.raises(ContractBroken, match="not finite"):
        check_warped(
            WARPER, {"warped": np.full((1, 2, 2, 1), np.nan, np.float32)}, (1, 2, 2, 1), "float32"
        )


def test_a_missing_warped_image_is_refused() -> None:
    with pytest.raises(ContractBroken, match="'warped' is missing"):
        check_warped(WARPER, {}, (1, 2, 2, 1), "float32")

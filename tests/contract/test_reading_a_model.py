"""The gateway names each way in which a model is not what it needs."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from service.backend import SignatureSpec, TensorSpec
from service.contract import read_classifier, read_warper
from service.errors import ContractBroken
from tests.service.fakes import (
    CLASSIFIER_CARD,
    LABELS,
    WARPER_CARD,
    classifier_signatures,
    described,
    warper_signatures,
)

Signatures = dict[str, SignatureSpec]
Change = Callable[[Signatures], None]


def test_a_good_classifier_is_read() -> None:
    """Sizes, classes and background come out of the running model."""
    model = read_classifier("stn", 7, classifier_signatures(), described())

    assert (model.servable, model.version) == ("stn", 7)
    assert (model.input.height, model.input.width, model.input.channels) == (4, 6, 1)
    assert model.input.background == 0
    assert model.output_size == (2, 3)
    assert model.num_theta == 6
    assert model.labels == LABELS
    assert model.card == CLASSIFIER_CARD


def test_dark_on_light_has_a_white_background() -> None:
    card = {"input": {"polarity": "dark_on_light"}}

    assert (
        read_classifier("stn", 1, classifier_signatures(), described(card)).input.background == 255
    )


def test_a_good_warper_is_read() -> None:
    model = read_warper("warp", 2, warper_signatures(), described(WARPER_CARD))

    assert (model.servable, model.version, model.card) == ("warp", 2, WARPER_CARD)


def without_signature(name: str) -> Change:
    return lambda signatures: signatures.__delitem__(name)


def without(signature: str, side: str, tensor: str) -> Change:
    def change(signatures: Signatures) -> None:
        tensors = dict(getattr(signatures[signature], side))
        del tensors[tensor]
        signatures[signature] = replace(signatures[signature], **{side: tensors})

    return change


def with_spec(signature: str, side: str, tensor: str, dtype: str, *shape: int) -> Change:
    def change(signatures: Signatures) -> None:
        tensors = {**getattr(signatures[signature], side), tensor: TensorSpec(dtype, shape)}
        signatures[signature] = replace(signatures[signature], **{side: tensors})

    return change


CLASSIFIER_FAULTS: list[tuple[Change, str]] = [
    (without_signature("predict"), "no signature 'predict'; it has describe"),
    (without("predict", "inputs", "images"), "no tensor 'images'; it has none"),
    (without("predict", "outputs", "theta"), "no tensor 'theta'; it has probabilities, warped"),
    (without("predict", "outputs", "probabilities"), "no tensor 'probabilities'"),
    (without("predict", "outputs", "warped"), "no tensor 'warped'"),
    (with_spec("predict", "inputs", "images", "float32", -1, 4, 6, 1), "images is float32"),
    (with_spec("predict", "inputs", "images", "uint8", -1, 4, 6), "must be uint8 of rank 4"),
    (with_spec("predict", "inputs", "images", "uint8", 8, 4, 6, 1), "needs an open batch"),
    (with_spec("predict", "inputs", "images", "uint8", -1, -1, 6, 1), "a fixed height and width"),
    (with_spec("predict", "inputs", "images", "uint8", -1, 4, 6, 2), "1 or 3 channels"),
    (with_spec("predict", "outputs", "probabilities", "float32", -1, 4), "has 4 classes, describe"),
    (
        with_spec("predict", "outputs", "probabilities", "float64", -1, 3),
        "probabilities is float64",
    ),
    (with_spec("predict", "outputs", "theta", "float32", -1, 2, 3), "theta is float32 of shape"),
    (with_spec("predict", "outputs", "warped", "uint8", -1, 2, 3, 1), "warped is uint8"),
]


@pytest.mark.parametrize(
    ("change", "sentence"), CLASSIFIER_FAULTS, ids=[s for _, s in CLASSIFIER_FAULTS]
)
def test_a_classifier_that_differs_is_refused_with_the_difference(
    change: Change, sentence: str
) -> None:
    signatures = classifier_signatures()
    change(signatures)

    with pytest.raises(ContractBroken) as caught:
        read_classifier("stn", 3, signatures, described())

    assert "stn version 3 breaks the contract" in caught.value.detail
    assert sentence in caught.value.detail


DESCRIPTION_FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("nothing", {}, "'labels' is missing"),
    ("no card", {"labels": described()["labels"]}, "'card' is missing"),
    ("no labels", {"card": described()["card"]}, "'labels' is missing"),
    ("text", {**described(), "card": np.array(b"{", object)}, "not a JSON object"),
    ("list", {**described(), "card": np.array(b"[1]", object)}, "not a JSON object"),
    ("empty card", dict(described({})), "polarity is None"),
    ("odd polarity", dict(described({"input": {"polarity": []}})), "polarity is []"),
    ("polarity", dict(described({"input": {"polarity": "pink"}})), "polarity is 'pink'"),
    ("input", dict(described({"input": []})), "polarity"),
    ("two labels", dict(described(labels=("a", "b"))), "3 classes, describe names 2 labels"),
    ("empty tensor", {**described(), "card": np.array([], object)}, "not a JSON object"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "sentence"),
    [(given, sentence) for _, given, sentence in DESCRIPTION_FAULTS],
    ids=[name for name, _, _ in DESCRIPTION_FAULTS],
)
def test_a_classifier_that_describes_itself_wrongly_is_refused(
    given: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ContractBroken) as caught:
        read_classifier("stn", 3, classifier_signatures(), given)

    assert sentence in caught.value.detail


@pytest.mark.parametrize("name", sorted(set(warper_signatures()) - {"describe"}))
def test_a_warper_needs_every_signature(name: str) -> None:
    """Each padding with each interpolation, for bytes and for floats."""
    signatures = warper_signatures()
    del signatures[name]

    with pytest.raises(ContractBroken, match=f"no signature '{name}'"):
        read_warper("warp", 1, signatures, described())


NAME = "warp_uint8_zeros_bilinear"
WARPER_FAULTS: list[tuple[Change, str]] = [
    (without(NAME, "inputs", "images"), "no tensor 'images'"),
    (without(NAME, "inputs", "theta"), "no tensor 'theta'"),
    (without(NAME, "inputs", "output_size"), "no tensor 'output_size'"),
    (without(NAME, "outputs", "warped"), "no tensor 'warped'"),
    (with_spec(NAME, "inputs", "images", "float32", -1, -1, -1, -1), "images is float32"),
    (with_spec(NAME, "inputs", "theta", "float32", -1, 2, 3), "theta is float32 of shape"),
    (with_spec(NAME, "inputs", "output_size", "int64", 2), "output_size is int64"),
    (with_spec(NAME, "outputs", "warped", "float32", -1, -1, -1, -1), "warped is float32"),
]


@pytest.mark.parametrize(("change", "sentence"), WARPER_FAULTS, ids=[s for _, s in WARPER_FAULTS])
def test_a_warper_that_differs_is_refused_with_the_difference(
    change: Change, sentence: str
) -> None:
    signatures = warper_signatures()
    change(signatures)

    with pytest.raises(ContractBroken) as caught:
        read_warper("warp", 3, signatures, described(WARPER_CARD))

    assert "warp version 3 breaks the contract" in caught.value.detail
    assert sentence in caught.value.detail

"""What the gateway needs of a model, and whether a model offers it.

Shapes, labels and the model card come out of the running model itself: there is no file that
gateway and exporter share. What is missing is said in a sentence that names the difference.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from service.backend import Arrays, SignatureSpec, TensorSpec
from service.errors import ContractBroken
from service.images import InputSpec
from service.options import INTERPOLATIONS, PADDINGS

PROBABILITY_OUTPUTS = ("probabilities", "theta")
ALL_OUTPUTS = (*PROBABILITY_OUTPUTS, "warped")
AFFINE_PARAMETERS = 6

_BACKGROUNDS = {"light_on_dark": 0, "dark_on_light": 255}


@dataclass(frozen=True, eq=False)
class Classifier:
    """A version of a classifier that honours the contract; equal only to itself.

    Attributes:
        servable: its name.
        version: its number.
        input: what `images` must be.
        output_size: `(height, width)` of the warped image.
        num_theta: how many numbers theta has.
        labels: of the classes, in order.
        card: the model card, as the exporter wrote it.
    """

    servable: str
    version: int
    input: InputSpec
    output_size: tuple[int, int]
    num_theta: int
    labels: tuple[str, ...]
    card: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Warper:
    """A version of the transformer alone that honours the contract."""

    servable: str
    version: int
    card: Mapping[str, Any]


def warp_signature(dtype: str, padding: str, interpolation: str) -> str:
    """Return the name of the signature that warps so: `warp_uint8_zeros_bilinear`, say."""
    return f"{'warp_uint8' if dtype == 'uint8' else 'warp'}_{padding}_{interpolation}"


def read_classifier(
    servable: str, version: int, signatures: Mapping[str, SignatureSpec], described: Arrays
) -> Classifier:
    """Check a classifier's signatures and description.

    Raises:
        ContractBroken: something differs; the sentence says what.
    """
    expect = _Expectation(servable, version)
    predict = expect.signature(signatures, "predict")
    images = expect.tensor(predict.inputs, "images", "uint8", rank=4)
    probabilities = expect.tensor(predict.outputs, "probabilities", "float32", rank=2)
    theta = expect.tensor(predict.outputs, "theta", "float32", rank=2)
    warped = expect.tensor(predict.outputs, "warped", "float32", rank=4)
    height, width, channels = images.shape[1:]
    expect.that(
        images.shape[0] == -1 and min(height, width) > 0 and channels in (1, 3),
        f"images has shape {images.shape}; it needs an open batch, a fixed height and width, and "
        "1 or 3 channels",
    )
    labels = tuple(_text(label) for label in np.ravel(expect.output(described, "labels")))
    expect.that(
        probabilities.shape[1] == len(labels),
        f"probabilities has {probabilities.shape[1]} classes, describe names {len(labels)} labels",
    )
    card = expect.card(described)
    described_input = card.get("input")
    polarity = described_input.get("polarity") if isinstance(described_input, dict) else None
    expect.that(
        isinstance(polarity, str) and polarity in _BACKGROUNDS,
        f"the card's input polarity is {polarity!r}; it must be one of {', '.join(_BACKGROUNDS)}",
    )
    return Classifier(
        servable=servable,
        version=version,
        input=InputSpec(height, width, channels, _BACKGROUNDS[str(polarity)]),
        output_size=(warped.shape[1], warped.shape[2]),
        num_theta=theta.shape[1],
        labels=labels,
        card=card,
    )


def read_warper(
    servable: str, version: int, signatures: Mapping[str, SignatureSpec], described: Arrays
) -> Warper:
    """Check the transformer's signatures and description.

    Raises:
        ContractBroken: something differs; the sentence says what.
    """
    expect = _Expectation(servable, version)
    for dtype in ("uint8", "float32"):
        for padding in PADDINGS:
            for interpolation in INTERPOLATIONS:
                name = warp_signature(dtype, padding, interpolation)
                signature = expect.signature(signatures, name)
                expect.tensor(signature.inputs, "images", dtype, rank=4)
                expect.tensor(signature.inputs, "theta", "float32", rank=2)
                expect.tensor(signature.inputs, "output_size", "int32", rank=1)
                expect.tensor(signature.outputs, "warped", dtype, rank=4)
    return Warper(servable, version, expect.card(described))


def check_prediction(
    model: Classifier, outputs: Arrays, wanted: tuple[str, ...], batch: int
) -> None:
    """Check an answer of a classifier: names, types, shapes, finite, probabilities that sum to 1.

    Raises:
        ContractBroken: something differs; the answer must not be passed on.
    """
    expect = _Expectation(model.servable, model.version)
    spec = model.input
    shapes = {
        "probabilities": (batch, len(model.labels)),
        "theta": (batch, model.num_theta),
        "warped": (batch, *model.output_size, spec.channels),
    }
    for name in wanted:
        value = expect.output(outputs, name)
        expect.that(
            value.dtype == np.float32 and value.shape == shapes[name],
            f"{name} came as {value.dtype} {value.shape} instead of float32 {shapes[name]}",
        )
        expect.that(bool(np.isfinite(value).all()), f"{name} holds numbers that are not finite")
    probabilities = outputs["probabilities"]
    expect.that(
        probabilities.min() >= 0 and bool((np.abs(probabilities.sum(axis=1) - 1) < 1e-3).all()),
        "the probabilities do not sum to 1",
    )


def check_warped(model: Warper, outputs: Arrays, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Check an answer of the transformer, and return its image.

    Raises:
        ContractBroken: its type or shape is not what was asked for, or it is not finite.
    """
    expect = _Expectation(model.servable, model.version)
    warped = expect.output(outputs, "warped")
    expect.that(
        warped.dtype == dtype and warped.shape == shape,
        f"warped came as {warped.dtype} {warped.shape} instead of {dtype} {shape}",
    )
    if dtype == "float32":
        expect.that(bool(np.isfinite(warped).all()), "warped holds numbers that are not finite")
    return warped


class _Expectation:
    """Says what differs, and in which model."""

    def __init__(self, servable: str, version: int) -> None:
        self._model = f"{servable} version {version}"

    def that(self, holds: bool, difference: str) -> None:
        if not holds:
            raise ContractBroken(f"{self._model} breaks the contract: {difference}")

    def signature(self, signatures: Mapping[str, SignatureSpec], name: str) -> SignatureSpec:
        if name not in signatures:
            found = ", ".join(sorted(signatures)) or "none"
            self.that(False, f"it has no signature {name!r}; it has {found}")
        return signatures[name]

    def tensor(
        self, tensors: Mapping[str, TensorSpec], name: str, dtype: str, rank: int
    ) -> TensorSpec:
        if name not in tensors:
            found = ", ".join(sorted(tensors)) or "none"
            self.that(False, f"it has no tensor {name!r}; it has {found}")
        spec = tensors[name]
        self.that(
            spec.dtype == dtype and len(spec.shape) == rank,
            f"{name} is {spec.dtype} of shape {spec.shape}; it must be {dtype} of rank {rank}",
        )
        return spec

    def output(self, outputs: Arrays, name: str) -> np.ndarray:
        if name not in outputs:
            found = ", ".join(sorted(outputs)) or "none"
            self.that(False, f"the output {name!r} is missing; there is {found}")
        return outputs[name]

    def card(self, described: Arrays) -> dict[str, Any]:
        texts = np.ravel(self.output(described, "card"))
        try:
            card: Any = orjson.loads(_text(texts[0])) if texts.size else None
        except orjson.JSONDecodeError:
            card = None
        self.that(isinstance(card, dict), "its card is not a JSON object")
        return dict(card)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

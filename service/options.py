"""Options of a request: from loose text or JSON values to checked ones. Pure.

Options may come in the query, as form fields or as JSON members; here they are all the same.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import orjson

from service.errors import FieldError, InvalidOption, UnknownOption
from service.fitting import FIT_MODES, FitMode

Padding = Literal["zeros", "border", "reflection"]
Interpolation = Literal["bilinear", "nearest"]
PADDINGS = ("zeros", "border", "reflection")
INTERPOLATIONS = ("bilinear", "nearest")

Value = TypeVar("Value")
MAX_THETA = 1e6
_MAX_THETA_TEXT = 1000
# A request may carry thousands of names; the answer to them stays short.
_MAX_UNKNOWN_TOLD = 10


@dataclass(frozen=True)
class Selector:
    """Which version of a servable is asked for: by number, by label, or the latest."""

    version: int | None = None
    label: str | None = None


@dataclass(frozen=True)
class PredictOptions:
    """Options of `/predict`.

    Attributes:
        selector: version or label of the model.
        top_k: how many classes `top` lists; None for the default.
        fit: how the picture is laid on the model's input.
        invert: swap dark and light first.
        include_warped: answer with the warped image too.
    """

    selector: Selector = Selector()
    top_k: int | None = None
    fit: FitMode = "pad"
    invert: bool = False
    include_warped: bool = False


@dataclass(frozen=True)
class WarpOptions:
    """Options of `/warp`.

    Attributes:
        theta: float32 `(6,)`, the map from output to input coordinates.
        selector: version or label of the model.
        width: of the output in pixels; None for the input's.
        height: likewise.
        padding: what lies outside the picture.
        interpolation: how between pixels.
    """

    theta: np.ndarray
    selector: Selector = Selector()
    width: int | None = None
    height: int | None = None
    padding: Padding = "zeros"
    interpolation: Interpolation = "bilinear"


def read_predict_options(values: Mapping[str, Any]) -> PredictOptions:
    """Check the options of `/predict`.

    Raises:
        UnknownOption: there is no option of that name.
        InvalidOption: a value is out of range.
    """
    if not values:
        return _DEFAULT_PREDICT
    reader = _Reader(values, ("version", "label", "top_k", "fit", "invert", "include"))
    options = PredictOptions(
        selector=reader.selector(),
        top_k=reader.read("top_k", None, _positive, "a whole number from 1"),
        fit=reader.choice("fit", "pad", FIT_MODES),
        invert=reader.read("invert", False, _boolean, "true or false"),
        include_warped=reader.read("include", False, _include, "warped"),
    )
    reader.finish()
    return options


def read_warp_options(values: Mapping[str, Any]) -> WarpOptions:
    """Check the options of `/warp`.

    Raises:
        UnknownOption: there is no option of that name.
        InvalidOption: a value is out of range, or theta is missing.
    """
    names = ("version", "label", "theta", "width", "height", "padding", "interpolation")
    reader = _Reader(values, names)
    options = WarpOptions(
        theta=reader.theta(),
        selector=reader.selector(),
        width=reader.read("width", None, _positive, "a whole number of pixels from 1"),
        height=reader.read("height", None, _positive, "a whole number of pixels from 1"),
        padding=reader.choice("padding", "zeros", PADDINGS),
        interpolation=reader.choice("interpolation", "bilinear", INTERPOLATIONS),
    )
    reader.finish()
    return options


def read_fitting_options(values: Mapping[str, Any]) -> PredictOptions:
    """Check the options of pictures that come as tensors of bytes: fit and invert alone.

    Raises:
        UnknownOption: there is no option of that name.
        InvalidOption: a value is out of range.
    """
    _refuse_unknown(values, ("fit", "invert"))
    return read_predict_options(values)


def read_sampling_options(values: Mapping[str, Any]) -> tuple[Padding, Interpolation]:
    """Check how tensors are to be warped: padding and interpolation alone.

    Raises:
        UnknownOption: there is no option of that name.
        InvalidOption: a value is out of range.
    """
    reader = _Reader(values, ("padding", "interpolation"))
    padding: Padding = reader.choice("padding", "zeros", PADDINGS)
    interpolation: Interpolation = reader.choice("interpolation", "bilinear", INTERPOLATIONS)
    reader.finish()
    return padding, interpolation


_DEFAULT_PREDICT = PredictOptions()


class _Reader:
    """Reads options one by one and collects every complaint, so that all are told at once."""

    def __init__(self, values: Mapping[str, Any], names: tuple[str, ...]) -> None:
        _refuse_unknown(values, names)
        self._values = values
        self._errors: list[FieldError] = []

    def read(
        self,
        name: str,
        default: Value,
        parse: Callable[[Any], Value],
        expected: str,
    ) -> Value:
        if name not in self._values:
            return default
        try:
            return parse(self._values[name])
        except (ValueError, TypeError, OverflowError):
            self._errors.append(FieldError(name, describe(self._values[name]), expected))
            return default

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> Any:
        def parse(value: Any) -> str:
            if value not in choices:
                raise ValueError
            return str(value)

        return self.read(name, default, parse, " or ".join(choices))

    def selector(self) -> Selector:
        version = self.read("version", None, _positive, "a version number from 1")
        label = self.read("label", None, _label, "a label of 1 to 100 characters")
        if version is not None and label is not None:
            self._errors.append(FieldError("label", "a version and a label", "one of the two"))
        return Selector(version, label)

    def theta(self) -> np.ndarray:
        expected = "six finite numbers (two rows of three, output to input), each within 1e6"
        if "theta" not in self._values:
            self._errors.append(FieldError("theta", "nothing", expected))
            return np.zeros(6, np.float32)
        return self.read("theta", np.zeros(6, np.float32), _theta, expected)

    def finish(self) -> None:
        if self._errors:
            first = self._errors[0]
            raise InvalidOption(
                f"{first.field} must be {first.expected}; got {first.got}", tuple(self._errors)
            )


def _refuse_unknown(values: Mapping[str, Any], names: tuple[str, ...]) -> None:
    unknown = [name for name in values if name not in names]
    if unknown:
        known = ", ".join(names)
        raise UnknownOption(
            f"there is no option {describe(unknown[0])} here; the options are {known}",
            tuple(
                FieldError(describe(name), "an unknown option", known)
                for name in unknown[:_MAX_UNKNOWN_TOLD]
            ),
        )


def describe(value: Any, limit: int = 40) -> str:
    """Describe a value for an error message: its kind, or a short printable text, never more."""
    if isinstance(value, bool) or value is None:
        return orjson.dumps(value).decode()
    if isinstance(value, int | float):
        return f"{value:.6g}"
    if isinstance(value, str):
        shown = "".join(c if c.isprintable() else "?" for c in value[:limit])
        return f"'{shown}'" + (f" ... ({len(value)} characters)" if len(value) > limit else "")
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return f"a {type(value).__name__}"


def _positive(value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value < 2**63:
        raise ValueError
    return value


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "1", "false", "0"):
        return value in ("true", "1")
    raise ValueError


def _label(value: Any) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= 100 or not value.isprintable():
        raise ValueError
    return value


def _include(value: Any) -> bool:
    if value not in ("warped", ["warped"]):
        raise ValueError
    return True


def _theta(value: Any) -> np.ndarray:
    if isinstance(value, str):
        text = value.strip()
        if len(text) > _MAX_THETA_TEXT:
            raise ValueError
        value = orjson.loads(text) if text.startswith("[") else text.replace(",", " ").split()
    if not isinstance(value, list):
        raise ValueError
    if len(value) == 2 and all(isinstance(row, list) and len(row) == 3 for row in value):
        value = [*value[0], *value[1]]
    if len(value) != 6 or any(isinstance(v, list | bool | dict) or v is None for v in value):
        raise ValueError
    numbers = [float(v) for v in value]
    if not all(math.isfinite(v) and abs(v) <= MAX_THETA for v in numbers):
        raise ValueError
    return np.array(numbers, np.float32)

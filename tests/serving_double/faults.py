"""Faults on demand: what a server, a network or a model may do wrong."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from copy import copy
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

KINDS = {
    "slow": "answer `milliseconds` later",
    "hang": "answer when released, if ever",
    "die": "end the process, at once and without a word",
    "error": "fail with `code` and `message`",
    "unparsable": "answer bytes that are no message",
    "garbage": "fill the tensors with bytes that do not fit their shape",
    "nan": "fill floating tensors with NaN",
    "shape": "give tensors one row or element too many",
    "dtype": "give tensors as float64, or int32 where they were that",
    "missing": "leave outputs out",
    "version": "say that version `number` answered",
    "value": "answer `text` in string tensors and `number` in others",
    "metadata": "drop `output` from the signature, or give it shape `shape` or dtype `number`",
}


@dataclass
class Fault:
    """One thing that goes wrong.

    Attributes:
        kind: one of KINDS.
        method: of which call.
        times: how often; None until it is cleared.
        servable: only there.
        signature: only there; in metadata, only of this one.
        min_batch: only for calls with as many rows.
        first_pixel: only for calls in which an image begins with this value.
        output: only of this output, or input in metadata; None for all.
        milliseconds: of delay.
        code: of gRPC, by name.
        message: of the status.
        number: a version, a value or a dtype.
        text: for string tensors.
        shape: for metadata.
        released: ends the wait of a call that hangs.
    """

    kind: str
    method: str = "Predict"
    times: int | None = None
    servable: str | None = None
    signature: str | None = None
    min_batch: int = 0
    first_pixel: int | None = None
    output: str | None = None
    milliseconds: float = 0.0
    code: str = "UNAVAILABLE"
    message: str = "a fault on demand"
    number: int = 0
    text: str = ""
    shape: Sequence[int] | None = None
    released: "Future[None]" = field(default_factory=Future, init=False, compare=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no fault {self.kind!r}; there is {', '.join(KINDS)}")
        if self.kind == "metadata":
            self.method = "GetModelMetadata"

    @classmethod
    def read(cls, document: dict[str, Any]) -> "Fault":
        """Return a fault described by JSON."""
        unknown = set(document) - {field.name for field in fields(cls) if field.init}
        if unknown:
            raise ValueError(f"a fault has no {sorted(unknown)}")
        return cls(**document)


@dataclass(frozen=True)
class Occasion:
    """A call that a fault may befall."""

    method: str
    servable: str = ""
    signature: str = ""
    batch: int = 0
    first_pixels: frozenset[float] = frozenset()


class FaultBook:
    """The faults in force."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._released: Future[None] = Future()
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Bring a fault into force."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """End all faults; calls that hang already go on hanging."""
        with self._lock:
            self._faults.clear()

    def release(self) -> None:
        """Let the calls that hang go on; those to come hang as they would."""
        with self._lock:
            released, self._released = self._released, Future()
        released.set_result(None)

    def befall(self, occasion: Occasion) -> list[Fault]:
        """Return what goes wrong with a call, and count it."""
        with self._lock:
            found = [fault for fault in self._faults if _applies(fault, occasion)]
            for fault in found:
                if fault.times is not None:
                    fault.times -= 1
            self._faults = [fault for fault in self._faults if fault.times != 0]
            return [self._begun(fault) for fault in found]

    def _begun(self, fault: Fault) -> Fault:
        """Return a fault as it befalls one call: the next release is the one to end it."""
        begun = copy(fault)
        begun.released = self._released
        return begun


def _applies(fault: Fault, occasion: Occasion) -> bool:
    return (
        fault.method in ("*", occasion.method)
        and fault.servable in (None, occasion.servable)
        and (fault.kind == "metadata" or fault.signature in (None, occasion.signature))
        and occasion.batch >= fault.min_batch
        and (fault.first_pixel is None or fault.first_pixel in occasion.first_pixels)
    )


def spoil(name: str, array: np.ndarray, faults: Sequence[Fault]) -> np.ndarray | None:
    """Return an output as the faults leave it, None for not at all."""
    for fault in faults:
        if fault.output not in (None, name):
            continue
        if fault.kind == "missing":
            return None
        array = _spoil(array, fault)
    return array


def _spoil(array: np.ndarray, fault: Fault) -> np.ndarray:
    match fault.kind:
        case "nan" if array.dtype.kind == "f":
            return np.full_like(array, np.nan)
        case "shape":
            return np.concatenate([array, array[-1:]]) if array.ndim else np.stack([array] * 2)
        case "dtype" if array.dtype != object:
            return array.astype(np.int32 if array.dtype == np.float64 else np.float64)
        case "value" if array.dtype == object:
            return np.full_like(array, fault.text.encode())
        case "value":
            return np.full_like(array, fault.number)
        case _:
            return array


def spoil_message(proto: Any, name: str, faults: Sequence[Fault]) -> None:
    """Replace the contents of a TensorProto where a fault says garbage."""
    if any(fault.kind == "garbage" and fault.output in (None, name) for fault in faults):
        for field in ("float_val", "int_val", "int64_val", "string_val", "tensor_content"):
            proto.ClearField(field)
        proto.tensor_content = b"\xff\x00garbage"

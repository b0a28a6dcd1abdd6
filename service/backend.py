"""What the gateway needs of whoever runs the model: four calls.

The embedded backend runs SavedModels in this process; a model server runs them elsewhere. Nothing
above this interface knows which of the two answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class VersionStatus:
    """One version of a servable.

    Attributes:
        version: its number.
        state: as TensorFlow Serving names it: START, LOADING, AVAILABLE, UNLOADING or END.
        labels: names that point to it (`stable`, say).
        message: why it failed, when it did.
    """

    version: int
    state: str
    labels: tuple[str, ...] = ()
    message: str = ""


@dataclass(frozen=True)
class TensorSpec:
    """Name, type and shape of an input or output; -1 stands for an open dimension."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class SignatureSpec:
    """Inputs and outputs of a signature."""

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]


@dataclass(frozen=True)
class Call:
    """One call of a signature.

    Attributes:
        servable: name of the model.
        version: which one.
        signature: which of its signatures.
        inputs: tensors by name.
        outputs: the outputs wanted, by name.
        headers: what goes with the call to another process: the trace that it belongs to.
    """

    servable: str
    version: int
    signature: str
    inputs: Arrays
    outputs: Sequence[str]
    headers: Mapping[str, str] = field(default_factory=dict)


class Backend(Protocol):
    """Runs signatures of SavedModels.

    Attributes:
        name: what to call it in messages.
        is_remote: whether its calls travel, and so may fail where another would not.
        max_predict_calls: how many calls of a classifier at the same time are worth it.
        max_warp_calls: how many warps at the same time it takes.
    """

    name: str
    is_remote: bool
    max_predict_calls: int
    max_warp_calls: int

    async def start(self) -> None:
        """Make ready: load models, or open the channel."""

    async def close(self) -> None:
        """Let go of everything, calls in flight included."""

    async def versions(self, servable: str) -> Sequence[VersionStatus]:
        """Return the known versions.

        Raises:
            UnknownModel: there is no such servable.
            Unavailable: the model server does not answer.
        """

    async def resolve(self, servable: str, label: str) -> int:
        """Return the version that a label points to now.

        Raises:
            UnknownLabel: it points to none.
            Unavailable: the model server does not answer.
        """

    async def signatures(self, servable: str, version: int) -> Mapping[str, SignatureSpec]:
        """Return the signatures of a version.

        Raises:
            UnknownVersion: there is no such version.
            Unavailable: the model server does not answer.
        """

    async def run(self, call: Call, deadline: float) -> Arrays:
        """Run a signature and return the outputs wanted.

        Args:
            call: what to run.
            deadline: by the event loop's clock, in seconds.

        Raises:
            UnknownVersion: there is no such version.
            BatchRejected: the model refused these inputs.
            Unavailable: the model server does not answer.
            DeadlineExceeded: it did not answer in time.
        """

"""The smallest sensible requests: sent to a new version first, and then to the one in use."""

import itertools
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from service.backend import Arrays, Backend, Call
from service.contract import (
    ALL_OUTPUTS,
    PROBABILITY_OUTPUTS,
    Classifier,
    Warper,
    check_prediction,
    check_warped,
    warp_signature,
)
from service.errors import ContractBroken
from service.options import INTERPOLATIONS, PADDINGS

# At one a second, twelve forms are in use after two minutes.
_ROUNDS_OF_A_FORM = 10

Model_contra = TypeVar("Model_contra", contravariant=True)
Model = TypeVar("Model")


class Canary(Protocol[Model_contra]):
    """Sends one request to a version and checks the answer."""

    async def __call__(self, backend: Backend, model: Model_contra, deadline: float) -> None:
        """Send it.

        Raises:
            ServiceError: no answer came, or one that breaks the contract.
        """


@dataclass(frozen=True)
class Canaries(Generic[Model]):
    """The canaries of a kind of servable.

    Attributes:
        warm: one request of each form, for a new version, so that no caller waits for a first.
        check: one request, for the version in use.
    """

    warm: Canary[Model]
    check: Canary[Model]


async def predict_blank(
    backend: Backend,
    model: Classifier,
    deadline: float,
    outputs: tuple[str, ...] = PROBABILITY_OUTPUTS,
) -> None:
    """Classify an empty picture."""
    spec = model.input
    shape = (1, spec.height, spec.width, spec.channels)
    images = np.full(shape, spec.background, np.uint8)
    call = Call(model.servable, model.version, "predict", {"images": images}, outputs)
    check_prediction(model, await backend.run(call, deadline), outputs, batch=1)


async def predict_blank_each_way(backend: Backend, model: Classifier, deadline: float) -> None:
    """Classify an empty picture with each set of outputs that callers can ask for."""
    for outputs in (PROBABILITY_OUTPUTS, ALL_OUTPUTS):
        await predict_blank(backend, model, deadline, outputs)


class WarpIdentity:
    """Warps four pixels by the identity, which must return them; one way after the other.

    The first request to a signature can cost a backend half a second. With all of them at the start
    every start would be slow, and soon after it callers would share the machine with canaries; so
    they take turns, the commonest first, each for some rounds.
    """

    def __init__(self) -> None:
        forms = itertools.product(("uint8", "float32"), PADDINGS, INTERPOLATIONS)
        rounds = ([form] * _ROUNDS_OF_A_FORM for form in itertools.cycle(forms))
        self._forms = itertools.chain.from_iterable(rounds)

    async def __call__(self, backend: Backend, model: Warper, deadline: float) -> None:
        """Send the next one."""
        await _warp_identity(backend, model, deadline, *next(self._forms))


async def _warp_identity(
    backend: Backend,
    model: Warper,
    deadline: float,
    dtype: str,
    padding: str,
    interpolation: str,
) -> None:
    images = np.array([[10, 20], [30, 40]], dtype).reshape(1, 2, 2, 1)
    inputs: Arrays = {
        "images": images,
        "theta": np.array([[1, 0, 0, 0, 1, 0]], np.float32),
        "output_size": np.array([2, 2], np.int32),
    }
    signature = warp_signature(dtype, padding, interpolation)
    call = Call(model.servable, model.version, signature, inputs, ("warped",))
    warped = check_warped(model, await backend.run(call, deadline), images.shape, dtype)
    if not np.array_equal(warped, images):
        raise ContractBroken(
            f"{model.servable} version {model.version} breaks the contract: the identity does not "
            "return the image"
        )


CLASSIFIER_CANARIES = Canaries[Classifier](warm=predict_blank_each_way, check=predict_blank)


def warper_canaries() -> Canaries[Warper]:
    """Return the canaries of one servable; they remember which form comes next."""
    return Canaries(warm=WarpIdentity(), check=WarpIdentity())

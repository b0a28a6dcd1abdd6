"""What the protocol tells of the server and its models; shapes come out of the running model."""

from collections.abc import Sequence
from typing import Any

from service.contract import AFFINE_PARAMETERS, Classifier, Warper
from service.oip.models import IMAGE_DATATYPES, SIZE_DATATYPES, THETA_DATATYPES, WARP_DATATYPES
from service.servable import Servable

PLATFORM = "tensorflow_savedmodel"
EXTENSIONS = ("binary_tensor_data", "classification")
_ANY = -1


def server_metadata(name: str, version: str) -> dict[str, Any]:
    """Return the answer to `/v2`."""
    return {"name": name, "version": version, "extensions": list(EXTENSIONS)}


def model_metadata(servable: Servable[Any], model: Classifier | Warper) -> dict[str, Any]:
    """Return the answer to `/v2/models/{name}`: inputs and outputs as this version has them.

    An input has the data type that the model itself takes; `parameters` lists what is taken too.
    """
    inputs, outputs = _tensors(model)
    return {
        "name": servable.name,
        "versions": [str(version) for version in sorted(servable.models)],
        "platform": PLATFORM,
        "inputs": inputs,
        "outputs": outputs,
    }


def _tensors(model: Classifier | Warper) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    if isinstance(model, Warper):
        picture = (_ANY, _ANY, _ANY, _ANY)
        return (
            [
                _input("images", WARP_DATATYPES, picture),
                _input("theta", THETA_DATATYPES, (_ANY, AFFINE_PARAMETERS)),
                _input("output_size", SIZE_DATATYPES, (2,)),
            ],
            # Of the type that `images` has in the request.
            [_tensor("warped", WARP_DATATYPES[0], picture)],
        )
    spec = model.input
    return (
        [_input("images", IMAGE_DATATYPES, (_ANY, spec.height, spec.width, spec.channels))],
        [
            _tensor("probabilities", "FP32", (_ANY, len(model.labels))),
            _tensor("theta", "FP32", (_ANY, model.num_theta)),
            _tensor("warped", "FP32", (_ANY, *model.output_size, spec.channels)),
        ],
    )


def _input(name: str, datatypes: Sequence[str], shape: Sequence[int]) -> dict[str, Any]:
    return {**_tensor(name, datatypes[0], shape), "parameters": {"datatypes": list(datatypes)}}


def _tensor(name: str, datatype: str, shape: Sequence[int]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": list(shape)}

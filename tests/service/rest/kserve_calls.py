"""Calls the gateway with KServe's client; runs where that is installed, and knows nobody here.

Each line of its input is a call and the URL to make it to; it prints a line with what became of it.
"""

import asyncio
import json
import sys
from typing import Any

import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig
from kserve.protocol.infer_type import RequestedOutput


async def call(client: InferenceRESTClient, url: str, wanted: dict[str, Any]) -> Any:
    """Do one call."""
    if wanted["call"] == "infer":
        return await infer(client, url, wanted)
    arguments = [wanted["model"]] if "model" in wanted else []
    return await getattr(client, wanted["call"])(url, *arguments)


async def infer(client: InferenceRESTClient, url: str, wanted: dict[str, Any]) -> Any:
    """Ask for an inference, and return the outputs as lists, by name."""
    inputs = []
    for name, datatype, dtype, values, binary in wanted["inputs"]:
        array = np.array(values, dtype)
        given = InferInput(name, list(array.shape), datatype)
        given.set_data_from_numpy(array, binary_data=binary)
        inputs.append(given)
    outputs = [RequestedOutput(name, {"binary_data": binary}) for name, binary in wanted["outputs"]]
    request = InferRequest(
        wanted["model"], inputs, request_id=wanted.get("id"), request_outputs=outputs
    )
    answer = await client.infer(url, request, model_name=wanted["model"])
    arrays = {output.name: output.as_numpy() for output in answer.outputs}
    return {
        "id": answer.id,
        "model": answer.model_name,
        "outputs": {
            name: {"dtype": str(array.dtype), "values": array.tolist()}
            for name, array in arrays.items()
        },
    }


async def main() -> None:
    """Do all calls with one client."""
    async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
        for line in sys.stdin:
            wanted = json.loads(line)
            try:
                told = {"result": await call(client, wanted["url"], wanted)}
            except Exception as error:
                told = {"error": f"{type(error).__name__}: {error}"}
            # The package logs to the same place.
            sys.stdout.write(f"told:{json.dumps(told)}\n")
            sys.stdout.flush()


asyncio.run(main())

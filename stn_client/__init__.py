"""A client of the gateway: the command `stn-client`, and the same in Python, sync and async.

>>> with Client("http://127.0.0.1:8000") as client:  # doctest: +SKIP
...     print(client.predict("digit.png").label)
"""

from stn_client.affine import affine
from stn_client.aio import AsyncClient
from stn_client.answers import (
    ClassProbability,
    Model,
    Prediction,
    Readiness,
    Transform,
    Version,
    Warped,
)
from stn_client.calls import Image, Outcome
from stn_client.errors import FieldProblem, GatewayError
from stn_client.retries import NO_RETRIES, Retries
from stn_client.sync import Client

__all__ = [
    "NO_RETRIES",
    "AsyncClient",
    "ClassProbability",
    "Client",
    "FieldProblem",
    "GatewayError",
    "Image",
    "Model",
    "Outcome",
    "Prediction",
    "Readiness",
    "Retries",
    "Transform",
    "Version",
    "Warped",
    "affine",
]

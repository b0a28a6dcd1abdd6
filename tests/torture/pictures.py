"""What callers of good will ask, and what is right to answer."""

import functools
from collections.abc import Sequence

import numpy as np
import orjson

from service.options import INTERPOLATIONS, PADDINGS
from tests.service.digits import load_digits
from tests.service.pictures import encoded, photo
from tests.torture.client import Answer, post
from tests.torture.load import Shot
from tests.torture.rig import Rig

_DIGITS = 8
_TOLERANCE = 1e-4


def digit_requests(*headers: str, count: int = _DIGITS) -> list[bytes]:
    """Return requests to classify one digit each."""
    images = load_digits().images
    return [post("/predict", encoded(images[number]), *headers) for number in range(count)]


def photo_request(*headers: str, side: int = 1000, seed: int = 0) -> bytes:
    """Return a request to classify a photo, which takes some milliseconds to decode."""
    return post("/predict", encoded(photo(side, side, seed), "JPEG", quality=70), *headers)


def warp_request(*headers: str, side: int = 700, seed: int = 0) -> bytes:
    """Return a request to turn a photo, which takes the models and threads tens of milliseconds."""
    picture = encoded(photo(side, side, seed), "JPEG", quality=70)
    return post("/warp?theta=0.9,-0.2,0,0.2,0.9,0", picture, *headers)


def warp_requests_of_each_form() -> list[bytes]:
    """Return a warp of a few pixels for each signature of the model."""
    pictures = [encoded(np.zeros((4, 4), dtype), "PNG") for dtype in (np.uint8, np.uint16)]
    return [
        post(f"/warp?theta=1,0,0,0,1,0&padding={padding}&interpolation={way}", picture)
        for picture in pictures
        for padding in PADDINGS
        for way in INTERPOLATIONS
    ]


async def checked_shots(rig: Rig, requests: Sequence[bytes]) -> list[Shot]:
    """Ask each once without any trouble; later answers must be the same.

    Raises:
        RuntimeError: even that goes wrong.
    """
    shots = []
    for request in requests:
        answer = await rig.ask(request)
        if answer.status != 200:
            raise RuntimeError(f"refused without any trouble: {answer.status} {answer.code}")
        if b"image/png" in answer.head:
            shots.append(Shot(request, functools.partial(_is_equal, answer.body)))
        else:
            shots.append(Shot(request, functools.partial(_is_same, orjson.loads(answer.body))))
    return shots


def _is_equal(right: bytes, answer: Answer) -> bool:
    return answer.body == right


def _is_same(right: dict[str, object], answer: Answer) -> bool:
    got = orjson.loads(answer.body)
    pairs = zip(got["probabilities"], right["probabilities"], strict=True)  # type: ignore[call-overload]
    return got["label"] == right["label"] and all(abs(a - b) < _TOLERANCE for a, b in pairs)

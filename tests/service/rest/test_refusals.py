"""What is wrong gets its documented code."""

import base64
import zlib
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from service.schemas import Problem
from tests.service.pictures import PNG_SIGNATURE, chunk, encoded, header, noise

PICTURE = encoded(noise(28, 28))
FRAMES = [Image.fromarray(noise(8, 8, seed=seed)) for seed in range(3)]
WEBP = encoded(FRAMES[0], "WEBP", save_all=True, append_images=FRAMES[1:])
GIF = encoded(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:])
HUGE = (
    PNG_SIGNATURE
    + header(20_000, 20_000, 1, 0)
    + chunk(b"IDAT", zlib.compress(b"\0" * 2501 * 20_000, 9))
    + chunk(b"IEND", b"")
)
IDENTITY = "1,0,0,0,1,0"

# What is thrown, and the status and code expected.
Case = tuple[str, dict[str, Any], int, str]
CASES: dict[str, Case] = {
    "empty body": ("/predict", {"content": b""}, 400, "missing_image"),
    "no image": ("/predict", {"files": {"fit": (None, b"pad")}}, 400, "missing_image"),
    "text": (
        "/predict",
        {"content": b"hello", "headers": {"content-type": "text/plain"}},
        415,
        "unsupported_media_type",
    ),
    "text said to be a PNG": (
        "/predict",
        {"content": b"hello", "headers": {"content-type": "image/png"}},
        415,
        "unsupported_image_format",
    ),
    "truncated PNG": ("/predict", {"content": PICTURE[:-200]}, 422, "undecodable_image"),
    "20,000 x 20,000": ("/predict", {"content": HUGE}, 413, "too_many_pixels"),
    "animated GIF": ("/predict", {"content": GIF}, 415, "unsupported_image_format"),
    "animated WebP": ("/predict", {"content": WEBP}, 422, "animated_image"),
    "two images": ("/predict", {"files": [("image", PICTURE)] * 2}, 400, "malformed_request"),
    "bad JSON": (
        "/predict",
        {"content": b"{", "headers": {"content-type": "application/json"}},
        400,
        "malformed_request",
    ),
    "bad base64": ("/predict", {"json": {"image": "!"}}, 400, "malformed_request"),
    "a URL": ("/predict", {"json": {"image": "http://x/y.png"}}, 400, "malformed_request"),
    "unknown option": (
        "/predict",
        {"content": PICTURE, "params": {"topk": 3}},
        400,
        "unknown_option",
    ),
    "option out of range": (
        "/predict",
        {"content": PICTURE, "params": {"fit": "zoom"}},
        422,
        "invalid_option",
    ),
    "option twice": (
        "/predict",
        {"content": PICTURE, "params": {"top_k": ["1", "2"]}},
        400,
        "malformed_request",
    ),
    "theta for predict": (
        "/predict",
        {"content": PICTURE, "params": {"theta": IDENTITY}},
        400,
        "unknown_option",
    ),
    "unknown version": (
        "/predict",
        {"content": PICTURE, "params": {"version": 99}},
        404,
        "unknown_version",
    ),
    "unknown label": (
        "/predict",
        {"content": PICTURE, "params": {"label": "no-such"}},
        404,
        "unknown_label",
    ),
    "only HTML": (
        "/predict",
        {"content": PICTURE, "headers": {"accept": "text/html"}},
        406,
        "not_acceptable",
    ),
    "bad timeout": (
        "/predict",
        {"content": PICTURE, "headers": {"X-Request-Timeout-Ms": "soon"}},
        400,
        "malformed_request",
    ),
    "too many bytes": ("/predict", {"content": b"x" * (2**25 + 1)}, 413, "body_too_large"),
    "no theta": ("/warp", {"content": PICTURE}, 422, "invalid_option"),
    "theta of five numbers": (
        "/warp",
        {"content": PICTURE, "params": {"theta": "1,0,0,0,1"}},
        422,
        "invalid_option",
    ),
    "theta with NaN": (
        "/warp",
        {"content": PICTURE, "params": {"theta": "1,0,0,0,1,nan"}},
        422,
        "invalid_option",
    ),
    "theta beyond float32": (
        "/warp",
        {"content": PICTURE, "params": {"theta": "1,0,0,0,1,1e39"}},
        422,
        "invalid_option",
    ),
    "side of 0": (
        "/warp",
        {"content": PICTURE, "params": {"theta": IDENTITY, "width": 0}},
        422,
        "invalid_option",
    ),
    "no such route": ("/no/such/route", {"content": PICTURE}, 404, "not_found"),
    "slash too many": ("/predict/", {"content": PICTURE}, 404, "not_found"),
    "path trick": ("/models/../predict/..%2f", {"content": PICTURE}, 404, "not_found"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_gets_its_code(client: httpx.Client, name: str) -> None:
    """In a problem document that says which request it was, and nothing of what was sent."""
    path, sent, status, code = CASES[name]

    answer = client.post(path, **sent)

    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = Problem.model_validate(answer.json(), extra="forbid")
    assert problem.status == status
    assert problem.request_id == answer.headers["x-request-id"]
    assert len(answer.content) < 2000


@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/warp"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_another_method_is_refused_with_the_right_one(
    client: httpx.Client, path: str, method: str
) -> None:
    answer = client.request(method, path)

    assert answer.status_code == 405
    assert answer.json()["code"] == "method_not_allowed"
    assert answer.headers["allow"] == "POST"


def test_nothing_that_was_sent_comes_back(client: httpx.Client) -> None:
    """A picture that is refused at each stage, and none of its bytes in any answer."""
    marker = b"SECRETSECRETSECRETSECRETSECRETSECRETSECRETSECRETSECRET"
    text = base64.b64encode(marker).decode()
    answers = [
        client.post("/predict", content=marker),
        client.post("/predict", content=PNG_SIGNATURE + marker),
        client.post("/predict", content=b"{" + marker),
        client.post("/predict", json={"image": text}),
        client.post("/predict", json={"image": "!" + text}),
        client.post("/predict", files={"image": marker}),
        client.post("/predict", files={"fit": (None, marker)}),
        client.post("/predict", content=PICTURE, params={"fit": marker.decode()}),
        client.post("/predict", content=PICTURE, params={marker.decode(): "1"}),
    ]

    for answer in answers:
        assert 400 <= answer.status_code < 500
        assert marker not in answer.content
        assert text.encode()[:50] not in answer.content


def test_a_refused_request_leaves_the_connection_usable(client: httpx.Client) -> None:
    picture = encoded(np.zeros((28, 28), np.uint8))

    for _ in range(5):
        assert client.post("/predict", content=b"x").status_code == 415
        assert client.post("/predict", content=picture).status_code == 200

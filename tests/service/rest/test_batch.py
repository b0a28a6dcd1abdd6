"""`POST /predict/batch`: all or nothing, in order."""

import base64

import httpx
import pytest

from tests.service.digits import Digits
from tests.service.pictures import encoded
from tests.versions import SHIPPED


@pytest.mark.parametrize("form", ["multipart", "json"])
def test_answers_come_in_the_order_of_the_images(
    client: httpx.Client, digits: Digits, form: str
) -> None:
    """More than one call of the model takes: each is what the image alone would get."""
    contents = [encoded(digits.images[index]) for index in range(40)]
    alone = [client.post("/predict", content=content).json() for content in contents]
    if form == "multipart":
        files = [("image", (f"{n}.png", content)) for n, content in enumerate(contents)]
        answer = client.post("/predict/batch", files=files)
    else:
        texts = [base64.b64encode(content).decode() for content in contents]
        answer = client.post("/predict/batch", json={"images": texts})

    assert answer.status_code == 200, answer.text
    predictions = answer.json()["predictions"]
    assert [p["label"] for p in predictions] == [a["label"] for a in alone]
    for together, single in zip(predictions, alone, strict=True):
        assert together["probabilities"] == pytest.approx(single["probabilities"], abs=2e-5)
    assert answer.headers["x-model-version"] == str(SHIPPED)


def test_one_bad_image_fails_the_batch_and_is_named(client: httpx.Client, digits: Digits) -> None:
    contents = [encoded(digits.images[index]) for index in range(5)]
    contents[3] = contents[3][:100]

    answer = client.post("/predict/batch", files=[("image", content) for content in contents])

    assert answer.status_code == 422
    assert answer.json()["code"] == "undecodable_image"
    assert answer.json()["detail"].startswith("image 3: ")


def test_options_hold_for_all(client: httpx.Client, digits: Digits) -> None:
    files = [("image", encoded(255 - digits.images[index])) for index in range(3)]

    answer = client.post("/predict/batch", files=files, data={"invert": "true", "top_k": "1"})

    predictions = answer.json()["predictions"]
    assert [p["label"] for p in predictions] == [str(digits.labels[n]) for n in range(3)]
    assert all(len(p["top"]) == 1 for p in predictions)


def test_a_batch_of_one_is_a_batch(client: httpx.Client, digits: Digits) -> None:
    answer = client.post("/predict/batch", content=encoded(digits.images[0]))

    assert len(answer.json()["predictions"]) == 1


def test_too_many_images_are_refused(client: httpx.Client, digits: Digits) -> None:
    files = [("image", encoded(digits.images[0]))] * 65

    answer = client.post("/predict/batch", files=files)

    assert answer.status_code == 413
    assert answer.json()["code"] == "too_many_images"


@pytest.mark.parametrize("document", [{"images": []}, {}])
def test_no_images_are_refused(client: httpx.Client, document: dict[str, list[str]]) -> None:
    answer = client.post("/predict/batch", json=document)

    assert answer.status_code == 400
    assert answer.json()["code"] == "missing_image"

"""`POST /predict` on the shipped model."""

import base64
import io
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image, ImageOps

from service.geometry import Transform, compose
from tests.numpy_reference import affine_points
from tests.service.digits import Digits
from tests.service.pictures import decoded, encoded
from tests.versions import SHIPPED


def png_of(digits: Digits, index: int) -> bytes:
    return encoded(digits.images[index])


def predict(client: httpx.Client, content: bytes, **params: Any) -> dict[str, Any]:
    answer = client.post("/predict", content=content, params=params)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_multipart_raw_and_json_get_identical_answers(client: httpx.Client, digits: Digits) -> None:
    content = png_of(digits, 0)
    text = base64.b64encode(content).decode()

    answers = [
        client.post("/predict", files={"image": ("a.png", content)}),
        client.post("/predict", content=content, headers={"content-type": "image/png"}),
        client.post("/predict", content=content),
        client.post("/predict", json={"image": text}),
        client.post("/predict", json={"image": f"data:image/png;base64,{text}"}),
    ]

    assert [answer.status_code for answer in answers] == [200] * len(answers)
    assert len({answer.content for answer in answers}) == 1


def test_digits_are_read(client: httpx.Client, digits: Digits) -> None:
    """Undistorted, as 28 x 28 PNGs: 97 of 100 at the least."""
    labels = [predict(client, png_of(digits, index))["label"] for index in range(100)]

    right = sum(label == str(truth) for label, truth in zip(labels, digits.labels, strict=False))
    assert right >= 97


@pytest.mark.parametrize("angle", [-30, 15, 30])
def test_digits_rotated_by_hand_are_read(client: httpx.Client, digits: Digits, angle: int) -> None:
    """Turned by Pillow at ten times the size, as callers have them: 18 of 20 at the least."""
    right = 0
    for index in range(20):
        large = Image.fromarray(digits.images[index]).resize((280, 280), Image.Resampling.BICUBIC)
        turned = encoded(large.rotate(angle, Image.Resampling.BICUBIC))
        right += predict(client, turned)["label"] == str(digits.labels[index])

    assert right >= 18


def quadrilateral(answer: dict[str, Any]) -> np.ndarray:
    return np.array(answer["region"])


def inside(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Whether each point lies in a convex quadrilateral, whichever way round it goes."""
    sides = []
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        edge, to_point = end - start, points - start
        sides.append(edge[0] * to_point[:, 1] - edge[1] * to_point[:, 0])
    signs = np.sign(np.array(sides))
    return np.asarray((signs >= 0).all(axis=0) | (signs <= 0).all(axis=0))


def test_the_region_frames_the_digit(client: httpx.Client, digits: Digits) -> None:
    """Digits here and there on a canvas that is wider than high: the frame follows them."""
    places = [(4, 4), (4, 68), (48, 10), (48, 68), (26, 36)]
    framed = []
    for number, (top, left) in enumerate(places):
        canvas = np.zeros((100, 120), np.uint8)
        digit = Image.fromarray(digits.images[number]).resize((48, 48))
        canvas[top : top + 48, left : left + 48] = np.asarray(digit)
        rows, columns = np.nonzero(canvas > 100)

        corners = quadrilateral(predict(client, encoded(canvas)))

        centre = np.array([[(columns.min() + columns.max()) / 2, (rows.min() + rows.max()) / 2]])
        assert inside(centre, corners).all()
        framed.append(inside(np.stack([columns, rows], axis=1).astype(float), corners).mean())
    assert np.mean(framed) > 0.9
    assert min(framed) > 0.75


def test_theta_transform_and_region_agree(client: httpx.Client, digits: Digits) -> None:
    """On a picture of the model's own size, where no fitting lies between them."""
    details = client.get("/models/stn").json()
    side = details["input"]["width"]
    for index in range(5):
        picture = np.asarray(Image.fromarray(digits.images[index]).resize((side, side)))
        answer = predict(client, encoded(picture))
        theta = np.array(answer["theta"])
        transform = answer["transform"]

        again = compose(
            Transform(
                rotation_degrees=transform["rotation_degrees"],
                scale=tuple(transform["scale"]),
                shear_degrees=transform["shear_degrees"],
                translation=tuple(transform["translation"]),
                mirrored=transform["mirrored"],
            )
        )
        np.testing.assert_allclose(again, theta.ravel(), atol=1e-4)
        points = (affine_points(theta, tuple(details["output_size"])) + 1) / 2 * (side - 1)
        corners = [points[0, 0], points[0, -1], points[-1, -1], points[-1, 0]]
        np.testing.assert_allclose(quadrilateral(answer), corners, atol=0.011)


def test_the_region_grows_with_the_picture(client: httpx.Client, digits: Digits) -> None:
    """The same digit at ten times the size: the same region, ten times as large."""
    small = digits.images[3]
    large = np.kron(small, np.ones((10, 10), np.uint8))

    once, tenfold = (quadrilateral(predict(client, encoded(p))) for p in (small, large))

    np.testing.assert_allclose((once + 0.5) * 10, tenfold + 0.5, atol=4)


def test_the_warped_image_is_what_the_region_shows(client: httpx.Client, digits: Digits) -> None:
    """A PNG of the model's output size, with the digit's ink at the places that theta names."""
    details = client.get("/models/stn").json()
    side = details["input"]["width"]
    picture = np.asarray(Image.fromarray(digits.images[0]).resize((side, side)))
    answer = predict(client, encoded(picture), include="warped")

    assert answer["warped"]["content_type"] == "image/png"
    warped = decoded(base64.b64decode(answer["warped"]["base64"]))
    height, width = details["output_size"]
    assert warped.shape == (height, width)
    points = (affine_points(answer["theta"], (height, width)) + 1) / 2 * (side - 1)
    nearest = np.rint(points).astype(int)
    seen = (nearest >= 0).all(axis=2) & (nearest < side).all(axis=2)
    sampled = picture[nearest[seen][:, 1], nearest[seen][:, 0]]
    assert np.corrcoef(sampled, warped[seen])[0, 1] > 0.85


def test_black_ink_on_white_paper_is_read_with_invert(client: httpx.Client, digits: Digits) -> None:
    """Exactly as the light digit on black is."""
    for index in range(5):
        light = predict(client, png_of(digits, index))
        dark = predict(client, encoded(255 - digits.images[index]), invert="true")

        assert dark == light


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_every_format_is_read(client: httpx.Client, digits: Digits, kind: str) -> None:
    picture = Image.fromarray(digits.images[0]).resize((140, 140)).convert("RGB")

    assert predict(client, encoded(picture, kind))["label"] == str(digits.labels[0])


def test_a_picture_that_lies_on_its_side_is_turned(client: httpx.Client, digits: Digits) -> None:
    """A phone's photo of a 7: EXIF says which way is up, and the region is told upright."""
    upright = Image.fromarray(digits.images[0]).resize((168, 140))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoded(upright.transpose(Image.Transpose.ROTATE_90), exif=exif)
    with Image.open(io.BytesIO(turned)) as picture:
        assert ImageOps.exif_transpose(picture).size == upright.size

    assert predict(client, turned) == predict(client, encoded(upright))


@pytest.mark.parametrize("count", [1, 3, 10, 100])
def test_top_k_is_the_length_of_top(client: httpx.Client, digits: Digits, count: int) -> None:
    answer = predict(client, png_of(digits, 0), top_k=count)

    assert len(answer["top"]) == min(count, 10)
    probabilities = [entry["probability"] for entry in answer["top"]]
    assert probabilities == sorted(probabilities, reverse=True)
    assert answer["top"][0]["label"] == answer["label"]
    assert answer["confidence"] == max(answer["probabilities"])
    assert sum(answer["probabilities"]) == pytest.approx(1, abs=1e-4)


def test_fit_decides_what_is_seen_of_a_wide_picture(client: httpx.Client, digits: Digits) -> None:
    """`pad` shows it all small, `crop` its middle, and `stretch` distorts: three regions."""
    wide = np.zeros((140, 280), np.uint8)
    wide[:, 70:210] = np.asarray(Image.fromarray(digits.images[0]).resize((140, 140)))

    answers = {fit: predict(client, encoded(wide), fit=fit) for fit in ("pad", "stretch", "crop")}

    assert predict(client, encoded(wide)) == answers["pad"]
    assert answers["crop"]["label"] == str(digits.labels[0])
    middle = predict(client, encoded(wide[:, 70:210].copy()))
    assert answers["crop"]["theta"] == middle["theta"]
    shifted = quadrilateral(middle) + [70, 0]
    np.testing.assert_allclose(quadrilateral(answers["crop"]), shifted, atol=0.02)
    assert len({str(answer["region"]) for answer in answers.values()}) == 3


@pytest.mark.parametrize("form", ["query", "form", "json"])
def test_options_count_wherever_they_come(client: httpx.Client, digits: Digits, form: str) -> None:
    content = png_of(digits, 0)
    options = {
        "version": str(SHIPPED),
        "top_k": "2",
        "fit": "stretch",
        "invert": "false",
        "include": "warped",
    }
    if form == "query":
        answer = client.post("/predict", content=content, params=options)
    elif form == "form":
        answer = client.post("/predict", files={"image": content}, data=options)
    else:
        document = {
            "version": SHIPPED,
            "top_k": 2,
            "fit": "stretch",
            "invert": False,
            "include": "warped",
        }
        document["image"] = base64.b64encode(content).decode()
        answer = client.post("/predict", json=document)

    assert answer.json() == predict(client, content, **options)
    assert len(answer.json()["top"]) == 2
    assert "warped" in answer.json()


def test_the_headers_of_an_answer(client: httpx.Client, digits: Digits) -> None:
    answer = client.post(
        "/predict", content=png_of(digits, 0), headers={"X-Request-ID": "my-request.1"}
    )

    assert answer.headers["x-request-id"] == "my-request.1"
    assert answer.headers["x-model-version"] == str(SHIPPED)
    assert answer.headers["content-type"] == "application/json"
    stages = [stage.partition(";")[0] for stage in answer.headers["server-timing"].split(", ")]
    assert stages == ["decode", "queue", "model", "encode"]

"""`POST /warp` against the slow reference."""

import base64
import json
import math
from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.numpy_reference import affine_warp
from tests.service.pictures import decoded, encoded, noise, photo

TURN = [math.sqrt(0.5), -math.sqrt(0.5), 0, math.sqrt(0.5), math.sqrt(0.5), 0]
# Turned, unequally scaled and moved: the outside comes into view on every side, and no point lies
# half way between two pixels, where float32 and float64 may differ on which is nearest.
AWAY = [1.2973, -0.6131, 0.2117, 0.5237, 1.5831, -0.3179]
IDENTITY = [1, 0, 0, 0, 1, 0]


def warp(
    client: httpx.Client, content: bytes, theta: Sequence[float], **params: Any
) -> httpx.Response:
    answer = client.post(
        "/warp", content=content, params={"theta": json.dumps(list(theta)), **params}
    )
    assert answer.status_code == 200, answer.text
    return answer


def test_a_colour_photo_by_45_degrees_is_what_the_reference_makes(client: httpx.Client) -> None:
    """To 1/255."""
    picture = np.asarray(photo(60, 80))

    answer = warp(client, encoded(picture), TURN)

    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["x-model-version"] == "1"
    expected = affine_warp(picture, TURN, (60, 80))
    np.testing.assert_allclose(decoded(answer.content), expected, atol=1)


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize("channels", [None, 3, 4])
def test_every_way_of_sampling_is_what_the_reference_makes(
    client: httpx.Client, padding: str, interpolation: str, channels: int | None
) -> None:
    """On noise, where a shift of a hundredth of a pixel shows."""
    picture = noise(17, 23, channels)

    answer = warp(client, encoded(picture), AWAY, padding=padding, interpolation=interpolation)

    expected = affine_warp(
        picture.reshape(17, 23, -1), AWAY, (17, 23), padding, interpolation
    ).reshape(picture.shape)
    np.testing.assert_allclose(decoded(answer.content), expected, atol=1)


@pytest.mark.parametrize("size", [{"width": 31}, {"height": 9}, {"width": 50, "height": 40}])
def test_the_output_has_the_size_asked_for(client: httpx.Client, size: dict[str, int]) -> None:
    picture = np.asarray(photo(20, 30))
    height, width = size.get("height", 20), size.get("width", 30)

    warped = decoded(warp(client, encoded(picture), AWAY, **size).content)

    assert warped.shape == (height, width, 3)
    np.testing.assert_allclose(warped, affine_warp(picture, AWAY, (height, width)), atol=1)


DEEP = np.random.default_rng(0).integers(0, 65536, (11, 13)).astype(np.uint16)
PICTURES: dict[str, np.ndarray | Image.Image] = {
    "L": noise(11, 13, None),
    "LA": Image.fromarray(noise(11, 13, 2), "LA"),
    "RGB": noise(11, 13, 3),
    "RGBA": noise(11, 13, 4),
    "16 bit": DEEP,
}


@pytest.mark.parametrize("mode", PICTURES)
def test_the_identity_returns_the_picture_bit_for_bit(client: httpx.Client, mode: str) -> None:
    content = encoded(PICTURES[mode])

    answer = warp(client, content, IDENTITY)

    again = decoded(answer.content)
    assert again.dtype == decoded(content).dtype
    np.testing.assert_array_equal(again, decoded(content))


def test_sixteen_bits_are_warped_with_all_their_depth(client: httpx.Client) -> None:
    warped = decoded(warp(client, encoded(DEEP), AWAY).content)

    expected = affine_warp(DEEP[..., np.newaxis], AWAY, DEEP.shape)[..., 0]
    # Half a level for rounding, a little for float32.
    np.testing.assert_allclose(warped, expected, atol=0.6)
    assert len(np.unique(warped)) > 60


def test_a_picture_that_lies_on_its_side_is_turned_first(client: httpx.Client) -> None:
    picture = noise(12, 20)
    exif = Image.Exif()
    exif[0x0112] = 8
    turned = encoded(Image.fromarray(picture).transpose(Image.Transpose.ROTATE_270), exif=exif)

    again = decoded(warp(client, turned, IDENTITY).content)

    np.testing.assert_array_equal(again, picture)


@pytest.mark.parametrize("theta", ["1,0,0,0,1,0", "1 0 0 0 1 0", "[[1,0,0],[0,1,0]]"])
def test_theta_may_be_written_in_several_ways(client: httpx.Client, theta: str) -> None:
    picture = noise(5, 7)

    answer = client.post("/warp", files={"image": encoded(picture)}, data={"theta": theta})

    np.testing.assert_array_equal(decoded(answer.content), picture)


def test_the_json_form_says_what_was_done(client: httpx.Client) -> None:
    """The same picture as base64, with theta taken apart and the region looked at."""
    content = encoded(noise(21, 41))
    document = {
        "image": base64.b64encode(content).decode(),
        "theta": [[0, -0.5, 0], [0.5, 0, 0]],
        "width": 9,
        "height": 9,
    }

    answer = client.post("/warp", json=document, headers={"Accept": "application/json"})

    assert answer.status_code == 200, answer.text
    described = answer.json()
    assert described["model"] == {"name": "warp", "version": 1}
    assert described["theta"] == [[0, -0.5, 0], [0.5, 0, 0]]
    assert described["transform"] == {
        "rotation_degrees": 90,
        "scale": [0.5, 0.5],
        "shear_degrees": 0,
        "translation": [0, 0],
        "mirrored": False,
    }
    # Top left looks at (0.5, -0.5): three quarters to the right, a quarter down.
    assert described["region"] == [[30, 5], [30, 15], [10, 15], [10, 5]]
    assert described["warped"]["content_type"] == "image/png"
    png = client.post("/warp", json=document).content
    assert base64.b64decode(described["warped"]["base64"]) == png


@pytest.mark.parametrize("theta", [[0] * 6, [1e6, -1e6, 1e6, -1e6, 1e6, 1e6], [1e-30] * 6])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
def test_no_theta_reads_outside_the_picture(
    client: httpx.Client, theta: list[float], padding: str
) -> None:
    """However wild: every pixel of a picture of 200 is 200, or the 0 outside."""
    picture = np.full((6, 9), 200, np.uint8)

    warped = decoded(warp(client, encoded(picture), theta, padding=padding).content)

    if padding == "zeros":
        assert (warped <= 200).all()
    else:
        assert (warped == 200).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1)])
def test_a_single_line_of_pixels_is_warped(client: httpx.Client, size: tuple[int, int]) -> None:
    picture = noise(*size)

    np.testing.assert_array_equal(
        decoded(warp(client, encoded(picture), IDENTITY).content), picture
    )


def test_the_answer_carries_no_metadata(client: httpx.Client) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a secret place"
    content = encoded(photo(16, 16), "JPEG", exif=exif, comment=b"another secret")

    answer = warp(client, content, IDENTITY)

    assert b"secret" not in answer.content


def test_a_result_that_would_be_too_large_is_refused(client: httpx.Client) -> None:
    content = encoded(noise(5, 7))
    params = {"theta": "1,0,0,0,1,0", "width": "100000", "height": "100000"}

    answer = client.post("/warp", content=content, params=params)

    assert answer.status_code == 413
    assert answer.json()["code"] == "too_many_pixels"


@pytest.mark.slow
def test_a_photo_of_12_megapixels_is_warped(client: httpx.Client) -> None:
    """The middle of it, for the reference is slow."""
    picture = photo(3000, 4000)
    content = encoded(picture, "JPEG", quality=90)

    warped = decoded(warp(client, content, TURN).content)

    assert warped.shape == (3000, 4000, 3)
    pixels = decoded(content)
    for row, column in ((1500, 2000), (700, 1900), (2100, 2600), (1400, 1200)):
        x, y = -1 + 2 * column / 3999, -1 + 2 * row / 2999
        source = [
            (TURN[0] * x + TURN[1] * y + 1) * 1999.5,
            (TURN[3] * x + TURN[4] * y + 1) * 1499.5,
        ]
        left, top = math.floor(source[0]), math.floor(source[1])
        window = pixels[top : top + 2, left : left + 2].astype(float)
        low, high = window.min(axis=(0, 1)) - 1, window.max(axis=(0, 1)) + 1
        assert (low <= warped[row, column]).all()
        assert (warped[row, column] <= high).all()

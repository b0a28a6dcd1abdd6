"""A picture is taken the way up that its EXIF says."""

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from service.images import InputSpec, decode_for_model, decode_for_warp, open_image
from tests.service.pictures import encoded, noise, photo

LIMIT = 1_000_000
ORIENTATION = 0x0112


def tagged(picture: Image.Image, orientation: int, kind: str) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    return encoded(picture, kind, exif=exif, **options)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_each_orientation_is_what_pillow_makes_of_it(orientation: int, kind: str) -> None:
    """All eight, on a picture that is not square, against `ImageOps.exif_transpose`."""
    content = tagged(photo(20, 30), orientation, kind)
    with Image.open(io.BytesIO(content)) as picture:
        upright = np.asarray(ImageOps.exif_transpose(picture))

    np.testing.assert_array_equal(decode_for_warp(open_image(content, LIMIT)), upright)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_classifier_sees_it_upright_too(orientation: int, kind: str) -> None:
    """A picture that is to be enlarged threefold, so that no decoder reduces it."""
    content = tagged(photo(20, 30), orientation, kind)
    upright = Image.fromarray(decode_for_warp(open_image(content, LIMIT)))
    spec = InputSpec(upright.height * 3, upright.width * 3, 3, 0)

    fitted = decode_for_model(open_image(content, LIMIT), spec)

    expected = np.asarray(upright.resize((spec.width, spec.height), Image.Resampling.BILINEAR))
    np.testing.assert_allclose(fitted.pixels, expected, atol=2)
    assert fitted.fit.scale == pytest.approx((3, 3))


def test_an_orientation_that_does_not_exist_changes_nothing() -> None:
    picture = noise(4, 6)

    for orientation in (0, 9, 65535):
        content = tagged(Image.fromarray(picture), orientation, "PNG")
        np.testing.assert_array_equal(decode_for_warp(open_image(content, LIMIT)), picture)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")  # as the gateway has it
@pytest.mark.parametrize(
    "exif", [b"", b"Exif\0\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0II*\0\x08\0\0\0\xff\xff"]
)
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
def test_broken_exif_does_not_spoil_the_picture(exif: bytes, kind: str) -> None:
    picture = photo(8, 8)
    plain = encoded(picture, kind)

    content = encoded(picture, kind, exif=exif)

    np.testing.assert_array_equal(
        decode_for_warp(open_image(content, LIMIT)), decode_for_warp(open_image(plain, LIMIT))
    )

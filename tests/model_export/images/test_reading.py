"""Pictures are laid on the input as the gateway lays what it is sent."""

import io
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from model_export.images import reading
from model_export.images.choice import choose_spec
from model_export.images.reading import (
    PictureSpec,
    UnreadablePictureError,
    read_picture,
    read_size,
)
from service.images import InputSpec, decode_for_model, open_image

RANDOM = np.random.default_rng(5)
SMOOTH = Image.fromarray(RANDOM.integers(0, 256, (6, 9, 3), np.uint8)).resize((90, 61))


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def turned(kind: str, orientation: int = 6, **more: object) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(SMOOTH, kind, exif=exif, **more)


def oddly_tagged() -> bytes:
    """Turned, with an ImageWidth of text, which Pillow cannot write again."""
    tags = struct.pack(">HHHI4sHHIHHI", 2, 0x0100, 2, 4, b"odd\0", 0x0112, 3, 1, 6, 0, 0)
    return encoded(SMOOTH, "JPEG", exif=b"Exif\0\0MM\0*" + struct.pack(">I", 8) + tags)


def in_xmp() -> bytes:
    """Where the gateway does not look."""
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><tiff:Orientation>6</tiff:Orientation></x:xmpmeta>"
    return encoded(SMOOTH, "JPEG", xmp=xmp)


PICTURES = {
    "colour": encoded(SMOOTH, "PNG"),
    "grey": encoded(SMOOTH.convert("L"), "PNG"),
    "palette": encoded(SMOOTH.quantize(16), "PNG"),
    "alpha": encoded(Image.merge("RGBA", (*SMOOTH.split(), SMOOTH.getchannel(0))), "PNG"),
    "grey with alpha": encoded(
        Image.merge("LA", (SMOOTH.getchannel(1), SMOOTH.getchannel(0))), "PNG"
    ),
    "16 bit": encoded(
        Image.fromarray(np.asarray(SMOOTH.convert("L")).astype(np.uint16) * 257), "PNG"
    ),
    **{f"JPEG, orientation {number}": turned("JPEG", number) for number in range(1, 10)},
    "turned PNG": turned("PNG"),
    "turned WebP": turned("WEBP", lossless=True),
    "turned, with odd tags": oddly_tagged(),
    "turned in XMP": in_xmp(),
    "several in one JPEG": encoded(
        SMOOTH.resize((900, 610)), "MPO", save_all=True, append_images=[SMOOTH]
    ),
    "large JPEG": encoded(SMOOTH.resize((900, 610)), "JPEG"),
    "tiny": encoded(SMOOTH.resize((3, 2)), "PNG"),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("background", [0, 255])
@pytest.mark.parametrize("name", PICTURES)
def test_training_sees_what_the_gateway_will_send(
    name: str, channels: int, background: int, tmp_path: Path
) -> None:
    path = tmp_path / "picture"
    path.write_bytes(PICTURES[name])
    spec = InputSpec(32, 32, channels, background)

    ours = read_picture(path, PictureSpec(32, 32, channels, background))
    served = decode_for_model(open_image(PICTURES[name], 10**7), spec).pixels

    assert np.array_equal(ours, served)


def test_a_turned_tiff_keeps_its_aspect(tmp_path: Path) -> None:
    """The gateway takes none; Pillow gives them upright."""
    spec = PictureSpec(32, 32, 3, 0)
    turned_path, upright_path = tmp_path / "turned.tiff", tmp_path / "upright.png"
    turned_path.write_bytes(turned("TIFF"))
    SMOOTH.transpose(Image.Transpose.ROTATE_270).save(upright_path)

    assert np.array_equal(read_picture(turned_path, spec), read_picture(upright_path, spec))
    assert read_size(turned_path) == read_size(upright_path) == (61, 90)


@pytest.mark.parametrize("content", [b"", b"no picture", PICTURES["colour"][:200]])
def test_a_broken_file_is_said_to_be_so(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(content)

    with pytest.raises(UnreadablePictureError):
        read_picture(path, PictureSpec(32, 32, 3, 0))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_of_large_pictures_one_is_read_at_a_time(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else some photos at once would fill the memory, however small they are decoded."""
    monkeypatch.setattr(reading, "_LARGE", 100_000)
    at_once, most = 0, 0

    def flatten(picture: Image.Image, mode: str, background: int) -> Image.Image:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        time.sleep(0.01)
        at_once -= 1
        return picture.convert(mode)

    monkeypatch.setattr(reading, "_flatten", flatten)
    path = tmp_path / "picture"
    path.write_bytes(encoded(Image.new("L", (500, 700)), kind))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: read_picture(path, PictureSpec(28, 28, 1, 0)), range(8)))

    assert most == 1


def test_what_is_too_large_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(encoded(SMOOTH, "PNG"))
    monkeypatch.setattr(reading, "MAX_PIXELS", 1000)
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", lambda _: pytest.fail("decoded"))

    with pytest.raises(UnreadablePictureError, match="is too large"):
        read_picture(path, PictureSpec(28, 28, 1, 0))


@pytest.mark.parametrize(("limit", "kind"), [("_MAX_PIXELS_STORED", "JPEG"), ("MAX_PIXELS", "PNG")])
def test_a_picture_beyond_the_limit_is_refused(
    limit: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A JPEG is decoded at an eighth of its size, so it may be larger."""
    path = tmp_path / "picture"
    path.write_bytes(encoded(SMOOTH.resize((900, 610)), kind))
    spec = PictureSpec(28, 28, 1, 0)
    monkeypatch.setattr(reading, "MAX_PIXELS", 900 * 610 // 64 + 1000)
    if kind == "JPEG":
        read_picture(path, spec)

    monkeypatch.setattr(reading, limit, 900 * 610 // 2)
    with pytest.raises(UnreadablePictureError, match="900 x 610 is too large"):
        read_picture(path, spec)


def rectangle(ground: int, ink: int) -> Image.Image:
    """Solid, on a ground of one value: nothing but its place tells the ground from margins."""
    pixels = np.full((32, 32), ground, np.uint8)
    pixels[8:20, 10:25] = ink
    return Image.fromarray(pixels)


def on_nothing(picture: Image.Image, ground: int) -> Image.Image:
    """The picture with its ground transparent."""
    drawn = picture.point(lambda value: 255 * (value != ground))
    return Image.merge("LA", (picture, drawn))


def write(folder: Path, picture: Image.Image) -> list[Path]:
    path = folder / "one.png"
    picture.save(path)
    return [path]


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (Image.new("L", (50, 70), 0), PictureSpec(48, 48, 1, 0)),
        (Image.new("RGB", (50, 70), (9, 9, 9)), PictureSpec(48, 48, 1, 0)),
        (Image.new("RGB", (2000, 900), (200, 90, 90)), PictureSpec(128, 128, 3, 0)),
        (Image.new("RGB", (8, 8), (250, 250, 250)), PictureSpec(28, 28, 1, 255)),
        (Image.new("L", (700, 70), 250), PictureSpec(64, 64, 1, 255)),
        (rectangle(0, 200), PictureSpec(32, 32, 1, 0)),
        (rectangle(255, 0), PictureSpec(32, 32, 1, 255)),
        (on_nothing(rectangle(255, 0), 255), PictureSpec(32, 32, 1, 255)),
        (on_nothing(rectangle(0, 255), 0), PictureSpec(32, 32, 1, 0)),
    ],
)
def test_size_colour_and_ground_are_those_of_the_pictures(
    picture: Image.Image, expected: PictureSpec, tmp_path: Path
) -> None:
    assert choose_spec(write(tmp_path, picture)) == expected


def test_what_is_given_is_not_chosen(tmp_path: Path) -> None:
    paths = write(tmp_path, Image.new("L", (50, 70)))

    assert choose_spec(paths, size=40, channels=3) == PictureSpec(40, 40, 3, 0)
    for polarity, background in (("light_on_dark", 0), ("dark_on_light", 255)):
        assert choose_spec(paths, polarity=polarity).background == background

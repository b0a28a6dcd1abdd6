"""Pictures are laid on the input as the gateway lays what it is sent."""

import io
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model_export.images import reading
from model_export.images.choice import choose_spec
from model_export.images.reading import PictureSpec, UnreadablePictureError, read_picture
from service.images import InputSpec, decode_for_model, open_image

RANDOM = np.random.default_rng(5)
SMOOTH = Image.fromarray(RANDOM.integers(0, 256, (6, 9, 3), np.uint8)).resize((90, 61))


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(SMOOTH, "JPEG", exif=exif)


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
    "turned JPEG": turned(),
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


@pytest.mark.parametrize("content", [b"", b"no picture", PICTURES["colour"][:200]])
def test_a_broken_file_is_said_to_be_so(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(content)

    with pytest.raises(UnreadablePictureError):
        read_picture(path, PictureSpec(32, 32, 3, 0))


def test_of_large_pictures_one_is_read_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else some photos at once would fill the memory."""
    monkeypatch.setattr(reading, "_LARGE", 1000)
    at_once, most = 0, 0

    def flatten(picture: Image.Image, mode: str, background: int) -> Image.Image:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        time.sleep(0.01)
        at_once -= 1
        return picture.convert(mode)

    monkeypatch.setattr(reading, "_flatten", flatten)
    (path,) = write(tmp_path, Image.new("L", (50, 70)))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: read_picture(path, PictureSpec(28, 28, 1, 0)), range(8)))

    assert most == 1


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
    ],
)
def test_size_colour_and_ground_are_those_of_the_pictures(
    picture: Image.Image, expected: PictureSpec, tmp_path: Path
) -> None:
    assert choose_spec(write(tmp_path, picture)) == expected


def test_what_is_given_is_not_chosen(tmp_path: Path) -> None:
    paths = write(tmp_path, Image.new("L", (50, 70)))

    assert choose_spec(paths, size=40, channels=3) == PictureSpec(40, 40, 3, 0)

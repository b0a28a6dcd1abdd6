"""Pictures that no one took: a digit in ink on paper, a film of it, a photo of three megabytes."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

FIVE = ((0.70, 0.22), (0.38, 0.22), (0.34, 0.46), (0.5, 0.42), (0.66, 0.52), (0.68, 0.66))
FIVE_END = ((0.58, 0.78), (0.44, 0.8), (0.3, 0.75))


def digit_on_paper(width: int, height: int) -> Image.Image:
    """Draw a five in the middle, with light that falls off to one side."""
    side = min(width, height)
    sheet = Image.new("L", (width, height), 255)
    left, top = (width - side) / 2, (height - side) / 2
    points = [(left + x * side, top + y * side) for x, y in FIVE + FIVE_END]
    ImageDraw.Draw(sheet).line(points, fill=40, width=side // 20, joint="curve")
    light = np.linspace(0.85, 0.45, width)[None, :] * np.linspace(1.0, 0.85, height)[:, None]
    return Image.fromarray((np.asarray(sheet) * light).astype(np.uint8))


def write_film(path: Path, width: int = 640, height: int = 480) -> None:
    """Write two frames of it as YUV4MPEG2, which Chromium takes for a camera."""
    grey = np.asarray(digit_on_paper(width, height)).tobytes()
    frame = b"FRAME\n" + grey + bytes([128]) * (width * height // 2)
    header = f"YUV4MPEG2 W{width} H{height} F10:1 Ip A1:1 C420jpeg\n".encode()
    path.write_bytes(header + frame * 2)


def png(picture: Image.Image) -> bytes:
    """Return a picture as PNG."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def phone_photo(width: int = 4032, height: int = 3024, quality: int = 82) -> bytes:
    """Return a JPEG of twelve megapixels and about three megabytes, with detail and gradients."""
    noise = np.random.default_rng(7)
    ramp = np.linspace(0, 255, width)[None, :, None] * np.array([0.5, 0.35, 0.2])
    coarse = noise.integers(0, 90, (height // 8, width // 8, 3), np.uint8)
    clouds = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    grain = noise.normal(0, 5.2, (height, width, 1)).astype(np.float32)
    pixels = np.clip(ramp + np.asarray(clouds) + grain, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()

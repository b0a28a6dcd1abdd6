"""JPEG files with known ways to hurt a decoder."""

import struct
from collections.abc import Iterator

from PIL import Image

from tests.service.pictures import encoded, photo
from tests.torture.corpus.kinds import BROKEN, EITHER, READ, TOO_LARGE, Picture

_SOF = (b"\xff\xc0", b"\xff\xc2")


def pictures() -> Iterator[Picture]:
    """Return every family once or more."""
    yield from _sound()
    yield from _headers()
    yield from _tables()
    yield from _scans()
    yield from _metadata()


def _sound() -> Iterator[Picture]:
    picture = photo(32, 40)
    yield Picture("JPEG", encoded(picture, "JPEG"), READ)
    yield Picture("JPEG grey", encoded(picture.convert("L"), "JPEG"), READ)
    yield Picture("JPEG CMYK", encoded(picture.convert("CMYK"), "JPEG"), READ)
    yield Picture("JPEG progressive", encoded(picture, "JPEG", progressive=True), READ)
    yield Picture("JPEG restarts", encoded(picture, "JPEG", restart_marker_blocks=1), READ)
    more = [photo(32, 40, seed=1), photo(32, 40, seed=2)]
    yield Picture("MPO", encoded(picture, "MPO", save_all=True, append_images=more), READ)
    yield Picture("JPEG with a tail", encoded(picture, "JPEG") + b"\0" * 500_000, READ)
    for turn in (*range(10), 65535):
        exif = Image.Exif()
        exif[0x0112] = turn
        yield Picture("JPEG orientation", encoded(picture, "JPEG", exif=exif), READ)


def _frame(content: bytes) -> int:
    """Return where the frame header begins."""
    return min(content.index(marker) for marker in _SOF if marker in content)


def _resized(content: bytes, height: int, width: int) -> bytes:
    place = _frame(content) + 5
    return content[:place] + struct.pack(">HH", height, width) + content[place + 4 :]


def _headers() -> Iterator[Picture]:
    good = encoded(photo(32, 40), "JPEG")
    progressive = encoded(photo(32, 40), "JPEG", progressive=True)
    for height, width in ((0, 40), (32, 0), (0, 0)):
        yield Picture("JPEG zero size", _resized(good, height, width), BROKEN)
    for height, width in ((65535, 65535), (65535, 40_000), (5001, 5000)):
        yield Picture("JPEG huge size", _resized(good, height, width), TOO_LARGE)
    for height, width in ((1000, 1000), (33, 41), (320, 4), (1, 1)):
        yield Picture("JPEG size lies", _resized(good, height, width), EITHER)
    yield Picture("JPEG progressive size lies", _resized(progressive, 1000, 1000), EITHER)
    place = _frame(good)
    for depth in (0, 1, 7, 12, 16, 255):
        bad = good[: place + 4] + bytes([depth]) + good[place + 5 :]
        yield Picture("JPEG depth lies", bad, BROKEN)
    for count in (0, 2, 4, 5, 255):
        bad = good[: place + 9] + bytes([count]) + good[place + 10 :]
        yield Picture("JPEG components lie", bad, EITHER)
    for factors in (0x00, 0x01, 0x10, 0x44, 0x55, 0xFF):
        bad = good[: place + 11] + bytes([factors]) + good[place + 12 :]
        yield Picture("JPEG sampling lies", bad, EITHER)
    # Lossless, differential and arithmetic coding, which decoders half know.
    for kind in (*range(0xC1, 0xD0),):
        bad = good[: place + 1] + bytes([kind]) + good[place + 2 :]
        yield Picture("JPEG coding lies", bad, EITHER)


def _tables() -> Iterator[Picture]:
    good = encoded(photo(32, 40), "JPEG")
    huffman, quantise = good.index(b"\xff\xc4"), good.index(b"\xff\xdb")
    for place, name in ((huffman, "Huffman table"), (quantise, "quantisation table")):
        length = struct.unpack(">H", good[place + 2 : place + 4])[0]
        yield Picture(f"JPEG no {name}", good[:place] + good[place + 2 + length :], EITHER)
        zeros = good[: place + 5] + b"\0" * (length - 3) + good[place + 2 + length :]
        yield Picture(f"JPEG empty {name}", zeros, EITHER)
        ones = good[: place + 5] + b"\xff" * (length - 3) + good[place + 2 + length :]
        yield Picture(f"JPEG wild {name}", ones, EITHER)
        for lie in (0, 1, 2, 65535):
            bad = good[: place + 2] + struct.pack(">H", lie) + good[place + 4 :]
            yield Picture(f"JPEG {name} length lies", bad, EITHER)


def _scans() -> Iterator[Picture]:
    progressive = encoded(photo(64, 64), "JPEG", progressive=True)
    last = progressive.rindex(b"\xff\xda")
    scan = progressive[last:-2]
    yield Picture("JPEG scans bomb", progressive[:-2] + scan * 500 + b"\xff\xd9", BROKEN)
    yield Picture("JPEG many scans", progressive[:-2] + scan * 40 + b"\xff\xd9", EITHER)
    large = _resized(progressive, 1500, 1500)
    yield Picture("JPEG large with many scans", large[:-2] + scan * 40 + b"\xff\xd9", EITHER)
    good = encoded(photo(32, 40), "JPEG")
    start = good.index(b"\xff\xda")
    yield Picture("JPEG no scan", good[:start] + b"\xff\xd9", BROKEN)
    yield Picture("JPEG no end", good[:-2], EITHER)
    for share in (0.1, 0.5, 0.9):
        cut = start + int((len(good) - start) * share)
        yield Picture("JPEG cut short", good[:cut], EITHER)
        yield Picture("JPEG restarts galore", good[:cut] + b"\xff\xd0" * 5000, EITHER)
        yield Picture("JPEG ones", good[:cut] + b"\xff" * 100_000, EITHER)
    yield Picture("JPEG start alone", b"\xff\xd8\xff", BROKEN)
    yield Picture("JPEG start and end", b"\xff\xd8\xff\xd9", BROKEN)
    yield Picture("JPEG starts", b"\xff\xd8" + b"\xff\xd8" * 10_000, BROKEN)


def _metadata() -> Iterator[Picture]:
    good = encoded(photo(32, 40), "JPEG")

    def with_segment(marker: int, content: bytes, times: int = 1) -> bytes:
        segment = struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content
        return good[:2] + segment * times + good[2:]

    exif = b"Exif\0\0"
    loop = b"II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0"
    counts = b"MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12\0\x03\xff\xff\xff\xff\0\0\0\x08" * 4000
    for content in (b"", loop, counts, b"MM\0*\xff\xff\xff\xff", b"II*\0", b"\xff" * 60_000):
        yield Picture("JPEG EXIF bomb", with_segment(0xE1, exif + content), EITHER)
    yield Picture("JPEG many EXIF", with_segment(0xE1, exif + loop, 500), EITHER)
    for marker in range(0xE0, 0xF0):
        yield Picture("JPEG odd segment", with_segment(marker, b"\xff" * 30), EITHER)
    yield Picture("JPEG comments", with_segment(0xFE, b"x" * 65_000, 100), EITHER)
    icc = b"ICC_PROFILE\0" + b"\xff\xff" + b"x" * 60_000
    yield Picture("JPEG ICC lies", with_segment(0xE2, icc, 50), EITHER)
    mpf = b"MPF\0II*\0\x08\0\0\0\xff\xff" + b"\x02\xb0\x07\0\xff\xff\xff\xff\0\0\0\0" * 100
    yield Picture("MPO index lies", with_segment(0xE2, mpf), EITHER)
    adobe = b"Adobe\0\x64\0\0\0\0"
    for transform in (0, 1, 2, 255):
        yield Picture("JPEG Adobe lies", with_segment(0xEE, adobe + bytes([transform])), EITHER)
    photoshop = b"Photoshop 3.0\x008BIM\x03\xed\0\0\xff\xff\xff\xff"
    yield Picture("JPEG Photoshop lies", with_segment(0xED, photoshop), EITHER)

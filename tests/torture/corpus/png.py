"""PNG files with known ways to hurt a decoder."""

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tests.service.pictures import PNG_SIGNATURE, chunk, encoded, header, noise, png
from tests.torture.corpus.kinds import ANIMATED, BROKEN, EITHER, READ, TOO_LARGE, Picture

_END = chunk(b"IEND", b"")


def pictures() -> Iterator[Picture]:
    """Return every family once or more."""
    yield from _sound()
    yield from _headers()
    yield from _checksums()
    yield from _bombs()
    yield from _chunks()
    yield from _animations()


def _sound() -> Iterator[Picture]:
    """Odd, but right: these must be read."""
    rgb = noise(9, 11)
    yield Picture("PNG colour", encoded(rgb), READ)
    yield Picture("PNG alpha", encoded(noise(9, 11, 4)), READ)
    sixteen = noise(9, 11, None).astype(np.uint16) * 257
    yield Picture("PNG 16 bit", encoded(Image.fromarray(sixteen)), READ)
    deep = png(header(3, 2, 16, 2), (b"\0" + bytes(range(18))) * 2)
    yield Picture("PNG 16 bit colour", deep, READ)
    palette = Image.fromarray(rgb).quantize(8)
    yield Picture("PNG palette", encoded(palette, transparency=b"\x80\0\xff"), READ)
    yield Picture("PNG 1 x 1", encoded(noise(1, 1)), READ)
    yield Picture("PNG thin", encoded(noise(1, 4000)), READ)
    yield Picture("PNG thin", encoded(noise(4000, 1)), READ)
    for depth in (1, 2, 4):
        line = b"\0" + b"\x1b" * ((9 * depth + 7) // 8)
        yield Picture("PNG few bits", png(header(9, 4, depth, 0), line * 4), READ)


def _headers() -> Iterator[Picture]:
    """The header lies about size, depth or colour."""
    raw = (b"\0" + b"\x40" * 8) * 8
    for width, height in ((0, 8), (8, 0), (0, 0)):
        yield Picture("PNG zero size", png(header(width, height, 8, 0), raw), BROKEN)
    for width, height in ((100_000, 100_000), (2**31 - 1, 1), (2**31 - 1, 2**31 - 1), (1, 2**30)):
        yield Picture("PNG huge size", png(header(width, height, 8, 0), raw), TOO_LARGE | BROKEN)
    yield Picture("PNG huge size", png(header(2**32 - 1, 2**32 - 1, 8, 6), raw), TOO_LARGE | BROKEN)
    for width, height in ((80, 80), (8, 9), (9, 8)):
        yield Picture("PNG larger than its data", png(header(width, height, 8, 0), raw), EITHER)
    for width, height in ((4, 4), (8, 1)):
        yield Picture("PNG smaller than its data", png(header(width, height, 8, 0), raw), EITHER)
    for depth in (0, 3, 5, 7, 9, 32, 255):
        yield Picture("PNG impossible depth", png(header(8, 8, depth, 0), raw), BROKEN)
    for colour in (1, 5, 7, 255):
        yield Picture("PNG impossible colour", png(header(8, 8, 8, colour), raw), BROKEN)
    for interlace in (1, 2, 255):
        yield Picture("PNG interlace lies", png(header(8, 8, 8, 0, interlace), raw), EITHER)
    bad_filter = (b"\x09" + b"\x40" * 8) * 8
    yield Picture("PNG impossible filter", png(header(8, 8, 8, 0), bad_filter), EITHER)
    yield Picture("PNG palette missing", png(header(8, 8, 8, 3), raw), EITHER)
    short = chunk(b"PLTE", b"\0\0\0")
    yield Picture("PNG palette too short", png(header(8, 8, 8, 3), raw, short), EITHER)
    uneven = chunk(b"PLTE", b"\0\0\0\0")
    yield Picture("PNG palette uneven", png(header(8, 8, 8, 3), raw, uneven), EITHER)
    long = chunk(b"PLTE", b"\0\1\2" * 10_000)
    yield Picture("PNG palette too long", png(header(8, 8, 8, 3), raw, long), EITHER)
    for colour in (0, 2, 4, 6):
        veil = chunk(b"tRNS", b"\xff" * 700)
        lines = (b"\0" + b"\x40" * 8 * {0: 1, 2: 3, 4: 2, 6: 4}[colour]) * 8
        yield Picture("PNG odd transparency", png(header(8, 8, 8, colour), lines, veil), EITHER)


def _checksums() -> Iterator[Picture]:
    raw = (b"\0" + b"\x40" * 8) * 8
    good = png(header(8, 8, 8, 0), raw, chunk(b"tEXt", b"a\0b"))
    for name in (b"IHDR", b"IDAT", b"tEXt", b"IEND"):
        place = good.index(name)
        length = struct.unpack(">I", good[place - 4 : place])[0]
        spot = place + 4 + length
        bad = good[:spot] + bytes([good[spot] ^ 1]) + good[spot + 1 :]
        codes = BROKEN if name == b"IHDR" else EITHER
        yield Picture("PNG checksum wrong", bad, codes)
        lying = good[: place - 4] + b"\xff\xff\xff\xff" + good[place:]
        yield Picture("PNG chunk length lies", lying, EITHER)
        yield Picture("PNG cut short", good[: place + 2], EITHER)
    packed = zlib.compress(raw)
    bad_sum = packed[:-1] + bytes([packed[-1] ^ 1])
    body = PNG_SIGNATURE + header(8, 8, 8, 0) + chunk(b"IDAT", bad_sum) + _END
    yield Picture("PNG checksum wrong", body, EITHER)


def _bombs() -> Iterator[Picture]:
    """Little that unpacks to much."""
    raw = (b"\0" + b"\x40" * 8) * 8
    head = header(8, 8, 8, 0)
    zeros = zlib.compress(b"\0" * 50_000_000, 9)
    yield Picture("PNG pixels bomb", PNG_SIGNATURE + head + chunk(b"IDAT", zeros) + _END, EITHER)
    flat = png(header(3000, 3000, 1, 0), b"\0" * 376 * 3000)
    yield Picture("PNG large and flat", flat, READ)
    over = png(header(5001, 5000, 1, 0), b"\0" * 627 * 5000)
    yield Picture("PNG just too large", over, TOO_LARGE)
    yield Picture("PNG zTXt bomb", png(head, raw, chunk(b"zTXt", b"a\0\0" + zeros)), EITHER)
    text = chunk(b"iTXt", b"a\0\1\0en\0a\0" + zeros)
    yield Picture("PNG iTXt bomb", png(head, raw, text), EITHER)
    yield Picture("PNG iTXt bomb", png(head, raw, after=(text,)), EITHER)
    yield Picture("PNG iCCP bomb", png(head, raw, chunk(b"iCCP", b"a\0\0" + zeros)), EITHER)
    some = chunk(b"zTXt", b"a\0\0" + zlib.compress(b"\0" * 500_000, 9))
    yield Picture("PNG many zTXt", png(head, raw, *[some] * 40), EITHER)
    yield Picture("PNG large text", png(head, raw, chunk(b"tEXt", b"a\0" + b"x" * 900_000)), EITHER)
    exif = b"MM\0*\0\0\0\x08" + b"\xff\xff" + b"\x01\x12\0\x03\xff\xff\xff\xff\0\0\0\x08" * 5000
    yield Picture("PNG EXIF bomb", png(head, raw, chunk(b"eXIf", exif)), EITHER)
    loop = b"II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0"
    yield Picture("PNG EXIF loop", png(head, raw, chunk(b"eXIf", loop)), EITHER)


def _chunks() -> Iterator[Picture]:
    """Chunks too many, twice, in the wrong order, or with nonsense inside."""
    raw = (b"\0" + b"\x40" * 8) * 8
    head, data = header(8, 8, 8, 0), chunk(b"IDAT", zlib.compress(raw))
    yield Picture("PNG 20,000 chunks", png(head, raw, *[chunk(b"tEXt", b"a\0b")] * 20_000), EITHER)
    yield Picture("PNG 20,000 chunks", png(head, raw, *[chunk(b"abCd", b"")] * 20_000), EITHER)
    packed = zlib.compress(raw)
    pieces = b"".join(chunk(b"IDAT", packed[i : i + 1]) for i in range(len(packed)))
    yield Picture("PNG data byte by byte", PNG_SIGNATURE + head + pieces + _END, READ)
    yield Picture("PNG two headers", PNG_SIGNATURE + head + head + data + _END, EITHER)
    second = header(5000, 5000, 8, 6)
    yield Picture("PNG second header lies", PNG_SIGNATURE + head + second + data + _END, EITHER)
    yield Picture("PNG no data", PNG_SIGNATURE + head + _END, BROKEN)
    yield Picture("PNG no header", PNG_SIGNATURE + data + _END, BROKEN)
    yield Picture("PNG no end", PNG_SIGNATURE + head + data, EITHER)
    yield Picture("PNG signature alone", PNG_SIGNATURE, BROKEN)
    yield Picture("PNG signature alone", PNG_SIGNATURE + b"\0" * 1000, BROKEN)
    for name in (b"pHYs", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"tIME", b"sBIT", b"bKGD", b"hIST"):
        for content in (b"", b"\xff", b"\xff" * 40):
            yield Picture("PNG odd chunk", png(head, raw, chunk(name, content)), EITHER)
    yield Picture("PNG chunk name", png(head, raw, chunk(b"\0\xff!~", b"x")), EITHER)


def _animations() -> Iterator[Picture]:
    frames = [Image.fromarray(noise(9, 11, 3, seed)) for seed in range(3)]
    apng = encoded(frames[0], save_all=True, append_images=frames[1:])
    yield Picture("APNG", apng, ANIMATED)
    raw = (b"\0" + b"\x40" * 8) * 8
    for count in (0, 1, 2, 2**31 - 1, 2**32 - 1):
        control = chunk(b"acTL", struct.pack(">II", count, 0))
        lying = png(header(8, 8, 8, 0), raw, control)
        yield Picture("APNG without frames", lying, EITHER | ANIMATED)
    big = struct.pack(">IIIIIHHBB", 0, 2**31 - 1, 2**31 - 1, 2**31, 2**31, 1, 1, 0, 0)
    control = chunk(b"acTL", struct.pack(">II", 1, 0))
    lying = png(header(8, 8, 8, 0), raw, control, chunk(b"fcTL", big))
    yield Picture("APNG frame lies", lying, EITHER | ANIMATED)

"""No bytes, however odd, raise anything but our own errors."""

import warnings

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from service.errors import RequestError
from service.fitting import FIT_MODES, FitMode
from service.images import InputSpec, decode_for_model, decode_for_warp, open_image
from tests.service.pictures import PNG_SIGNATURE, chunk, encoded, header, noise, photo

# Small, so that a mutated header cannot make an example slow.
LIMIT = 250_000
SIGNATURES = (
    PNG_SIGNATURE,
    b"\xff\xd8\xff",
    b"\xff\xd8\xff\xe1",
    b"RIFF\x40\0\0\0WEBPVP8 ",
    b"RIFFabcdWEBP",
)

_EXIF = Image.Exif()
_EXIF[0x0112] = 6
SEEDS = {
    "png": encoded(noise(9, 11)),
    "png palette": encoded(Image.fromarray(noise(9, 11)).quantize(8), transparency=b"\x80"),
    "png 16 bit": encoded(Image.fromarray(noise(9, 11, None).astype(np.uint16) * 257)),
    "png exif": encoded(noise(9, 11, 4), exif=_EXIF),
    "apng": encoded(
        Image.fromarray(noise(9, 11)),
        save_all=True,
        append_images=[Image.fromarray(noise(9, 11, 3, 1))],
    ),
    "jpeg": encoded(photo(32, 40), "JPEG"),
    "jpeg progressive": encoded(photo(32, 40), "JPEG", progressive=True, exif=_EXIF),
    "jpeg cmyk": encoded(photo(32, 40).convert("CMYK"), "JPEG"),
    "mpo": encoded(photo(32, 40), "MPO", save_all=True, append_images=[photo(32, 40, seed=1)]),
    "webp": encoded(photo(32, 40), "WEBP", exif=_EXIF),
    "webp lossless": encoded(noise(9, 11, 4), "WEBP", lossless=True),
}  # fmt: skip
SPECS = st.sampled_from([InputSpec(42, 42, 1, 0), InputSpec(5, 9, 3, 255)])
CHUNKS = st.tuples(
    st.sampled_from(
        [b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT", b"eXIf", b"iCCP",
         b"zTXt", b"iTXt", b"tEXt", b"pHYs", b"gAMA", b"cHRM", b"sRGB", b"xxXx"]
    ),
    st.binary(max_size=40),
)  # fmt: skip


def decode_every_way(content: bytes, spec: InputSpec, mode: FitMode, invert: bool) -> None:
    """Decode, or be refused with an error of ours; anything else fails the test."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
        try:
            result = decode_for_model(open_image(content, LIMIT), spec, mode, invert)
            assert result.pixels.shape == (spec.height, spec.width, spec.channels)
            assert result.pixels.dtype == np.uint8
        except RequestError:
            pass
        try:
            pixels = decode_for_warp(open_image(content, LIMIT))
            assert pixels.ndim == 3
            assert pixels.shape[2] <= 4
        except RequestError:
            pass


WAYS = (SPECS, st.sampled_from(FIT_MODES), st.booleans())


@given(st.binary(max_size=300), *WAYS)
def test_random_bytes(content: bytes, spec: InputSpec, mode: FitMode, invert: bool) -> None:
    decode_every_way(content, spec, mode, invert)


@given(st.sampled_from(SIGNATURES), st.binary(max_size=300), *WAYS)
def test_random_bytes_behind_a_true_signature(
    signature: bytes, rest: bytes, spec: InputSpec, mode: FitMode, invert: bool
) -> None:
    decode_every_way(signature + rest, spec, mode, invert)


@pytest.mark.parametrize("seed", SEEDS)
@given(
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6),
    ways=st.tuples(*WAYS),
)
@settings(max_examples=150)
def test_mutated_files(
    seed: str, edits: list[tuple[float, int]], ways: tuple[InputSpec, FitMode, bool]
) -> None:
    content = bytearray(SEEDS[seed])
    for place, value in edits:
        content[int(place * (len(content) - 1))] = value

    decode_every_way(bytes(content), *ways)


@pytest.mark.parametrize("seed", SEEDS)
def test_files_cut_short_anywhere(seed: str) -> None:
    """Every fifth length."""
    content = SEEDS[seed]

    for length in range(0, len(content), max(5, len(content) // 200)):
        decode_every_way(content[:length], InputSpec(42, 42, 1, 0), "pad", False)


@pytest.mark.parametrize("seed", SEEDS)
def test_files_with_a_piece_missing(seed: str) -> None:
    content = SEEDS[seed]

    for place in range(0, len(content), max(7, len(content) // 100)):
        piece = content[:place] + content[place + 11 :]
        decode_every_way(piece, InputSpec(42, 42, 1, 0), "pad", False)


@given(
    size=st.tuples(st.integers(0, 400), st.integers(0, 400)),
    kind=st.tuples(st.sampled_from([1, 2, 4, 8, 16, 3]), st.sampled_from([0, 2, 3, 4, 6, 5])),
    chunks=st.lists(CHUNKS, max_size=6),
    ways=st.tuples(*WAYS),
)
@example(
    (3, 3), (16, 2), [(b"tRNS", b"\xff" * 6), (b"IDAT", b"")], (InputSpec(5, 9, 3, 0), "pad", False)
)
@settings(max_examples=400)
def test_png_chunks_in_any_order(
    size: tuple[int, int],
    kind: tuple[int, int],
    chunks: list[tuple[bytes, bytes]],
    ways: tuple[InputSpec, FitMode, bool],
) -> None:
    """Each chunk is whole and has its checksum: the decoder gets further than with random bytes."""
    body = b"".join(chunk(name, data) for name, data in chunks)

    decode_every_way(PNG_SIGNATURE + header(*size, *kind) + body, *ways)

"""Bodies packed and unpacked within bounds."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import BodyTooLarge, MalformedRequest, UnsupportedMediaType
from service.oip.compression import choose_coding, compress, decompress
from tests.service.refusals import refusal_of

LIMIT = 10_000
PACK: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}
UNPACK: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.decompress, "deflate": zlib.decompress}
CODINGS = sorted(PACK)


@given(st.sampled_from(CODINGS), st.binary(max_size=LIMIT))
def test_what_others_pack_is_unpacked_and_the_other_way_round(coding: str, content: bytes) -> None:
    assert decompress(coding, PACK[coding](content), LIMIT) == content
    assert UNPACK[coding](compress(coding, content)) == content


@pytest.mark.parametrize("coding", ["", "identity", " Identity "])
def test_what_is_not_packed_stays(coding: str) -> None:
    assert decompress(coding, b"abc", LIMIT) == b"abc"


@pytest.mark.parametrize("coding", [*CODINGS, "GZip", "x-gzip", " deflate"])
def test_names_of_codings_have_no_case(coding: str) -> None:
    name = coding.strip().lower().removeprefix("x-")

    assert decompress(coding, PACK[name](b"abc"), LIMIT) == b"abc"


@pytest.mark.parametrize("coding", CODINGS)
def test_the_limit_holds_to_the_byte(coding: str) -> None:
    assert len(decompress(coding, PACK[coding](b"x" * LIMIT), LIMIT)) == LIMIT
    with pytest.raises(BodyTooLarge):
        decompress(coding, PACK[coding](b"x" * (LIMIT + 1)), LIMIT)


@pytest.mark.parametrize("coding", CODINGS)
def test_a_bomb_takes_no_more_memory_than_the_limit(coding: str) -> None:
    """20 MB in 20 KB: what is held on the way stays below three times the limit."""
    bomb = PACK[coding](bytes(20_000_000))
    limit = 1_000_000
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLarge):
            decompress(coding, bomb, limit)
        assert tracemalloc.get_traced_memory()[1] < 3 * limit
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("coding", CODINGS)
def test_what_is_broken_cut_short_or_followed_by_something_is_refused(coding: str) -> None:
    packed = PACK[coding](b"some content that is long enough")

    for body in (b"", b"plain", packed[:-1], packed[: len(packed) // 2], packed + b"x"):
        with pytest.raises(MalformedRequest):
            decompress(coding, body, LIMIT)


def test_further_gzip_members_are_refused() -> None:
    """Each may be a bomb of its own; no client of the protocol sends several."""
    with pytest.raises(MalformedRequest):
        decompress("gzip", gzip.compress(b"a") + gzip.compress(b"b"), LIMIT)


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "deflate, gzip", "x", "gzip;q=1"])
def test_other_codings_are_refused(coding: str) -> None:
    with pytest.raises(UnsupportedMediaType, match="send gzip, deflate or identity"):
        decompress(coding, b"abc", LIMIT)


@given(st.sampled_from(CODINGS), st.binary(max_size=200))
def test_no_bytes_bring_anything_but_a_refusal(coding: str, body: bytes) -> None:
    refusal_of(lambda: decompress(coding, body, LIMIT))


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("", ""),
        ("identity", ""),
        ("br", ""),
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("gzip, deflate, br", "gzip"),
        ("deflate, gzip", "deflate"),
        ("gzip;q=0.5, deflate;q=0.8", "deflate"),
        ("gzip;q=0, deflate;q=0", ""),
        ("GZIP", "gzip"),
        ("gzip;q=x", ""),
        (";;,,", ""),
    ],
)
def test_an_answer_is_packed_as_the_caller_likes_best(accepted: str, coding: str) -> None:
    assert choose_coding(accepted, 10_000) == coding


def test_what_fits_into_a_packet_is_not_packed() -> None:
    assert choose_coding("gzip", 500) == ""

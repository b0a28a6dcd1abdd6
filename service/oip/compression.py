"""Bodies that travel compressed: gzip and deflate, within bounds. Pure."""

import zlib

from service.errors import BodyTooLarge, FieldError, MalformedRequest, UnsupportedMediaType
from service.options import describe

# zlib's name for each format: a gzip member, or (what HTTP calls deflate) a zlib stream.
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_SMALLEST = 1024
# The fastest: the numbers of a tensor hardly get smaller with more effort.
_LEVEL = 1


def decompress(coding: str, body: bytes, max_bytes: int) -> bytes:
    """Return a body as it was before it was compressed.

    Args:
        coding: the header Content-Encoding; empty when there is none.
        body: as it came.
        max_bytes: most that it may unpack to; no more memory is ever used.

    Raises:
        UnsupportedMediaType: another coding, or several.
        MalformedRequest: it does not unpack, is cut short, or has more behind it.
        BodyTooLarge: it unpacks to too much.
    """
    coding = coding.strip().lower()
    if coding in ("", "identity"):
        return body
    if coding not in _WINDOW_BITS:
        expected = "gzip, deflate or identity"
        raise UnsupportedMediaType(
            f"the Content-Encoding {describe(coding)} is not read here; send {expected}",
            (FieldError("Content-Encoding", describe(coding), expected),),
        )
    unpacker = zlib.decompressobj(_WINDOW_BITS[coding])
    try:
        content = unpacker.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise MalformedRequest(
            f"the body is not what its Content-Encoding says: {coding}"
        ) from error
    if len(content) > max_bytes:
        raise BodyTooLarge(
            f"the body unpacks to more than {max_bytes} bytes, the most that is accepted. "
            "Send a smaller one."
        )
    if not unpacker.eof or unpacker.unused_data:
        raise MalformedRequest(f"the {coding} body is cut short, or something follows it")
    return content


def choose_coding(accept_encoding: str, size: int) -> str:
    """Return how to compress an answer: `gzip`, `deflate`, or not at all (empty).

    Args:
        accept_encoding: the header; empty when there is none.
        size: of the answer in bytes; one that fits into a packet gains nothing.

    Source: RFC 9110, section 12.5.3.
    """
    if size < _SMALLEST or not accept_encoding:
        return ""
    best, best_quality = "", 0.0
    for part in accept_encoding.lower().split(","):
        coding, _, parameter = (text.strip() for text in part.partition(";"))
        try:
            quality = float(parameter.removeprefix("q=")) if parameter else 1.0
        except ValueError:
            quality = 0.0
        if coding in ("gzip", "deflate") and quality > best_quality:
            best, best_quality = coding, quality
    return best


def compress(coding: str, body: bytes) -> bytes:
    """Return a body compressed with a coding that `choose_coding` gave."""
    packer = zlib.compressobj(_LEVEL, wbits=_WINDOW_BITS[coding])
    return packer.compress(body) + packer.flush()

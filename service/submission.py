"""What a request submits: pictures and options, out of multipart, raw or JSON bodies."""

import binascii
import logging
import re
from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from service.errors import (
    FieldError,
    MalformedRequest,
    MissingImage,
    UnsupportedMediaType,
)
from service.options import describe

# It warns of every malformed body: strangers would write the log.
logging.getLogger("python_multipart").setLevel(logging.ERROR)

IMAGE_TYPES = ("image/png", "image/jpeg", "image/webp")
# Of an object, or the white space before it; no picture begins so.
_JSON_STARTS = (b"{", b" ", b"\t", b"\r", b"\n")
# Neither base64 nor a data URI holds many commas; a million tiny lists would cost a gigabyte.
_MAX_JSON_COMMAS = 10_000
# Of lists and objects; a theta has three, and depth can be no more.
_MAX_JSON_OPENINGS = 64
# Decoded at a time: elsewhere nothing runs meanwhile, also not on other threads. Divisible by 4.
_BASE64_STEP = 1 << 20
_MAX_PARTS = 256
_MAX_OPTION_BYTES = 4096
_DATA_URI = re.compile(r"data:[\w.+/-]{0,100}(;[\w=.+-]{1,100}){0,4};base64,", re.ASCII)


@dataclass
class Submission:
    """Pictures in the order in which they came, and options by name."""

    images: list[bytes] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)

    def add_options(self, pairs: Iterable[tuple[str, Any]]) -> None:
        """Add options.

        Raises:
            MalformedRequest: one of them was given already.
        """
        for name, value in pairs:
            if name in self.options:
                shown = describe(name)
                raise MalformedRequest(
                    f"the option {shown} is given twice; give it once, in the query or in the body",
                    (FieldError(shown, "two values", "one value"),),
                )
            self.options[name] = value

    def single_image(self) -> bytes:
        """Return the one picture.

        Raises:
            MissingImage: there is none, or it is empty.
            MalformedRequest: there are several.
        """
        if len(self.images) > 1:
            raise MalformedRequest(
                f"{len(self.images)} images came, one was expected; send several to /predict/batch"
            )
        if not self.images or not self.images[0]:
            raise MissingImage(
                "no image came. Send it as the multipart part 'image', as a raw body of type "
                'image/png, image/jpeg or image/webp, or as JSON {"image": "<base64>"}'
            )
        return self.images[0]


def read_submission(
    content_type: str, body: bytes, query: Iterable[tuple[str, str]] = ()
) -> Submission:
    """Read pictures and options out of a request.

    Args:
        content_type: the header, empty when there was none; JSON is then recognised by its brace.
        body: all of it.
        query: options of the URL.

    Raises:
        MissingImage: the body is empty.
        MalformedRequest: the body does not parse.
        UnsupportedMediaType: the body is of a type that is not read.
    """
    submission = Submission()
    media_type, _, _ = content_type.partition(";")
    media_type = media_type.strip().lower()
    if not body:
        submission.single_image()
    if media_type == "multipart/form-data":
        _read_multipart(content_type, body, submission)
    elif media_type in IMAGE_TYPES or media_type == "application/octet-stream":
        submission.images.append(body)
    elif media_type == "application/json" or (not media_type and body[:1] in _JSON_STARTS):
        _read_json(body, submission)
    elif not media_type:
        submission.images.append(body)
    else:
        raise UnsupportedMediaType(
            f"a body of type {describe(media_type)} is not read here; send multipart/form-data, "
            "application/json, image/png, image/jpeg or image/webp",
            (FieldError("Content-Type", describe(media_type), "one of the types named"),),
        )
    submission.add_options(query)
    return submission


def _read_json(body: bytes, submission: Submission) -> None:
    if body.count(b",") > _MAX_JSON_COMMAS:
        raise MalformedRequest("the JSON body has too many members; send images and options alone")
    if body.count(b"[") + body.count(b"{") > _MAX_JSON_OPENINGS:
        raise MalformedRequest(
            f"the JSON body has more than {_MAX_JSON_OPENINGS} lists and objects; send images and "
            "options alone"
        )
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedRequest(
            f"the body is not valid JSON (line {error.lineno}, column {error.colno})"
        ) from error
    if not isinstance(document, dict):
        raise MalformedRequest(f"the JSON body must be an object; got {describe(document)}")
    if "image" in document and "images" in document:
        raise MalformedRequest("the JSON body has both 'image' and 'images'; send one of them")
    images = document.pop("images", None)
    if images is not None and not isinstance(images, list):
        raise MalformedRequest(f"'images' must be a list of base64 texts; got {describe(images)}")
    if "image" in document:
        images = [document.pop("image")]
    submission.images += [image_from_base64(text) for text in images or []]
    submission.add_options(document.items())


def image_from_base64(text: Any) -> bytes:
    """Return the bytes in a base64 text or data URI.

    Raises:
        MalformedRequest: it is neither.
    """
    if not isinstance(text, str):
        raise MalformedRequest(
            f"an image in JSON must be base64 text or a data URI; got {describe(text)}"
        )
    start = 0
    if text.startswith("data:"):
        header = _DATA_URI.match(text)
        if header is None:
            raise MalformedRequest(
                "the data URI must start like 'data:image/png;base64,'; nothing else is read, "
                "and no URL is ever fetched"
            )
        start = header.end()
    try:
        if len(text) - start <= _BASE64_STEP:
            return b64decode(text[start:] if start else text, validate=True)
        pieces = [
            b64decode(text[begin : begin + _BASE64_STEP], validate=True)
            for begin in range(start, len(text), _BASE64_STEP)
        ]
        if any(len(piece) != _BASE64_STEP // 4 * 3 for piece in pieces[:-1]):
            raise ValueError("padding before the end")
        return b"".join(pieces)
    except (binascii.Error, ValueError) as error:
        raise MalformedRequest("the image is not valid base64 (RFC 4648, with padding)") from error


def _read_multipart(content_type: str, body: bytes, submission: Submission) -> None:
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise MalformedRequest("the Content-Type multipart/form-data names no boundary")
    collector = _PartCollector(submission)
    try:
        parser = MultipartParser(boundary, collector.callbacks(), max_header_count=8)
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise MalformedRequest(
            "the multipart body does not parse; it must follow RFC 7578 with the boundary that the "
            "Content-Type names"
        ) from error
    if not collector.ended:
        raise MalformedRequest("the multipart body is cut short: its last boundary is missing")


class _PartCollector:
    """Takes the parser's callbacks and sorts parts into pictures and options."""

    def __init__(self, submission: Submission) -> None:
        self._submission = submission
        self._parts = 0
        self.ended = False
        self._reset()

    def callbacks(self) -> Any:
        return {
            "on_part_begin": self._reset,
            "on_part_data": self._on_data,
            "on_part_end": self._on_part_end,
            "on_header_begin": self._on_header_begin,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_end": self._on_end,
        }

    def _reset(self) -> None:
        self._parts = getattr(self, "_parts", 0) + 1
        if self._parts > _MAX_PARTS + 1:
            raise MalformedRequest(f"the multipart body has more than {_MAX_PARTS} parts")
        self._chunks: list[bytes] = []
        self._size = 0
        self._disposition = b""
        self._field = b""
        self._value = b""

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        self._chunks.append(data[start:end])

    def _on_header_begin(self) -> None:
        self._field = self._value = b""

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = self._value

    def _on_end(self) -> None:
        self.ended = True

    def _on_part_end(self) -> None:
        content = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        name = parse_options_header(self._disposition)[1].get(b"name", b"")
        if name in (b"image", b"images"):
            self._submission.images.append(content)
            return
        text = name.decode("utf-8", "replace")
        if not text:
            raise MalformedRequest("a part of the multipart body has no name")
        if len(content) > _MAX_OPTION_BYTES:
            raise MalformedRequest(
                f"the option {describe(text)} has {len(content)} bytes, at most "
                f"{_MAX_OPTION_BYTES} are read; the picture goes into the part 'image'"
            )
        self._submission.add_options([(text, content.decode("utf-8", "replace"))])

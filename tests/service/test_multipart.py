"""Pictures and options out of multipart bodies (RFC 7578)."""

from typing import Any

import httpx
import pytest

from service.errors import MalformedRequest, MissingImage
from service.submission import read_submission

IMAGE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) + b"\r\n--not-the-boundary\r\n"
TYPE = "multipart/form-data; boundary=b"


def part(disposition: str, content: bytes, *headers: str) -> bytes:
    lines = [f"Content-Disposition: form-data{disposition}", *headers]
    return b"--b\r\n" + "\r\n".join(lines).encode() + b"\r\n\r\n" + content + b"\r\n"


def read(*parts: bytes, end: bytes = b"--b--\r\n", query: Any = ()) -> Any:
    return read_submission(TYPE, b"".join(parts) + end, query)


def test_a_true_client_is_understood() -> None:
    """What httpx writes: a file and options."""
    request = httpx.Request(
        "POST",
        "http://x/",
        files={"image": ('odd "name" ä.png', IMAGE, "image/png")},
        data={"top_k": "2", "fit": "crop"},
    )
    submission = read_submission(request.headers["content-type"], request.read())

    assert submission.single_image() == IMAGE
    assert submission.options == {"top_k": "2", "fit": "crop"}


@pytest.mark.parametrize(
    "disposition",
    ["; name=image", '; name="image"', '; filename="a.png"; name="image"', '; name="images"',
     "; NAME=image"],
)  # fmt: skip
def test_names_are_read_quoted_or_not(disposition: str) -> None:
    assert read(part(disposition, IMAGE)).single_image() == IMAGE


@pytest.mark.parametrize(
    "content_type",
    [TYPE, 'multipart/form-data; boundary="b"', "Multipart/Form-Data; charset=utf-8; boundary=b"],
)
def test_boundaries_are_read_quoted_or_not(content_type: str) -> None:
    body = part("; name=image", IMAGE) + b"--b--\r\n"

    assert read_submission(content_type, body).single_image() == IMAGE


def test_what_the_part_is_said_to_be_does_not_matter() -> None:
    submission = read(part("; name=image", IMAGE, "Content-Type: text/html", "X-Any: thing"))

    assert submission.single_image() == IMAGE


def test_several_images_keep_their_order() -> None:
    images = [bytes([number]) * 1000 for number in range(20)]

    assert read(*(part("; name=image", i) for i in images)).images == images


def test_text_around_the_parts_is_ignored() -> None:
    body = part("; name=image", IMAGE) + b"--b--\r\nand a word after the end"

    assert read_submission(TYPE, body).single_image() == IMAGE


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=",
                                          'multipart/form-data; boundary=""'])  # fmt: skip
def test_without_a_boundary_nothing_can_be_read(content_type: str) -> None:
    with pytest.raises(MalformedRequest, match="names no boundary"):
        read_submission(content_type, part("; name=image", IMAGE))


def test_another_boundary_is_refused() -> None:
    with pytest.raises(MalformedRequest, match="boundary"):
        read_submission("multipart/form-data; boundary=other", part("; name=image", IMAGE))


def test_a_malformed_body_writes_nothing_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """The parser would warn of each, and whoever sends them would fill the disk."""
    with pytest.raises(MalformedRequest):
        read_submission(TYPE, b"--x\r\n\r\n")

    assert caplog.records == []


def test_a_body_cut_short_anywhere_is_refused() -> None:
    """Never is a picture that is only half there taken for a whole one."""
    body = part("; name=top_k", b"2") + part("; name=image", IMAGE) + b"--b--\r\n"

    for length in range(1, len(body) - len(b"--\r\n")):
        with pytest.raises(MalformedRequest):
            read_submission(TYPE, body[:length])


@pytest.mark.parametrize("disposition", ["", '; name=""', "; filename=a.png"])
def test_a_part_needs_a_name(disposition: str) -> None:
    with pytest.raises(MalformedRequest, match="has no name"):
        read(part(disposition, IMAGE))


def test_256_parts_are_read_and_no_more() -> None:
    parts = [part(f"; name=o{number}", b"1") for number in range(257)]

    assert len(read(*parts[:256]).options) == 256
    with pytest.raises(MalformedRequest, match="more than 256 parts"):
        read(*parts)


def test_an_option_of_4096_bytes_is_read_and_no_larger_one() -> None:
    """A picture under a wrong name is the commonest mistake; the answer says where it belongs."""
    assert len(read(part("; name=theta", b"1" * 4096)).options["theta"]) == 4096
    with pytest.raises(
        MalformedRequest, match=r"'file' has 4097 bytes.*goes into the part 'image'"
    ):
        read(part("; name=file", b"1" * 4097))


def test_many_headers_and_long_ones_are_refused() -> None:
    with pytest.raises(MalformedRequest):
        read(part("; name=image", IMAGE, *(f"X-{number}: y" for number in range(20))))
    with pytest.raises(MalformedRequest):
        read(part("; name=image", IMAGE, "X: " + "y" * 100_000))


def test_an_option_given_twice_is_refused() -> None:
    with pytest.raises(MalformedRequest, match="'top_k' is given twice"):
        read(part("; name=top_k", b"1"), part("; name=top_k", b"1"))
    with pytest.raises(MalformedRequest, match="'top_k' is given twice"):
        read(part("; name=top_k", b"1"), query=[("top_k", "1")])


def test_an_option_that_is_no_text_is_still_one() -> None:
    """What is not UTF-8 becomes replacement characters, to be refused with the option's name."""
    assert read(part("; name=fit", b"\xff")).options == {"fit": "\N{REPLACEMENT CHARACTER}"}


@pytest.mark.parametrize("parts", [[], [part("; name=image", b"")], [part("; name=fit", b"pad")]])
def test_without_an_image_there_is_none(parts: list[bytes]) -> None:
    with pytest.raises(MissingImage):
        read(*parts).single_image()

"""Every server is sent the same picture, and its answer is read."""

import base64
import json
from email.message import Message
from email.parser import BytesParser

import pytest

from benchmarks.serving.candidates import Candidate, candidates
from benchmarks.serving.messages import Request, has_image, label_of

PICTURE = b"\x89PNG\r\n\x1a\n-- not \xff a picture\r\n"
EVERYONE = candidates("127.0.0.1:8500")


def picture_in(request: Request) -> bytes:
    """Return the picture that a request carries, however it carries it."""
    if request.content_type == "application/json":
        told = json.loads(request.body)
        if "inputs" in told:
            return base64.b64decode(told["inputs"][0]["data"][0])
        value = told.get("image") or told["images"][0]
        return base64.b64decode(value)
    if request.content_type.startswith("multipart/"):
        head = f"Content-Type: {request.content_type}\r\n\r\n".encode()
        part = BytesParser().parsebytes(head + request.body).get_payload(0)
        assert isinstance(part, Message)
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        return content
    return request.body


@pytest.mark.parametrize("with_image", [False, True])
@pytest.mark.parametrize("candidate", EVERYONE, ids=lambda candidate: candidate.key)
def test_everyone_is_sent_the_same_picture(candidate: Candidate, with_image: bool) -> None:
    assert picture_in(candidate.asking(PICTURE, with_image)) == PICTURE


@pytest.mark.parametrize("candidate", EVERYONE, ids=lambda candidate: candidate.key)
def test_the_two_forms_of_answer_are_asked_for_differently(candidate: Candidate) -> None:
    assert candidate.asking(PICTURE, True) != candidate.asking(PICTURE, False)


def test_keys_are_unique() -> None:
    assert len({candidate.key for candidate in EVERYONE}) == len(EVERYONE)


@pytest.mark.parametrize(
    "answer",
    [
        {"label": "7", "warped": [[0.0]]},
        [{"label": "7", "warped": "iVBOR"}],
        {"outputs": [{"name": "label", "data": ["7"]}, {"name": "warped", "data": [0.0]}]},
    ],
)
def test_the_label_and_the_image_are_found_in_each_form_of_answer(answer: object) -> None:
    body = json.dumps(answer).encode()

    assert label_of(body) == "7"
    assert has_image(body)


def test_an_answer_without_an_image_has_none() -> None:
    assert not has_image(b'{"label": "7", "probabilities": []}')
    assert not has_image(b'{"outputs": [{"name": "label", "data": ["7"]}]}')


@pytest.mark.parametrize("body", [b"{}", b"[]", b"7", b'{"detail": "Not Found"}'])
def test_an_answer_without_a_label_is_an_error(body: bytes) -> None:
    with pytest.raises(ValueError, match="names no label"):
        label_of(body)

"""Pictures and options out of raw and JSON bodies."""

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import MalformedRequest, MissingImage, UnsupportedMediaType
from service.submission import read_submission
from tests.service.refusals import refusal_of

IMAGE = bytes(range(256))
TEXT = base64.b64encode(IMAGE).decode()


def json_submission(document: Any, query: tuple[tuple[str, str], ...] = ()) -> Any:
    return read_submission("application/json", orjson.dumps(document), query)


@pytest.mark.parametrize(
    "content_type",
    ["image/png", "image/jpeg", "image/webp", "IMAGE/PNG", "image/png; x=y", "",
     "application/octet-stream"],
)  # fmt: skip
def test_a_raw_body_is_the_image(content_type: str) -> None:
    submission = read_submission(content_type, IMAGE, [("top_k", "2")])

    assert submission.single_image() == IMAGE
    assert submission.options == {"top_k": "2"}


@pytest.mark.parametrize("text", [TEXT, f"data:image/png;base64,{TEXT}", f"data:;base64,{TEXT}",
                                  f"data:image/svg+xml;charset=utf-8;base64,{TEXT}"])  # fmt: skip
def test_json_carries_the_image_as_base64_or_data_uri(text: str) -> None:
    submission = json_submission({"image": text, "top_k": 2})

    assert submission.single_image() == IMAGE
    assert submission.options == {"top_k": 2}


@pytest.mark.parametrize(
    "content_type", ["", "application/json", "application/json; charset=utf-8"]
)
@pytest.mark.parametrize("space", [b"", b" ", b"\n\n", b"\t", b"\r\n"])
def test_json_is_known_by_its_type_or_its_brace(content_type: str, space: bytes) -> None:
    """Some inference clients send no Content-Type."""
    body = space + orjson.dumps({"image": TEXT})

    assert read_submission(content_type, body).single_image() == IMAGE


def test_several_images_keep_their_order() -> None:
    images = [bytes([number]) * 5 for number in range(5)]
    submission = json_submission({"images": [base64.b64encode(i).decode() for i in images]})

    assert submission.images == images


@pytest.mark.parametrize(
    "text",
    ["!!!!", "AAA", TEXT + "=", " " + TEXT, TEXT[:10] + "\n" + TEXT[10:], "ÄÖÜ",
     "data:image/png,plain", "data:image/png;base64", "data:text/html;base64,!!",
     "http://example.org/cat.png", "file:///etc/passwd"],
)  # fmt: skip
def test_what_is_no_base64_is_refused(text: str) -> None:
    """No URL is ever fetched."""
    with pytest.raises(MalformedRequest, match="base64"):
        json_submission({"image": text})


@pytest.mark.parametrize("value", [None, 5, True, [], {}, [TEXT]])
def test_an_image_in_json_is_text(value: Any) -> None:
    with pytest.raises(MalformedRequest, match="must be base64 text or a data URI"):
        json_submission({"image": value})


@pytest.mark.parametrize("value", [TEXT, 5, {"0": TEXT}])
def test_images_in_json_are_a_list(value: Any) -> None:
    with pytest.raises(MalformedRequest, match="must be a list"):
        json_submission({"images": value})


def test_image_and_images_contradict() -> None:
    with pytest.raises(MalformedRequest, match="both"):
        json_submission({"image": TEXT, "images": [TEXT]})


@pytest.mark.parametrize(
    "body",
    [b"{", b"nonsense", b'{"image": NaN}', b"\xff\xfe{}", b'{"a":' * 60, b"[" * 60,
     b'{"image": "\xff"}', b'{"image": "\\ud800"}'],
)  # fmt: skip
def test_broken_json_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedRequest, match="not valid JSON"):
        read_submission("application/json", body)


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b"[{"])
def test_deep_json_is_refused_unread(opening: bytes) -> None:
    """However it would end; depth is bounded before anything is parsed."""
    with pytest.raises(MalformedRequest, match="more than 64 lists and objects"):
        read_submission("application/json", b'{"image": ' + opening * 65)


@pytest.mark.parametrize("piece", [b"[],", b"{},", b"1,", b'"",'])
def test_json_of_countless_small_things_is_refused_unread(piece: bytes) -> None:
    """30 MB of empty lists would block the gateway for seconds and take a gigabyte."""
    body = b'{"image": [' + piece * 20_000 + b"0]}"

    with pytest.raises(MalformedRequest, match="too many members"):
        read_submission("application/json", body)


@pytest.mark.parametrize("document", [[], "text", 5, None, True])
def test_json_that_is_no_object_is_refused(document: Any) -> None:
    with pytest.raises(MalformedRequest, match="must be an object"):
        json_submission(document)


@pytest.mark.parametrize(
    "content_type", ["image/png", "application/json", "multipart/form-data", ""]
)
def test_an_empty_body_has_no_image(content_type: str) -> None:
    with pytest.raises(MissingImage):
        read_submission(content_type, b"")


@pytest.mark.parametrize("document", [{}, {"images": []}, {"image": ""}, {"top_k": 3}])
def test_json_without_an_image_has_none(document: dict[str, Any]) -> None:
    with pytest.raises(MissingImage):
        json_submission(document).single_image()


def test_two_images_are_one_too_many() -> None:
    with pytest.raises(MalformedRequest, match=r"2 images came.*/predict/batch"):
        json_submission({"images": [TEXT, TEXT]}).single_image()


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "image/gif", "text/html", "a",
     "multipart/mixed"],
)  # fmt: skip
def test_another_type_is_refused_with_those_that_are_read(content_type: str) -> None:
    with pytest.raises(UnsupportedMediaType, match="send multipart/form-data"):
        read_submission(content_type, IMAGE)


@pytest.mark.parametrize("query", [[("top_k", "1"), ("top_k", "1")], [("top_k", "3")]])
def test_an_option_given_twice_is_refused(query: list[tuple[str, str]]) -> None:
    """In the query twice, or in query and body: which of them counts would be a guess."""
    with pytest.raises(MalformedRequest, match="'top_k' is given twice"):
        json_submission({"image": TEXT, "top_k": 1}, tuple(query))


CONTENT_TYPES = st.sampled_from(
    ["application/json", "image/png", "", "multipart/form-data; boundary=b",
     'multipart/form-data; boundary="b"', "multipart/form-data", "multipart/form-data; boundary=",
     "multipart/form-data; boundary=\xff\xfe", "text/plain"]
)  # fmt: skip
QUERIES = st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=3)


@given(CONTENT_TYPES | st.text(st.characters(max_codepoint=255), max_size=60), st.binary(), QUERIES)
@settings(max_examples=500)
def test_no_body_raises_anything_but_our_own_errors(
    content_type: str, body: bytes, query: list[tuple[str, str]]
) -> None:
    assert len(refusal_of(lambda: read_submission(content_type, body, query))) < 400


MULTIPART_PIECES = st.sampled_from(
    [b"--b\r\n", b"--b--", b"\r\n", b"\r\n\r\n", b"Content-Disposition: form-data; name=image",
     b'Content-Disposition: form-data; name="top_k"', b'; filename="a.png"', b"X: y", b":", b"3",
     b"--", b"b", b"\n", b"\xff\xfe\0", b'"', b"Content-Disposition:", b"; name*=utf-8''%ff"]
)  # fmt: skip


@given(st.lists(MULTIPART_PIECES | st.binary(max_size=8), max_size=24).map(b"".join))
@settings(max_examples=500)
def test_no_multipart_body_raises_anything_but_our_own_errors(body: bytes) -> None:
    assert (
        len(
            refusal_of(
                lambda: read_submission("multipart/form-data; boundary=b", b"--b\r\n" + body)
            )
        )
        < 400
    )


_JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["image", "images", "theta", "top_k"]), _JSON_VALUES, max_size=4
    )
)
def test_no_json_document_raises_anything_but_our_own_errors(document: dict[str, Any]) -> None:
    assert len(refusal_of(lambda: json_submission(document))) < 400

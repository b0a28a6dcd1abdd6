"""The forms in which a picture may come: raw, multipart, base64 in JSON."""

import base64
from collections.abc import Callable

import orjson

from tests.torture.client import post

BOUNDARY = "b0undary"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
IDENTITY = "1,0,0,0,1,0"

Form = Callable[[str, bytes], bytes]


def part(content: bytes, disposition: str = '; name="image"', *headers: str) -> bytes:
    """Return one part of a multipart body, with the boundary before it."""
    lines = [f"--{BOUNDARY}", f"Content-Disposition: form-data{disposition}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + content + b"\r\n"


def multipart_body(*parts: bytes) -> bytes:
    """Return a whole multipart body."""
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def raw(path: str, content: bytes) -> bytes:
    """Return a request with the picture as its body."""
    return post(path, content, content_type="application/octet-stream")


def lying(path: str, content: bytes) -> bytes:
    """Return the same, under the name of a JPEG."""
    return post(path, content, content_type="image/jpeg")


def multipart(path: str, content: bytes) -> bytes:
    """Return a request with the picture as a part."""
    named = part(content, '; name="image"; filename="../../etc/cron.d/x.png"')
    return post(path, multipart_body(named), content_type=MULTIPART)


def in_json(path: str, content: bytes) -> bytes:
    """Return a request with the picture as base64 in JSON."""
    text = base64.b64encode(content).decode()
    member: dict[str, object] = {"images": [text]} if "batch" in path else {"image": text}
    return post(path, orjson.dumps(member), content_type="application/json")


def data_uri(path: str, content: bytes) -> bytes:
    """Return a request with the picture as a data URI in JSON."""
    text = "data:image/png;base64," + base64.b64encode(content).decode()
    member: dict[str, object] = {"images": [text]} if "batch" in path else {"image": text}
    return post(path, orjson.dumps(member), content_type="application/json")


FORMS: tuple[Form, ...] = (raw, multipart, in_json, lying, data_uri)
PATHS = ("/predict", f"/warp?theta={IDENTITY}", "/predict/batch")

"""Bodies that no client of good will sends: multipart, JSON and options."""

import base64
import gzip
import json
from collections.abc import Iterator

from tests.service.pictures import encoded, noise
from tests.torture.client import post
from tests.torture.corpus.forms import BOUNDARY, IDENTITY, MULTIPART, multipart_body, part
from tests.torture.corpus.kinds import MALFORMED, OK, READ, Codes, Hostile

PICTURE = encoded(noise(9, 11))
_BASE64 = base64.b64encode(PICTURE).decode()
_MISSING: Codes = frozenset({"missing_image"})
_UNKNOWN: Codes = frozenset({"unknown_option"})
_INVALID: Codes = frozenset({"invalid_option"})


def bodies() -> Iterator[Hostile]:
    """Return every one once."""
    yield from _multipart()
    yield from _json()
    yield from _options()
    yield from _types()


def _multipart() -> Iterator[Hostile]:
    image = part(PICTURE)
    good = multipart_body(image)

    def sent(body: bytes, codes: Codes, content_type: str = MULTIPART) -> Hostile:
        return Hostile("multipart", post("/predict", body, content_type=content_type), codes)

    for boundary in ("", "; boundary=", '; boundary=""', "; boundary=other", "; charset=utf-8"):
        yield sent(good, MALFORMED, f"multipart/form-data{boundary}")
    yield sent(good, MALFORMED | READ, f'multipart/form-data; boundary="{BOUNDARY}"; boundary=x')
    yield sent(good, MALFORMED, "multipart/form-data; boundary=" + "x" * 5000)
    yield sent(good, MALFORMED, "multipart/form-data; boundary=\xff\xfe")
    for length in (1, 10, len(image) // 2, len(image), len(good) - 3):
        yield sent(good[:length], MALFORMED)
    yield sent(good.replace(b"\r\n", b"\n"), MALFORMED)
    yield sent(multipart_body(), MALFORMED | _MISSING)
    yield sent(multipart_body(part(b"")), _MISSING)
    yield sent(multipart_body(image, image), MALFORMED)
    yield sent(multipart_body(*[part(b"1", f"; name=o{n}") for n in range(5000)], image), MALFORMED)
    yield sent(multipart_body(*[part(b"", "; name=image")] * 5000), MALFORMED)
    for disposition in ("", "; name=", '; name=""', "; filename=a.png", '; name="a'):
        yield sent(multipart_body(part(PICTURE, disposition)), MALFORMED | _MISSING | _UNKNOWN)
    for name in (
        "image\0",
        "IMAGE",
        "image[]",
        "../image",
        "a" * 3000,
        "<script>",
        "\xff\xfe",
        "%00",
    ):
        yield sent(multipart_body(part(b"1", f'; name="{name}"'), image), MALFORMED | _UNKNOWN)
    yield sent(multipart_body(part(PICTURE, '; name="file"')), MALFORMED | _MISSING | _UNKNOWN)
    yield sent(multipart_body(part(b"x" * 5000, '; name="fit"'), image), MALFORMED)
    headers = [f"X-{n}: {'y' * 50}" for n in range(200)]
    yield sent(multipart_body(part(PICTURE, "; name=image", *headers)), MALFORMED)
    yield sent(multipart_body(part(PICTURE, "; name=image", "X: " + "y" * 500_000)), MALFORMED)
    encodings = "Content-Transfer-Encoding: base64"
    yield sent(
        multipart_body(part(_BASE64.encode(), "; name=image", encodings)),
        MALFORMED | {"unsupported_image_format"},
    )
    for filename in ("../../etc/passwd", "a\0.png", "\xff", "x" * 3000, "a.php"):
        disposition = f'; name="image"; filename="{filename}"'
        yield sent(multipart_body(part(PICTURE, disposition)), MALFORMED | READ)
    inner = multipart_body(image)
    yield sent(
        multipart_body(part(inner, "; name=image", f"Content-Type: {MULTIPART}")),
        MALFORMED | _MISSING | {"unsupported_image_format"},
    )
    yield sent(b"x" * 100_000 + b"\r\n" + good, MALFORMED | READ)
    yield sent(good + b"x" * 100_000, READ | MALFORMED)
    yield sent(b"\r\n" * 50_000 + good, MALFORMED | READ)
    yield sent(b"--" * 100_000, MALFORMED)
    yield sent((f"--{BOUNDARY}\r\n" * 20_000).encode(), MALFORMED)
    yield sent(b"\0" * 1000, MALFORMED)


def _json() -> Iterator[Hostile]:
    def sent(body: bytes, codes: Codes, path: str = "/predict") -> Hostile:
        return Hostile("JSON", post(path, body, content_type="application/json"), codes)

    for character in ("[", '{"a":', '{"image":[', "[{"):
        for depth in (50, 2000, 100_000):
            yield sent((character * depth).encode(), MALFORMED)
    yield sent(b"[" * 500 + b"]" * 500, MALFORMED)
    yield sent(b'{"a":' * 900 + b"1" + b"}" * 900, MALFORMED | _MISSING | _UNKNOWN)
    for text in ("", "{", "}", "null", "true", "1", '""', "[]", "nan", "{'image': 1}", "{}{}",
                 '{"image":}', '{"image" "x"}', '{"image":"x",}', "// x\n{}",
                 "\ufeff{}"):  # fmt: skip
        yield sent(text.encode(), MALFORMED | _MISSING)
    yield sent(b"{}", _MISSING)
    for value in (None, True, 1, 1.5, [], {}, ["x"], {"a": 1}):
        yield sent(json.dumps({"image": value}).encode(), MALFORMED | _MISSING)
    for text in (
        "!",
        "AAA",
        "AA=A",
        "=AAA",
        "A" * 5,
        "\0",
        "A\nA=",
        "ÄÖÜ",
        "-_-_",
        "AAAA====",
        " ",
    ):
        yield sent(json.dumps({"image": text}).encode(), MALFORMED | {"unsupported_image_format"})
    yield sent(
        json.dumps({"image": "A" * 4_000_000}).encode(), frozenset({"unsupported_image_format"})
    )
    for text in ("data:", "data:,x", "data:image/png,x", "data:image/png;base64",
                 "data:text/html;base64,",
                 "data:" + "a" * 100_000 + ";base64,AA==",
                 "data:" + ";a=b" * 10_000 + ";base64,AA==",
                 "http://169.254.169.254/", "file:///etc/passwd",
                 "javascript:alert(1)"):  # fmt: skip
        yield sent(json.dumps({"image": text}).encode(), MALFORMED | _MISSING)
    yield sent(json.dumps({"image": _BASE64, "images": [_BASE64]}).encode(), MALFORMED)
    yield sent(f'{{"image": "{_BASE64}", "image": "{_BASE64}"}}'.encode(), MALFORMED | READ)
    yield sent(f'{{"image": "{_BASE64}", "top_k": 1, "top_k": 2}}'.encode(), MALFORMED | READ)
    for number in ("1e999", "-1", "0", "1" * 5000, "1.5", "9223372036854775808", '"x"', "[]", "{}"):
        body = f'{{"image": "{_BASE64}", "top_k": {number}}}'
        yield sent(body.encode(), MALFORMED | _INVALID)
    yield sent(json.dumps({"image": _BASE64, "__proto__": {"a": 1}}).encode(), _UNKNOWN)
    yield sent(json.dumps({"image": _BASE64, "": 1}).encode(), _UNKNOWN)
    yield sent(f'{{"image": "{_BASE64}", "\\ud800": 1}}'.encode(), MALFORMED | _UNKNOWN)
    yield sent(
        f'{{"image": "{_BASE64}", "label": "\\u0000"}}'.encode(), _INVALID | {"unknown_label"}
    )
    yield sent(b'{"image": "\xff\xfe"}', MALFORMED)
    yield sent('{"image": "x"}'.encode("utf-16"), MALFORMED)
    yield sent('{"image": "x"}'.encode("utf-32"), MALFORMED)
    many = b'{"a":1' + b',"a":1' * 200_000 + b"}"
    yield sent(many, MALFORMED)
    yield sent(json.dumps({f"o{n}": n for n in range(9000)}).encode(), _MISSING | _UNKNOWN)
    batch = "/predict/batch"
    yield sent(b'{"images": []}', _MISSING, batch)
    yield sent(b'{"images": [null]}', MALFORMED, batch)
    yield sent(b'{"images": {}}', MALFORMED, batch)
    yield sent(json.dumps({"images": [""] * 9000}).encode(), _MISSING | {"too_many_images"}, batch)
    yield sent(
        json.dumps({"images": [_BASE64] * 65}).encode(), frozenset({"too_many_images"}), batch
    )
    yield sent(
        json.dumps({"images": [_BASE64] * 9 + ["AAAA"]}).encode(),
        frozenset({"unsupported_image_format"}),
        batch,
    )


def _options() -> Iterator[Hostile]:
    def sent(query: str, codes: Codes, path: str = "/predict") -> Hostile:
        return Hostile("options", post(f"{path}?{query}", PICTURE), codes)

    for value in (
        "-1",
        "0",
        "1.5",
        "x",
        "",
        "1" * 400,
        "%00",
        "0x10",
        "+1",
        "\uff11",
        "1e3",
        "None",
    ):
        for name in ("top_k", "version"):
            yield sent(
                f"{name}={_quoted(value)}", _INVALID | MALFORMED | READ | {"unknown_version"}
            )
    yield sent("version=9223372036854775807", frozenset({"unknown_version"}))
    yield sent("version=9223372036854775808", _INVALID)
    yield sent("top_k=9223372036854775807", READ)
    for value in ("nope", "%ff%fe", "a%0d%0ab", "x" * 101, "", "%00", "../1", "'%20OR%201=1"):
        yield sent(f"label={value}", _INVALID | {"unknown_label"} | READ)
    for value in ("", "PAD", "pad%00", "x" * 3000, "[]"):
        yield sent(f"fit={value}", _INVALID | READ)
        yield sent(f"include={value}", _INVALID | READ)
        yield sent(f"invert={value}", _INVALID | READ)
    for query in (
        "a=1",
        "=1",
        "image=x",
        "&&&",
        "%zz=1",
        "a" * 3000,
        "%ff=1",
        "fit[]=pad",
        "a.b=1",
    ):
        yield sent(query, _UNKNOWN | READ | MALFORMED)
    yield sent("fit=pad&fit=crop", MALFORMED)
    yield sent(
        "&".join(f"o{n}=1" for n in range(3000)), _UNKNOWN | MALFORMED | {"400", "414", "431"}
    )
    yield sent("version=1&label=stable", _INVALID)
    for value in ("", "1", "1,0,0,0,1", "1,0,0,0,1,0,0", "nan,0,0,0,1,0", "inf,0,0,0,1,0",
                  "1e7,0,0,0,1,0",
                  "1e400,0,0,0,1,0", "[[1,0,0],[0,1]]", "[[[1]]]", "[" * 500, "x" * 3000, "null",
                  "1,0,0,0,1,true", "[1,0,0,0,1,null]", "[1,0,0,0,1,{}]"):  # fmt: skip
        yield sent(f"theta={_quoted(value)}", _INVALID, "/warp")
    for value in ("0,0,0,0,0,0", "1e6,0,0,0,1e6,0", "1e-300,0,0,0,1e-300,0", "-1,0,0,0,-1,0"):
        yield sent(f"theta={value}", READ, "/warp")
    for name in ("width", "height"):
        for value in ("0", "-1", "x", "1" * 30, "%00"):
            yield sent(f"theta={IDENTITY}&{name}={value}", _INVALID, "/warp")
        yield sent(
            f"theta={IDENTITY}&{name}=9223372036854775807", frozenset({"too_many_pixels"}), "/warp"
        )
    yield sent(
        f"theta={IDENTITY}&width=100000&height=100000", frozenset({"too_many_pixels"}), "/warp"
    )
    yield sent(f"theta={IDENTITY}&padding=x&interpolation=y", _INVALID, "/warp")


def _quoted(value: str) -> str:
    return "".join(
        c
        if (c.isalnum() and c.isascii()) or c in "%.,-+"
        else "".join(f"%{b:02x}" for b in c.encode())
        for c in value
    )


def _types() -> Iterator[Hostile]:
    refused: Codes = frozenset({"unsupported_media_type"})
    for name in ("text/plain", "application/xml", "image/svg+xml", "image/gif", "a", "/",
                 "x" * 3000,
                 "application/x-www-form-urlencoded", "multipart/mixed; boundary=b", "\xff",
                 "image/*",
                 "message/http", "application/json+x", "application/x-tar"):  # fmt: skip
        yield Hostile("content type", post("/predict", PICTURE, content_type=name), refused)
    for name in (
        "IMAGE/PNG",
        "image/png;charset=utf-8",
        "image/png; ;;=;",
        " image/png ",
        "image/webp",
    ):
        yield Hostile("content type", post("/predict", PICTURE, content_type=name), READ)
    yield Hostile("content type", post("/predict", PICTURE, content_type=""), READ)
    packed = post("/predict", gzip.compress(PICTURE), "Content-Encoding: gzip")
    yield Hostile(
        "content encoding",
        packed,
        frozenset({"unsupported_image_format", "unsupported_media_type", "malformed_request"}),
    )
    bomb = gzip.compress(b"\0" * 30_000_000)
    codes: Codes = frozenset(
        {"unsupported_image_format", "unsupported_media_type", "malformed_request"}
    )
    yield Hostile("content encoding", post("/predict", bomb, "Content-Encoding: gzip"), codes)
    for path in ("/predict", "/predict/batch", "/warp"):
        yield Hostile("empty body", post(path, b""), _MISSING)
    assert OK in READ

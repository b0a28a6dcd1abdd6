"""Files that are something else, or two things at once."""

import io
import tarfile
import zipfile
from collections.abc import Iterator

from tests.service.pictures import PNG_SIGNATURE, encoded, noise, photo
from tests.torture.corpus.kinds import BROKEN, EITHER, FOREIGN, READ, Picture

_XML_BOMB = b"""<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">
<!ENTITY x SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg">&c;&x;</svg>"""
_OTHERS = {
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "SVG entities": _XML_BOMB,
    "PDF": b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF",
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%id) (r) file\n",
    "HTML": b"<!doctype html><script>alert(1)</script>",
    "ImageMagick script": b"push graphic-context\nfill 'url(https://example.invalid/\"|id\")'\n",
    "GIF by name": b"GIF89a" + b"\0" * 50,
    "PSD": b"8BPS\0\x01" + b"\0" * 50,
    "AVIF": b"\0\0\0\x20ftypavif" + b"\0" * 50,
    "HEIC": b"\0\0\0\x20ftypheic" + b"\0" * 50,
    "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0" * 50,
    "JPEG XL": b"\xff\x0a" + b"\0" * 50,
    "OpenEXR": b"v/1\x01" + b"\0" * 50,
    "DICOM": b"\0" * 128 + b"DICM" + b"\0" * 50,
    "FITS": b"SIMPLE  =                    T" + b" " * 50,
    "HDF5": b"\x89HDF\r\n\x1a\n" + b"\0" * 50,
    "MNG": b"\x8aMNG\r\n\x1a\n" + b"\0" * 50,
    "WAVE": b"RIFF\x24\0\0\0WAVEfmt " + b"\0" * 50,
    "AVI": b"RIFF\x24\0\0\0AVI LIST" + b"\0" * 50,
    "ELF": b"\x7fELF\x02\x01\x01" + b"\0" * 50,
    "EXE": b"MZ\x90\0" + b"\0" * 50,
    "gzip": b"\x1f\x8b\x08\0" + b"\0" * 50,
    "pickle": b"\x80\x04\x95\0\0\0\0\0\0\0\0cos\nsystem\n(S'id'\ntR.",
    "NumPy": b"\x93NUMPY\x01\0v\0{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
    "XPM": b"/* XPM */\nstatic char * a[] = {",
    "zeros": b"\0" * 1000,
    "ones": b"\xff" * 1000,
    "text": b"a picture, honestly",
    "a byte": b"\x89",
    "half a signature": PNG_SIGNATURE[:7],
    "line ends translated": PNG_SIGNATURE.replace(b"\r\n", b"\n") + b"\0" * 50,
    "path": b"/etc/passwd",
    "URL": b"http://169.254.169.254/latest/meta-data/",
}


def pictures() -> Iterator[Picture]:
    """Return every disguise and every polyglot."""
    for name, content in _OTHERS.items():
        yield Picture(f"disguise: {name}", content, FOREIGN)
    rgb = photo(20, 24)
    for kind in (
        "GIF",
        "BMP",
        "TIFF",
        "ICO",
        "PPM",
        "TGA",
        "PCX",
        "SGI",
        "DDS",
        "PDF",
        "EPS",
    ):
        yield Picture(f"disguise: {kind}", encoded(rgb, kind), FOREIGN)
    yield from _polyglots()


def _polyglots() -> Iterator[Picture]:
    good = encoded(noise(9, 11))
    jpeg = encoded(photo(32, 40), "JPEG")
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w") as archive:
        archive.writestr("../../etc/passwd", "x")
    tape = io.BytesIO()
    with tarfile.open(fileobj=tape, mode="w") as archive_tar:
        archive_tar.addfile(tarfile.TarInfo("../x"))
    php = b"<?php system($_GET['c']); ?>"
    for tail in (box.getvalue(), tape.getvalue(), php, good, jpeg):
        yield Picture("polyglot: PNG and more", good + tail, READ)
        yield Picture("polyglot: JPEG and more", jpeg + tail, READ)
    comment = b"\xff\xfe" + (len(php) + 2).to_bytes(2, "big") + php
    yield Picture("polyglot: JPEG and script", jpeg[:2] + comment + jpeg[2:], READ)
    yield Picture("polyglot: GIF before PNG", b"GIF89a" + good, FOREIGN)
    yield Picture("polyglot: PDF before JPEG", b"%PDF-1.7\n" + jpeg, FOREIGN)
    yield Picture("polyglot: space before PNG", b" " + good, FOREIGN)
    yield Picture("polyglot: PNG signature, JPEG inside", PNG_SIGNATURE + jpeg, BROKEN)
    yield Picture("polyglot: JPEG start, PNG inside", b"\xff\xd8\xff" + good, BROKEN)
    yield Picture("polyglot: RIFF, PNG inside", b"RIFF\xff\0\0\0WEBP" + good, EITHER)

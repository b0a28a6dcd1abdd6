"""How a camera was held, as EXIF tells it, and the picture turned upright accordingly.

As the gateway does it. Pillow itself reads more kinds of notes, and decodes a whole PNG for some.
"""

import struct

from PIL import Image

_TAG, _SHORT = 0x0112, 3
_Transpose = Image.Transpose
_TURNS = {
    2: _Transpose.FLIP_LEFT_RIGHT,
    3: _Transpose.ROTATE_180,
    4: _Transpose.FLIP_TOP_BOTTOM,
    5: _Transpose.TRANSPOSE,
    6: _Transpose.ROTATE_270,
    7: _Transpose.TRANSVERSE,
    8: _Transpose.ROTATE_90,
}


def orientation_of(picture: Image.Image) -> int:
    """Return the orientation that a picture's EXIF tells, 1 to 8; 1 where it tells none.

    Nothing is decoded for it. A TIFF tells none: Pillow gives it upright.

    Source: TIFF 6.0, section 2; EXIF 2.32, section 4.6.
    """
    exif: bytes = picture.info.get("exif", b"").removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for entry in struct.iter_unpack(f"{order}HHIHxx", exif[start + 2 : start + 2 + 12 * count]):
            if entry[0] == _TAG:
                return entry[3] if entry[1:3] == (_SHORT, 1) and entry[3] in range(1, 9) else 1
    except struct.error:
        pass  # broken EXIF; the picture may still be fine
    return 1


def upright_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Return the `(width, height)` that a picture of an orientation has when it is upright."""
    return (size[1], size[0]) if orientation > 4 else size


def upright(picture: Image.Image, orientation: int) -> Image.Image:
    """Return a picture of an orientation upright."""
    return picture if orientation == 1 else picture.transpose(_TURNS[orientation])

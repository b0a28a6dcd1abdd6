"""What the headers of picture files say, read in bounded time and memory.

Pillow reads each part of a file in Python, and each entry of EXIF into memory of its own; a file of
32 MB may hold millions of the first, and entries that all point at the same megabytes.
"""

import struct

from service.errors import UndecodableImage

# Chunks of a PNG, segments of a JPEG before its pixels: a photo has some hundreds, written piece by
# piece some thousands.
_MAX_PARTS = 10_000
_ORIENTATION = 0x0112
_SHORT = 3


def check_parts(content: bytes, kind: str) -> None:
    """Refuse a file of countless parts.

    Args:
        content: the file.
        kind: PNG, JPEG or WEBP.

    Raises:
        UndecodableImage: it has too many.
    """
    position, parts, size = len(content), 0, len(content)
    if kind == "PNG":
        position = 8
        while position + 8 <= size and parts <= _MAX_PARTS:
            if content[position + 4 : position + 8] == b"IEND":
                break  # whatever follows is not looked at
            position += 12 + int.from_bytes(content[position : position + 4], "big")
            parts += 1
    elif kind == "JPEG":
        position = 2
        while position + 4 <= size and parts <= _MAX_PARTS:
            if content[position] != 0xFF or content[position + 1] == 0xDA:
                break  # the pixels begin, or what follows is no segment
            position += 2 + int.from_bytes(content[position + 2 : position + 4], "big")
            parts += 1
    elif kind == "WEBP":
        position, size = 12, min(size, 8 + int.from_bytes(content[4:8], "little"))
        while position + 8 <= size and parts <= _MAX_PARTS:
            length = int.from_bytes(content[position + 4 : position + 8], "little")
            position += 8 + length + length % 2
            parts += 1
    if parts > _MAX_PARTS:
        raise UndecodableImage(f"the {kind} has more than {_MAX_PARTS} parts; save it anew")


def orientation_of(exif: bytes) -> int:
    """Return the orientation that EXIF tells, 1 to 8; 1 where it tells none that can be read.

    Only the first directory is looked at, and there only for this.

    Source: TIFF 6.0, section 2; EXIF 2.32, section 4.6.
    """
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, directory)
        for entry in range(directory + 2, directory + 2 + 12 * count, 12):
            tag, kind, num_values, value = struct.unpack_from(f"{order}HHIH", exif, entry)
            if tag == _ORIENTATION:
                found = kind == _SHORT and num_values == 1 and 1 <= value <= 8
                return int(value) if found else 1
    except struct.error:
        pass  # broken EXIF; the picture may still be fine
    return 1

"""What the corpus is made of, and which answers are right."""

from dataclasses import dataclass

Codes = frozenset[str]

OK = "ok"  # a 200, in place of a code
READ: Codes = frozenset({OK})
BROKEN: Codes = frozenset({"undecodable_image"})
# A decoder may take it or leave it; both are fine.
EITHER: Codes = READ | BROKEN
FOREIGN: Codes = frozenset({"unsupported_image_format"})
TOO_LARGE: Codes = frozenset({"too_many_pixels"})
ANIMATED: Codes = frozenset({"animated_image"})
MALFORMED: Codes = frozenset({"malformed_request"})
# What damage at a random place may lead to.
ANY_PICTURE: Codes = EITHER | FOREIGN | TOO_LARGE | ANIMATED | {"missing_image"}


@dataclass(frozen=True)
class Picture:
    """A file that is, or pretends to be, a picture.

    Attributes:
        family: of failures it belongs to.
        content: the bytes.
        codes: that may answer it.
    """

    family: str
    content: bytes
    codes: Codes


@dataclass(frozen=True)
class Hostile:
    """A request as it goes over the wire.

    Attributes:
        family: of failures it belongs to.
        request: all of its bytes.
        codes: that may answer it; `ok` stands for a 200, a bare number for an answer without a
            problem document, `closed` and `silent` for none.
        alone: on a connection of its own, because its framing is not to be trusted.
    """

    family: str
    request: bytes
    codes: Codes
    alone: bool = False

"""What is thrown at the gateway's input: a fixed corpus, and damage without end.

Each family names a way in which decoders, parsers and servers have failed before.
"""

import itertools
import random
from collections.abc import Iterator

from tests.torture.corpus import bodies, disguises, heads, jpeg, png, webp
from tests.torture.corpus.damage import damaged
from tests.torture.corpus.forms import FORMS, PATHS
from tests.torture.corpus.kinds import Hostile, Picture

__all__ = ["Hostile", "Picture", "fixed_pictures", "fixed_requests", "hostile"]


def fixed_pictures() -> list[Picture]:
    """Return the pictures of the fixed corpus."""
    return [p for kind in (png, jpeg, webp, disguises) for p in kind.pictures()]


def fixed_requests() -> list[Hostile]:
    """Return the requests of the fixed corpus that are more than a form around a picture."""
    return [*bodies.bodies(), *heads.heads()]


def hostile(seed: int) -> Iterator[Hostile]:
    """Return hostile requests without end: first the fixed corpus in every form, then damage.

    Args:
        seed: of what is damaged where.
    """
    pictures = fixed_pictures()
    ways = list(itertools.product(FORMS, PATHS))
    yield from fixed_requests()
    # Every picture once, in one form or another; then every picture in the next form.
    for turn in range(len(ways)):
        for number, picture in enumerate(pictures):
            form, path = ways[(number + turn) % len(ways)]
            yield Hostile(picture.family, form(path, picture.content), picture.codes)
    rng = random.Random(seed)  # noqa: S311
    small = [p for p in pictures if 20 < len(p.content) < 30_000 and "disguise" not in p.family]
    for number, picture in enumerate(damaged(small, rng)):
        form, path = ways[number % len(ways)]
        yield Hostile(picture.family, form(path, picture.content), picture.codes)

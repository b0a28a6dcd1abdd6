"""Sound files, damaged at random places: the endless part of the corpus."""

import random
from collections.abc import Iterator, Sequence

from tests.torture.corpus.kinds import ANY_PICTURE, Picture


def damaged(seeds: Sequence[Picture], rng: random.Random) -> Iterator[Picture]:
    """Damage one after the other, for ever.

    Args:
        seeds: files to damage.
        rng: draws where and how.
    """
    ways = (_flip_bits, _set_bytes, _cut, _drop, _repeat, _swap, _insert)
    while True:
        seed, way = rng.choice(seeds), rng.choice(ways)
        content = bytearray(seed.content)
        way(content, rng)
        name = way.__name__.strip("_").replace("_", " ")
        yield Picture(f"damage: {name}", bytes(content), ANY_PICTURE)


def _flip_bits(content: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def _set_bytes(content: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 2, 4))):
        content[rng.randrange(len(content))] = rng.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF))


def _cut(content: bytearray, rng: random.Random) -> None:
    del content[rng.randrange(len(content)) :]


def _drop(content: bytearray, rng: random.Random) -> None:
    place = rng.randrange(len(content))
    del content[place : place + rng.choice((1, 2, 4, 30))]


def _repeat(content: bytearray, rng: random.Random) -> None:
    place, length = rng.randrange(len(content)), rng.choice((1, 4, 12, 100))
    content[place:place] = content[place : place + length] * rng.choice((1, 3, 50))


def _swap(content: bytearray, rng: random.Random) -> None:
    first, second = sorted(rng.randrange(len(content)) for _ in range(2))
    content[:] = content[:first] + content[second:] + content[first:second]


def _insert(content: bytearray, rng: random.Random) -> None:
    place = rng.randrange(len(content))
    content[place:place] = rng.randbytes(rng.choice((1, 4, 64)))

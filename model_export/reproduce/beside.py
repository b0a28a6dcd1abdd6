"""A network with a transformer beside the plain one, picture by picture."""

import math
from collections.abc import Iterator, Sequence
from typing import Any


def beside_plain(results: Sequence[dict[str, Any]]) -> list[str]:
    """Return a sentence for each network with a transformer whose plain one is there too.

    Two errors on the same pictures differ by more than chance when the pictures that one network
    alone misreads are mostly the other's (McNemar's test, in its exact form).

    Args:
        results: of the cells; those that name no misread pictures are passed over.
    """
    by_name = {(result["cell"], result["seed"]): result for result in results}
    return [_sentence(result, plain) for result, plain in _pairs(by_name)]


def mcnemar(alone: int, other_alone: int) -> float:
    """Return how probable so uneven a split is, or one more uneven, where chance alone decides.

    Args:
        alone: how many pictures the one network misreads and the other reads.
        other_alone: the other way round.
    """
    total = alone + other_alone
    ways = sum(math.comb(total, count) for count in range(min(alone, other_alone) + 1))
    return min(1.0, 2 * ways / 2**total)


def _pairs(
    results: dict[tuple[str, int], dict[str, Any]],
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for (cell, _), result in results.items():
        experiment, network = cell.split(":")
        # "st-cnn-affine" stands beside "cnn", of which one training is enough.
        kind = network.removeprefix("st-").split("-")[0]
        plain = results.get((f"{experiment}:{kind}", 1))
        if plain is None or kind == network:
            continue
        tests = result["test"], plain["test"]
        if all("misread" in test for test in tests) and _same_pictures(*tests):
            yield result, plain


def _same_pictures(test: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(test["images_sha256"] == other["images_sha256"])


def _sentence(result: dict[str, Any], plain: dict[str, Any]) -> str:
    misread, by_plain = (set(one["test"]["misread"]) for one in (result, plain))
    alone, plain_alone = len(misread - by_plain), len(by_plain - misread)
    name = plain["cell"].split(":")[1]
    return (
        f"{result['cell']}, seed {result['seed']}, misreads {alone} pictures that {name} reads, "
        f"and reads {plain_alone} that {name} misreads (McNemar's test: p = "
        f"{mcnemar(alone, plain_alone):.2g})"
    )

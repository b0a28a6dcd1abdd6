"""Networks with a transformer beside plain ones, on the same pictures."""

from typing import Any

import pytest
from scipy.stats import binomtest

from model_export.reproduce.beside import beside_plain, mcnemar


def result(cell: str, misread: list[int], seed: int = 1, pictures: str = "a") -> dict[str, Any]:
    return {"cell": cell, "seed": seed, "test": {"misread": misread, "images_sha256": pictures}}


PLAIN = result("RTS:cnn", [1, 2, 3, 4, 5, 6])


def test_those_that_one_alone_misreads_are_counted_for_each_seed() -> None:
    results = [
        result("RTS:st-cnn-affine", [6, 7]),
        result("RTS:st-cnn-affine", [1, 2, 3, 4, 5, 6], seed=2),
        PLAIN,
    ]

    sentences = beside_plain(results)

    assert sentences[0] == (
        "RTS:st-cnn-affine, seed 1, misreads 1 pictures that cnn reads, and reads 5 that cnn "
        "misreads (McNemar's test: p = 0.22)"
    )
    assert "seed 2, misreads 0" in sentences[1]
    assert len(sentences) == 2


@pytest.mark.parametrize(
    "other",
    [
        result("P:st-cnn-affine", [1]),
        result("RTS:st-fcn-affine", [1]),
        result("RTS:cnn", [1], seed=2),
        result("RTS:st-cnn-affine", [1], pictures="b"),
        {"cell": "RTS:st-cnn-affine", "seed": 1, "test": {"images_sha256": "a"}},
    ],
    ids=["experiment", "kind", "no transformer", "pictures", "none named"],
)
def test_only_networks_of_a_kind_are_compared_and_on_the_same_pictures(
    other: dict[str, Any],
) -> None:
    assert beside_plain([PLAIN, other]) == []


@pytest.mark.parametrize(("alone", "other"), [(0, 0), (1, 0), (8, 23), (23, 8), (15, 24), (300, 7)])
def test_the_probability_is_that_of_a_fair_coin(alone: int, other: int) -> None:
    exact = binomtest(alone, alone + other).pvalue if alone + other else 1.0

    assert mcnemar(alone, other) == pytest.approx(exact)

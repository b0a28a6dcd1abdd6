"""The goals, each with the peers it is measured against."""

import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.warp import memory, ours, peers, training_share
from benchmarks.warp.cases import (
    DIGITS,
    FEATURES,
    LARGE,
    PHOTOS,
    Case,
    attention_as_affine,
)
from benchmarks.warp.clock import race


@dataclass(frozen=True)
class Result:
    """One figure beside its goal.

    Attributes:
        path: what was run.
        against: beside what.
        goal: the ratio hoped for; a ceiling when `at_most`.
        reached: the ratio measured.
        at_most: whether less is better.
        milliseconds: CPU time of each candidate.
    """

    path: str
    against: str
    goal: float
    reached: float
    at_most: bool = False
    milliseconds: dict[str, float] | None = None

    @property
    def passed(self) -> bool:
        """Whether the goal is reached."""
        return self.reached <= self.goal if self.at_most else self.reached >= self.goal


Race = tuple[str, dict[str, Callable[[], object]], dict[str, float]]


def _races(old: types.ModuleType) -> Iterator[Race]:
    """Each path: its name, the candidates, and the goal beside each of them."""
    for case, by_torch in ((PHOTOS, 2.4), (LARGE, 2.1)):
        theta = case.affine()
        others = {
            "torch": peers.torch_forward(case, theta),
            "stn 1.0.1": peers.old_forward(old, case, theta),
        }
        yield (
            f"affine forward, compiled, {case.label}",
            {
                "stn": ours.forward(case, theta),
                **others,
                "OpenCV": peers.opencv_forward(case, theta),
            },
            {"torch": by_torch, "stn 1.0.1": 10, "OpenCV": 1.0},
        )
        yield (
            f"affine forward, stock server, {case.label}",
            {"stn": ours.forward(case, theta, compiled=False), **others},
            {"torch": 0.75, "stn 1.0.1": 2.9},
        )
    yield from _attention(old)
    theta = FEATURES.affine()
    yield (
        f"feature maps, affine forward, compiled, {FEATURES.label}",
        {"stn": ours.forward(FEATURES, theta), "torch": peers.torch_forward(FEATURES, theta)},
        {"torch": 6},
    )
    for case, by_torch, by_old in ((PHOTOS, 1.2, 5.5), (LARGE, 1.4, 6), (FEATURES, 3.5, 4)):
        yield _training(old, case, by_torch, by_old)
    for case, by_torch in ((PHOTOS, 1.4), (LARGE, 1.45), (FEATURES, 3)):
        theta = case.affine()
        yield (
            f"forward and backward, theta alone, {case.label}",
            {
                "stn": ours.backward(case, theta, to_image=False),
                "torch": peers.torch_backward(case, theta, to_image=False),
            },
            {"torch": by_torch},
        )
    yield _training(old, DIGITS, 1.0, None)
    theta = PHOTOS.projective()
    yield (
        f"projective forward, compiled, {PHOTOS.label}",
        {
            "stn": ours.forward(PHOTOS, theta, "projective"),
            "kornia": peers.kornia_projective(PHOTOS, theta),
        },
        {"kornia": 4},
    )
    theta = PHOTOS.spline()
    yield (
        f"thin-plate spline, 16 points, forward, compiled, {PHOTOS.label}",
        {"stn": ours.forward(PHOTOS, theta, "tps"), "kornia": peers.kornia_spline(PHOTOS, theta)},
        {"kornia": 50},
    )


def _attention(old: types.ModuleType) -> Iterator[Race]:
    theta = PHOTOS.attention()
    affine = attention_as_affine(theta)
    torch = peers.torch_forward(PHOTOS, affine)
    yield (
        f"attention forward, compiled, {PHOTOS.label}",
        {"stn": ours.forward(PHOTOS, theta, "attention"), "torch": torch},
        {"torch": 3},
    )
    yield (
        f"attention forward, stock server, {PHOTOS.label}",
        {
            "stn": ours.forward(PHOTOS, theta, "attention", compiled=False),
            "torch": torch,
            "stn 1.0.1": peers.old_forward(old, PHOTOS, affine),
        },
        {"torch": 1.7, "stn 1.0.1": 8.5},
    )


def _training(old: types.ModuleType, case: Case, by_torch: float, by_old: float | None) -> Race:
    theta = case.affine()
    candidates = {
        "stn": ours.backward(case, theta),
        "torch": peers.torch_backward(case, theta),
    }
    goals = {"torch": by_torch}
    if by_old is not None:
        candidates["stn 1.0.1"] = peers.old_backward(old, case, theta)
        goals["stn 1.0.1"] = by_old
    return f"forward and backward, theta and image, {case.label}", candidates, goals


def measure(old: types.ModuleType, rounds: int) -> Iterator[Result]:
    """Run everything, and give each result as it comes."""
    for path, candidates, goals in _races(old):
        times = race(candidates, rounds)
        for other, goal in goals.items():
            yield Result(path, other, goal, times[other] / times["stn"], milliseconds=times)
    yield Result(
        "warp's share of an ST-CNN training step", "the step", 0.03, training_share.share(), True
    )
    for training, goal in ((False, 1.2), (True, 6.5)):
        path = f"extra memory, {'training' if training else 'forward'}, {PHOTOS.label}"
        yield Result(path, "the image", goal, memory.multiple_of_image(training), True)

"""Is the localizer alive?

A dead localizer gives every image the same theta. Loss and error look healthy all the same: the
network has become a fixed crop with a classifier behind it. Only theta shows it.
"""

from dataclasses import asdict, dataclass

import numpy as np

from model_export.distortion import CANVAS, Placement


class DeadLocalizerError(RuntimeError):
    """The localizer does not react to where the digit is."""


@dataclass(frozen=True)
class LocalizerHealth:
    """How theta varies over images whose true placement is known.

    Attributes:
        theta_spread: standard deviation over the images of each of the six numbers.
        centre_correlation: of the centre looked at with the digit's true centre, `(x, y)`.
        centre_error_pixels: root mean square distance between the two, on the canvas.
        angle_correlation: of the angle looked at with the digit's true angle.
    """

    theta_spread: tuple[float, ...]
    centre_correlation: tuple[float, float]
    centre_error_pixels: float
    angle_correlation: float

    def check(self) -> None:
        """Raise unless the region looked at follows the digit.

        Raises:
            DeadLocalizerError: theta is constant, or does not follow the digit.
        """
        # Written so that a NaN, from a training that diverged, fails too.
        if not all(self.theta_spread[i] >= 1e-3 for i in (2, 5)):
            raise DeadLocalizerError(
                "the localizer is dead: theta is the same for every image (standard deviation of "
                f"its translation {self.theta_spread[2]:.2g} and {self.theta_spread[5]:.2g}). The "
                "network is a fixed crop, whatever its error. Train anew with a lower "
                "--localizer-rate."
            )
        if min(self.centre_correlation) < 0.5:
            x, y = self.centre_correlation
            raise DeadLocalizerError(
                "the localizer does not follow the digit: the centre it looks at correlates with "
                f"the true one by {x:.2f} in x and {y:.2f} in y; 0.5 is the least that counts as "
                "alive, and a healthy one reaches 0.9. Train longer, or change --localizer-rate."
            )

    def as_dict(self) -> dict[str, object]:
        """Return the figures for JSON."""
        return asdict(self)


def measure_health(theta: np.ndarray, placement: Placement) -> LocalizerHealth:
    """Compare theta, `(num, 6)`, with the placements that the images were made with."""
    half = (CANVAS - 1) / 2
    looked_x, looked_y = (theta[:, 2] + 1) * half, (theta[:, 5] + 1) * half
    true_x, true_y = np.asarray(placement.x), np.asarray(placement.y)
    angle = np.arctan2(theta[:, 3] - theta[:, 1], theta[:, 0] + theta[:, 4])
    squared = (looked_x - true_x) ** 2 + (looked_y - true_y) ** 2
    return LocalizerHealth(
        theta_spread=tuple(float(s) for s in theta.std(axis=0)),
        centre_correlation=(_correlation(looked_x, true_x), _correlation(looked_y, true_y)),
        centre_error_pixels=float(np.sqrt(squared.mean())),
        angle_correlation=_correlation(angle, np.asarray(placement.radians)),
    )


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    if a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])

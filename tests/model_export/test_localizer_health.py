import numpy as np
import pytest
import tensorflow as tf

from model_export.distortion import CANVAS, RTS, Placement, draw_placements
from model_export.localizer_health import DeadLocalizerError, LocalizerHealth, measure_health

NUM = 500


@pytest.fixture(scope="module")
def placement() -> Placement:
    return draw_placements(RTS, NUM, tf.constant([1, 2]))


def ideal_theta(placement: Placement) -> np.ndarray:
    """The theta that undoes a placement: it looks at the digit's frame, upright."""
    half = (CANVAS - 1) / 2
    size = placement.scale.numpy() * 13.5 / half
    cosine, sine = size * np.cos(placement.radians), size * np.sin(placement.radians)
    x, y = placement.x.numpy() / half - 1, placement.y.numpy() / half - 1
    return np.stack([cosine, -sine, x, sine, cosine, y], axis=1)


def test_a_localizer_that_undoes_the_distortion_is_alive(placement: Placement) -> None:
    health = measure_health(ideal_theta(placement), placement)

    health.check()
    assert health.centre_correlation == pytest.approx((1, 1))
    assert health.angle_correlation == pytest.approx(1)
    assert health.centre_error_pixels == pytest.approx(0, abs=1e-4)


def test_a_constant_theta_is_dead(placement: Placement) -> None:
    theta = np.tile(np.array([0.7, 0, 0.1, 0, 0.7, -0.1]), (NUM, 1))

    with pytest.raises(DeadLocalizerError, match="the same for every image"):
        measure_health(theta, placement).check()


def test_a_theta_that_varies_without_the_digit_is_dead(placement: Placement) -> None:
    theta = np.random.default_rng(0).normal(size=(NUM, 6))

    with pytest.raises(DeadLocalizerError, match="does not follow the digit"):
        measure_health(theta, placement).check()


def test_a_theta_that_follows_in_x_alone_is_dead(placement: Placement) -> None:
    theta = ideal_theta(placement)
    theta[:, 5] = np.random.default_rng(0).permutation(theta[:, 5])

    with pytest.raises(DeadLocalizerError, match=r"by 1\.00 in x"):
        measure_health(theta, placement).check()


def test_a_theta_that_runs_away_from_the_digit_is_dead(placement: Placement) -> None:
    """A correlation of -1 is as strong as one of +1, and the wrong way round."""
    theta = ideal_theta(placement)
    theta[:, [2, 5]] *= -1

    with pytest.raises(DeadLocalizerError):
        measure_health(theta, placement).check()


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_a_theta_of_nan_is_dead(placement: Placement) -> None:
    with pytest.raises(DeadLocalizerError):
        measure_health(np.full((NUM, 6), np.nan), placement).check()


def test_the_centre_is_off_by_what_it_is_moved(placement: Placement) -> None:
    theta = ideal_theta(placement)
    theta[:, 2] += 3 / 20.5
    theta[:, 5] -= 4 / 20.5

    assert measure_health(theta, placement).centre_error_pixels == pytest.approx(5, abs=1e-4)


def test_the_figures_can_be_written_as_json() -> None:
    health = LocalizerHealth((0.1,) * 6, (0.9, 0.8), 2.0, 0.7)

    assert health.as_dict()["centre_correlation"] == (0.9, 0.8)

import math

import pytest

from model_export.pacing import Cycles

PEAK, STEPS, WARMUP = 0.002, 200, 10


def rate(step: int) -> float:
    """The rate of a cycle, as one would write it down."""
    if step < WARMUP:
        return PEAK * step / WARMUP
    return PEAK * (1 + math.cos(math.pi * (step - WARMUP) / (STEPS - WARMUP))) / 2


@pytest.mark.parametrize("step", [0, 1, 9, 10, 11, 105, 199])
@pytest.mark.parametrize("cycle", [0, 1, 2])
def test_each_cycle_rises_to_the_peak_and_falls_to_zero(step: int, cycle: int) -> None:
    schedule = Cycles(PEAK, STEPS)

    assert float(schedule(cycle * STEPS + step)) == pytest.approx(rate(step), abs=1e-7)

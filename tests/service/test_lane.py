"""Work in progress: how fast it gets done, and how much is taken on."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.lane import Jitter, Lane
from tests.service.clock import Clock

FULL = 10


def lane(clock: Clock, wait_seconds: float = 0.5) -> Lane:
    return Lane(FULL, wait_seconds, clock)


def work_off(lane: Lane, clock: Clock, per_second: float, load: int, seconds: float) -> None:
    """Keep a load on the lane that is done at a pace."""
    for _ in range(load):
        lane.enter(1)
    for _ in range(round(per_second * seconds)):
        clock.pass_by(1 / per_second)
        lane.leave(1)
        lane.enter(1)
    for _ in range(load):
        lane.leave(1, is_done=False)


@pytest.mark.parametrize("per_second", [3.0, 50.0, 4000.0])
def test_the_pace_is_what_gets_done_in_a_second(per_second: float) -> None:
    clock = Clock()
    busy = lane(clock)
    work_off(busy, clock, per_second, load=FULL, seconds=5)

    assert busy.pace == pytest.approx(per_second, rel=0.02)
    assert busy.seconds(10) == pytest.approx(10 / per_second, rel=0.02)


def test_pauses_do_not_count() -> None:
    """Ten requests a second that take a millisecond each are not a pace of ten."""
    clock = Clock()
    idle = lane(clock)
    for _ in range(1000):
        idle.enter(1)
        clock.pass_by(0.001)
        idle.leave(1)
        clock.pass_by(0.1)

    assert idle.pace == pytest.approx(1000)


def test_a_lane_that_is_not_kept_busy_never_seems_slower() -> None:
    """One caller alone, who asks for one thing after the other, shows little of what it can do."""
    clock = Clock()
    used = lane(clock)
    work_off(used, clock, 1000, load=FULL, seconds=5)
    work_off(used, clock, 50, load=1, seconds=60)

    assert used.pace == pytest.approx(1000, rel=0.02)


def test_a_lane_that_is_kept_busy_and_slows_down_is_found_out() -> None:
    clock = Clock()
    used = lane(clock)
    work_off(used, clock, 1000, load=FULL, seconds=5)
    work_off(used, clock, 50, load=FULL, seconds=5)

    assert used.pace == pytest.approx(50, rel=0.1)


def test_what_was_refused_or_given_up_says_nothing_of_the_pace() -> None:
    """Else a flood of broken files would look like a fast machine."""
    clock = Clock()
    flooded = lane(clock)
    work_off(flooded, clock, 100, load=FULL, seconds=5)
    for _ in range(10_000):
        flooded.enter(1)
        clock.pass_by(0.0001)
        flooded.leave(1, is_done=False)

    assert flooded.pace == pytest.approx(100, rel=0.02)


def test_work_that_is_late_brings_the_pace_down_until_less_is_taken_on() -> None:
    """A machine that has become slower than any deadline must not look as fast as ever."""
    clock = Clock()
    slowed = lane(clock)
    work_off(slowed, clock, 100, load=FULL, seconds=5)
    for _ in range(10):
        for _ in range(FULL):
            slowed.enter(1)
        clock.pass_by(10)
        for _ in range(FULL):
            slowed.leave(1, is_done=False, is_late=True)

    assert slowed.pace is not None
    assert 0 < slowed.pace < 5


def test_a_pace_that_is_not_known_is_bounded_by_what_was_late() -> None:
    clock = Clock()
    slow = lane(clock)
    slow.enter(FULL)
    clock.pass_by(10)
    slow.leave(FULL, is_done=False, is_late=True)

    assert slow.pace is not None
    assert slow.pace <= FULL / 10


def test_the_limit_is_three_rounds_or_what_gets_done_in_the_wait() -> None:
    """A slow lane takes little, so that a wait is at most two rounds; a fast one, more."""
    clock = Clock()
    measured = lane(clock, wait_seconds=0.5)
    assert measured.limit == 3 * FULL
    work_off(measured, clock, 1000, load=FULL, seconds=5)
    assert measured.limit == pytest.approx(500, rel=0.02)
    work_off(measured, clock, 5, load=FULL, seconds=60)
    assert measured.limit == 3 * FULL


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=50), st.randoms())
def test_what_has_left_weighs_nothing(units: list[float], rng: random.Random) -> None:
    clock = Clock()
    emptied = lane(clock)
    for number in units:
        emptied.enter(number)
    rng.shuffle(units)
    for number in units:
        emptied.leave(number)

    assert emptied.load == 0


@given(st.floats(0, 1e6), st.integers())
def test_retry_after_is_whole_seconds_and_honest(seconds: float, seed: int) -> None:
    """Not before the work is done, up to what anybody would wait."""
    told = Jitter(random.Random(seed))(seconds)  # noqa: S311

    assert isinstance(told, int)
    assert 1 <= told <= 30
    assert told >= min(seconds, 30)
    assert told <= 2 * seconds + 1


def test_not_everybody_is_told_the_same() -> None:
    jitter = Jitter(random.Random(0))  # noqa: S311

    assert len({jitter(10) for _ in range(100)}) > 5

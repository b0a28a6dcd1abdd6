"""Larger pictures: none begins that cannot be finished, and few wait."""

import asyncio
import contextlib
from collections.abc import Callable

import pytest

from service.errors import DeadlineExceeded, Overloaded
from service.lane import Jitter
from service.picture_lane import PictureLane, Place
from tests.service.clock import Clock

MEGA = 1_000_000
BYTES = 100_000


def played(scenario: Callable[[PictureLane, float], None], seconds_each: float | None) -> None:
    """Run a scenario, with the time now, on a lane that takes so long for 0.9 megapixels."""

    async def run() -> None:
        pictures = PictureLane(2, 0.25, Jitter())
        if seconds_each is not None:
            clock = Clock()
            pictures.lane._clock = clock
            for _ in range(20):
                with pictures.place(int(0.9 * MEGA), BYTES, float("inf")):
                    clock.pass_by(seconds_each)
        scenario(pictures, asyncio.get_running_loop().time())

    asyncio.run(run())


def enter(pictures: PictureLane, deadline: float, megapixels: float = 0.9) -> Place:
    return pictures.place(int(megapixels * MEGA), BYTES, deadline).__enter__()


def taken_of(number: int, pictures: PictureLane, deadline: float) -> int:
    """Return how many were let in, of so many that come at once."""
    for _ in range(number):
        with contextlib.suppress(Overloaded):
            enter(pictures, deadline)
    return pictures.count


def test_of_many_at_once_those_are_taken_that_can_be_finished_and_the_rest_refused() -> None:
    """A second each, three seconds' time: three, though the threads would take more."""

    def scenario(pictures: PictureLane, now: float) -> None:
        assert taken_of(16, pictures, now + 3.5) == 3
        assert pictures.num_refused == 13
        with pytest.raises(Overloaded) as raised:
            enter(pictures, now + 3.5)
        assert 3 <= raised.value.retry_after_seconds <= 6

    played(scenario, seconds_each=1)


def test_no_more_than_two_for_each_thread_when_they_are_slow() -> None:
    def scenario(pictures: PictureLane, now: float) -> None:
        assert taken_of(16, pictures, now + 3600) == 4

    played(scenario, seconds_each=1)


def test_as_many_as_are_done_in_the_wait_when_they_are_quick() -> None:
    """A hundred a second and a quarter of a second: 25."""

    def scenario(pictures: PictureLane, now: float) -> None:
        assert taken_of(100, pictures, now + 3600) in (25, 26)

    played(scenario, seconds_each=0.01)


def test_who_has_not_the_time_for_a_picture_alone_is_told_so_and_not_to_come_again() -> None:
    def scenario(pictures: PictureLane, now: float) -> None:
        enter(pictures, now + 3600)
        with pytest.raises(DeadlineExceeded, match="X-Request-Timeout-Ms"):
            enter(pictures, now + 5, megapixels=20)
        enter(pictures, now + 30, megapixels=20)

    played(scenario, seconds_each=1)


def test_a_picture_with_nothing_before_it_is_tried_however_long_it_took_of_late() -> None:
    """Else a lane once slow would refuse for ever."""

    def scenario(pictures: PictureLane, now: float) -> None:
        enter(pictures, now + 0.1, megapixels=20).check_turn()

    played(scenario, seconds_each=1)


def test_as_long_as_nothing_is_known_nothing_is_refused_for_its_time() -> None:
    def scenario(pictures: PictureLane, now: float) -> None:
        for _ in range(4):
            enter(pictures, now + 0.001, megapixels=25)
        with pytest.raises(Overloaded):
            enter(pictures, now + 0.001)

    played(scenario, seconds_each=None)


def test_a_picture_is_refused_by_its_bytes_before_they_have_come() -> None:
    """By what pictures of that size had in pixels of late."""

    def scenario(pictures: PictureLane, now: float) -> None:
        for _ in range(3):
            enter(pictures, now + 10)
        pictures.expect(BYTES, now + 10)
        with pytest.raises(Overloaded):
            pictures.expect(10 * BYTES, now + 10)

    played(scenario, seconds_each=1)


def test_flat_pictures_of_few_bytes_do_not_make_a_photo_look_hopeless() -> None:
    """A thousand bytes can hold nine megapixels of one colour; a photo of as many bytes cannot."""

    def scenario(pictures: PictureLane, now: float) -> None:
        for _ in range(20):
            with pictures.place(9 * MEGA, 1_000, float("inf")):
                pass
        enter(pictures, now + 10)
        pictures.expect(BYTES, now + 10)

    played(scenario, seconds_each=1)


def test_a_picture_whose_turn_comes_too_late_does_not_begin() -> None:
    """It would only keep the next from being in time."""

    def scenario(pictures: PictureLane, now: float) -> None:
        enter(pictures, now + 3600).check_turn()
        enter(pictures, now + 3600).check_turn()
        place = Place(pictures, 1.0, now + 0.5)
        with pytest.raises(Overloaded):
            place.check_turn()

    played(scenario, seconds_each=1)


def test_a_place_is_given_back_however_it_ends() -> None:
    def scenario(pictures: PictureLane, now: float) -> None:
        with pictures.place(MEGA, BYTES, now + 10):
            assert pictures.count == 1
        with pytest.raises(ZeroDivisionError), pictures.place(MEGA, BYTES, now + 10):
            raise ZeroDivisionError
        assert (pictures.count, pictures.lane.load) == (0, 0)

    played(scenario, seconds_each=None)

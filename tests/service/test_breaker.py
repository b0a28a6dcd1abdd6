"""The circuit breaker: when calls go through, and what lets them."""

import pytest

from service.breaker import CLOSED, HALF_OPEN, OPEN, Breaker
from service.errors import ModelServerUnavailable


def opened() -> Breaker:
    breaker = Breaker("stn")
    for _ in range(3):
        breaker.failed()
    return breaker


def test_calls_go_through_until_three_in_a_row_have_failed() -> None:
    breaker = Breaker("stn")
    for _ in range(2):
        breaker.failed()
    breaker.check()
    breaker.failed()

    assert breaker.state == OPEN
    with pytest.raises(ModelServerUnavailable, match="stn"):
        breaker.check()


def test_an_answer_between_failures_begins_the_count_anew() -> None:
    breaker = Breaker("stn")
    for _ in range(10):
        breaker.failed()
        breaker.failed()
        breaker.answered()

    assert breaker.state == CLOSED


def test_no_call_goes_through_while_a_trial_is_on_its_way() -> None:
    """Half open, the one trial alone decides."""
    breaker = opened()
    breaker.trying()

    assert breaker.state == HALF_OPEN
    with pytest.raises(ModelServerUnavailable):
        breaker.check()


def test_a_trial_that_comes_back_closes_it_and_the_next_failure_does_not_open_it() -> None:
    breaker = opened()
    breaker.trying()
    breaker.recovered()
    breaker.failed()

    assert breaker.state == CLOSED
    breaker.check()


def test_a_trial_that_fails_leaves_it_open() -> None:
    breaker = opened()
    breaker.trying()
    breaker.failed()

    assert breaker.state == OPEN


def test_an_answer_to_a_call_from_before_does_not_close_it() -> None:
    breaker = opened()
    breaker.answered()

    assert breaker.state == OPEN


def test_who_asked_is_told_once_each_time_it_opens() -> None:
    told: list[str] = []
    breaker = Breaker("stn", lambda: told.append("open"))
    for _ in range(5):
        breaker.failed()
    breaker.trying()
    breaker.failed()
    assert told == ["open"]
    breaker.recovered()
    for _ in range(3):
        breaker.failed()

    assert told == ["open"] * 2
    assert breaker.times_opened == 2

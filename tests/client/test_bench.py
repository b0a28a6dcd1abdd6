"""What is made of the figures of a bench; nothing here measures time."""

from collections import Counter

import pytest

from stn_client.bench import BatchCost, Step, batch_size, batching_parameters, sustainable


def step(concurrency: int, rate: int, latency: float, **errors: int) -> Step:
    return Step(concurrency, 1.0, [latency] * rate, Counter(errors))


def test_the_sustainable_step_is_the_fastest_within_the_latency() -> None:
    steps = [step(1, 100, 5), step(2, 190, 8), step(4, 300, 40), step(8, 400, 200)]

    found = sustainable(steps, max_latency_ms=50)

    assert found is steps[2]


def test_of_steps_about_as_fast_the_one_with_the_fewest_at_a_time() -> None:
    steps = [step(1, 100, 5), step(2, 390, 8), step(4, 400, 16)]

    assert sustainable(steps, max_latency_ms=50) is steps[1]


def test_a_step_with_errors_is_not_sustainable() -> None:
    steps = [step(1, 100, 5), step(2, 400, 8, overloaded=1)]

    assert sustainable(steps, max_latency_ms=50) is steps[0]
    assert sustainable([step(1, 0, 0, unavailable=3)], max_latency_ms=50) is None


@pytest.mark.parametrize(("percent", "expected"), [(50, 50), (95, 95), (99, 99), (1, 1)])
def test_percentiles_are_of_the_nearest_rank(percent: float, expected: float) -> None:
    one = Step(1, 1.0, [float(number) for number in range(1, 101)])

    assert one.percentile(percent) == expected
    assert Step(1, 1.0, [3.0]).percentile(percent) == 3.0


def test_the_batch_is_the_smallest_that_costs_about_the_least() -> None:
    costs = [BatchCost(1, 8.0), BatchCost(2, 4.1), BatchCost(4, 2.1), BatchCost(8, 2.0)]

    assert batch_size(costs) == 4


def test_the_parameters_allow_every_power_of_two_up_to_the_batch() -> None:
    lines = batching_parameters(8).splitlines()

    assert lines[0] == "max_batch_size { value: 8 }"
    allowed = [line.partition(": ")[2] for line in lines if line.startswith("allowed")]
    assert allowed == ["1", "2", "4", "8"]

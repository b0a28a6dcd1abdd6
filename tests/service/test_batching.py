"""Micro-batching, on a real event loop with a small model that notes what it is asked."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import pytest

from service.batching import MicroBatcher
from service.errors import BatchRejected, ContractBroken, DeadlineExceeded, InternalError


class SlowDoubler:
    """Doubles numbers. Each call waits until it is let go; `poison` makes it refuse a batch."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[int]]] = []
        self.deadlines: list[float] = []
        self.cancelled = 0
        self.poison: int | None = None
        self.failure: Exception | None = None
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self, key: str, items: Sequence[int], deadline: float) -> list[int]:
        self.calls.append((key, list(items)))
        self.deadlines.append(deadline)
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.failure is not None:
            raise self.failure
        if self.poison in items:
            raise BatchRejected("the model refused this input")
        return [2 * item for item in items]


Scenario = Callable[[SlowDoubler, MicroBatcher[str, int, int]], Coroutine[Any, Any, None]]


def play(scenario: Scenario, max_batch_size: int = 4, max_in_flight: int = 1) -> None:
    async def run() -> None:
        model = SlowDoubler()
        batcher: MicroBatcher[str, int, int] = MicroBatcher(model, max_batch_size, max_in_flight)
        await asyncio.wait_for(scenario(model, batcher), timeout=60)

    asyncio.run(run())


def later() -> float:
    return asyncio.get_running_loop().time() + 60


async def turns(count: int = 5) -> None:
    """Let the event loop go round."""
    for _ in range(count):
        await asyncio.sleep(0)


def submitted(
    batcher: MicroBatcher[str, int, int], items: Sequence[int], key: str = "a"
) -> list[asyncio.Task[int]]:
    return [asyncio.ensure_future(batcher.submit(key, item, later())) for item in items]


def test_an_idle_model_is_asked_at_once() -> None:
    """No timer: one item goes alone within a few turns of the event loop."""

    async def scenario(model: SlowDoubler, batcher: MicroBatcher[str, int, int]) -> None:
        (task,) = submitted(batcher, [21])
        await turns()
        assert task.done()
        assert await task == 42
        assert model.calls == [("a", [21])]

    play(scenario)


def test_what_arrives_together_goes_together() -> None:
    async def scenario(model: SlowDoubler, batcher: MicroBatcher[str, int, int]) -> None:
        assert await asyncio.gather(*submitted(batcher, [1, 2, 3])) == [2, 4, 6]
        assert model.calls == [("a", [1, 2, 3])]

    play(scenario)


def test_what_gathers_while_the_model_is_busy_goes_together() -> None:
    async def scenario(model: SlowDoubler, batcher: MicroBatcher[str, int, int]) -> None:
        model.go.clear()
        tasks = submitted(batcher, [1])
        await turns()
        for item in (2, 3, 4):
            tasks += submitted(batcher, [item])
            await turns()
        assert model.calls == [("a", [1])]
        model.go.set()
        assert await asyncio.gather(*tasks) == [2, 4, 6, 8]
        assert model.calls == [("a", [1]), ("a", [2, 3, 4])]

    play(scenario)


def test_no_batch_is_larger_than_allowed_and_the_order_is_kept() -> None:
    async def scenario(model: SlowDoubler, batcher: MicroBatcher[str, int, int]) -> None:
        items = list(range(11))
        assert await asyncio.gather(*submitted(batcher, items)) == [2 * item for item in items]
        assert [batch for _, batch in model.calls] == [items[:4], items[4:8], items[8:]]

    play(scenario)


def test_groups_never_mix() -> None:
    """Versions and sets of outputs must not share a call."""

    async def scenario(model: SlowDoubler, batcher: MicroBatcher[str, int, int]) -> None:
        tasks = []
        for item in range(9):
            tasks += submitted(batcher, [item], key="abc"[item % 3])
        assert await asyncio.gather(*tasks) == [2 * item for item in range(9)]
        assert sorted(model.calls) == [("a", [0, 3, 6]), ("b", [1, 4, 7]), ("c", [2, 5, 8])]

    play(scenario)


def test_no_group_starves() -> None:
    """However much of one kind waits, a single item of another is next but one."""

    async def scenario(model: SlowDoubler, batcher: MicroBatcher[str, int, int]) -> None:
        tasks = submitted(batcher, range(40), key="busy")
        tasks += submitted(batcher, [99], key="rare")
        await asyncio.gather(*tasks)
        assert ("rare", [99]) in model.calls[:2]

    play(scenario)


@pytest.mark.parametrize("max_in_flight", [1, 3])
def test_no_more_calls_at_once_than_allowed(max_in_flight: int) -> None:
    async def scenario(model: SlowDoubler, batcher: MicroBatcher[str, int, int]) -> None:
        model.go.clear()
        tasks = submitted(batcher, range(40))
        await turns(20)
        assert len(model.calls) == max_in_flight
        model.go.set()
        await asyncio.gather(*tasks)

    play(scenario, max_in_flight=max_in_flight)


def test_a_cancelled_caller_is_left_out() -> None:
    """Nobody waits for it: the model need not work for it."""

    async def scenario(model: SlowDoubler, batcher: MicroBatcher[str, int, int]) -> None:
        model.go.clear()
        tasks = submitted(batcher, [1])
        await turns()
        tasks += submitted(batcher, [2, 3, 4])
        await turns()
        tasks[2].cancel()
        model.go.set()
        assert await asyncio.gather(*tasks[:2], *tasks[3:]) == [2, 4, 8]
        assert model.calls[1] == ("a", [2, 4])

    play(scenario)


def test_a_caller_cancelled_during_the_call_harms_no_neighbour() -> None:
    async def scenario(model: SlowDoubler, batcher: MicroBatcher[str, int, int]) -> None:
        model.go.clear()
        tasks = submitted(batcher, [1, 2, 3])
        await turns()
        tasks[1].cancel()
        await turns()
        model.go.set()
        assert await asyncio.gather(*tasks[::2]) == [2, 6]
        assert model.cancelled == 0

    play(scenario)


def test_a_call_that_everybody_has_left_is_cancelled_and_the_next_one_runs() -> None:
    async def scenario(model: SlowDoubler, batcher: MicroBatcher[str, int, int]) -> None:
        model.go.clear()
        tasks = submitted(batcher, [1, 2])
        await turns()
        for task in tasks:
            task.cancel()
        await turns()
        assert model.cancelled == 1
        model.go.set()
        assert await asyncio.gather(*submitted(batcher, [5])) == [10]

    play(scenario)


def test_an_item_whose_time_is_up_is_left_out() -> None:
    async def scenario(model: SlowDoubler, batcher: MicroBatcher[str, int, int]) -> None:
        past = asyncio.get_running_loop().time() - 1
        late = asyncio.ensure_future(batcher.submit("a", 1, past))
        tasks = submitted(batcher, [2])
        with pytest.raises(DeadlineExceeded):
            await late
        assert await asyncio.gather(*tasks) == [4]
        assert model.calls == [("a", [2])]

    play(scenario)


def test_a_batch_has_the_time_of_its_most_patient_item() -> None:
    async def scenario(model: SlowDoubler, batcher: MicroBatcher[str, int, int]) -> None:
        now = asyncio.get_running_loop().time()
        await asyncio.gather(*(batcher.submit("a", 1, now + wait) for wait in (20, 40, 30)))
        assert model.deadlines == [now + 40]

    play(scenario)


def test_a_rejected_batch_is_tried_again_one_by_one() -> None:
    """One bad item fails alone; its neighbours get their answers."""

    async def scenario(model: SlowDoubler, batcher: MicroBatcher[str, int, int]) -> None:
        model.poison = 2
        tasks = submitted(batcher, [1, 2, 3])
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert answers[0] == 2
        assert isinstance(answers[1], BatchRejected)
        assert answers[2] == 6
        assert [batch for _, batch in model.calls] == [[1, 2, 3], [1], [2], [3]]

    play(scenario)


def test_the_items_of_a_rejected_batch_are_tried_as_many_at_a_time_as_there_may_be_calls() -> None:
    async def scenario(model: SlowDoubler, batcher: MicroBatcher[str, int, int]) -> None:
        model.poison = 1
        model.go.clear()
        tasks = submitted(batcher, [1, 2, 3, 4])
        await turns()
        model.go.set()
        model.go.clear()  # who waited goes on, and nobody else
        await turns()
        assert [batch for _, batch in model.calls[1:]] == [[1], [2]]
        model.go.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert answers[1:] == [4, 6, 8]
        assert isinstance(answers[0], BatchRejected)

    play(scenario, max_in_flight=2)


def test_an_item_rejected_alone_is_not_tried_again() -> None:
    async def scenario(model: SlowDoubler, batcher: MicroBatcher[str, int, int]) -> None:
        model.poison = 2
        with pytest.raises(BatchRejected):
            await batcher.submit("a", 2, later())
        assert len(model.calls) == 1

    play(scenario)


@pytest.mark.parametrize(
    ("failure", "expected"),
    [(ContractBroken("differs"), ContractBroken), (ZeroDivisionError(), InternalError)],
)
def test_a_failed_call_fails_all_its_items_and_no_later_one(
    failure: Exception, expected: type[Exception]
) -> None:
    """What is not ours becomes an InternalError that keeps its cause for the log."""

    async def scenario(model: SlowDoubler, batcher: MicroBatcher[str, int, int]) -> None:
        model.failure = failure
        answers = await asyncio.gather(*submitted(batcher, [1, 2]), return_exceptions=True)
        assert [type(answer) for answer in answers] == [expected] * 2
        assert failure in (answers[0], answers[0].__cause__)  # type: ignore[union-attr]
        model.failure = None
        assert await batcher.submit("a", 3, later()) == 6

    play(scenario)


def test_a_wrong_number_of_rows_fails_all() -> None:
    """Whose row is missing cannot be told, and nobody may get a neighbour's answer."""

    async def one_row_less(key: str, items: Sequence[int], deadline: float) -> list[int]:
        return [2 * item for item in items][1:]

    async def run() -> None:
        call: Callable[[str, Sequence[int], float], Awaitable[list[int]]] = one_row_less
        batcher: MicroBatcher[str, int, int] = MicroBatcher(call, 4)
        answers = await asyncio.gather(*submitted(batcher, [1, 2, 3]), return_exceptions=True)
        assert all(isinstance(answer, InternalError) for answer in answers)

    asyncio.run(run())


def test_nothing_is_left_behind() -> None:
    """After a mix of answers, failures and cancellations no group, task or item remains."""

    async def scenario(model: SlowDoubler, batcher: MicroBatcher[str, int, int]) -> None:
        before = asyncio.all_tasks()
        model.poison = 7
        tasks = [task for item in range(50) for task in submitted(batcher, [item], f"{item % 7}")]
        for task in tasks[::5]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await turns()
        assert asyncio.all_tasks() == before
        assert not batcher._queues
        assert not batcher._tasks

    play(scenario)

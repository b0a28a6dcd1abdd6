"""Calls of a model server: what is sent again, what counts as a failure, what is given up."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import numpy as np
import pytest

from service.backend import Arrays, Call
from service.breaker import CLOSED, OPEN
from service.calls import GuardedCalls, RetryBudget
from service.errors import (
    BatchRejected,
    ContractBroken,
    DeadlineExceeded,
    ModelServerError,
    ModelServerUnavailable,
    Overloaded,
    ServiceError,
)

CALL = Call("stn", 1, "predict", {}, ())
ANSWER = {"probabilities": np.ones(1)}
LOST = ModelServerUnavailable("lost", is_transient=True)
BUSY = Overloaded("busy", is_transient=True)


class Server:
    """Answers as it is told, then well.

    Attributes:
        faults: what it raises, in order.
        asked: how often.
        hangs: an event for which its answers wait.
    """

    def __init__(self, *faults: ServiceError) -> None:
        self.faults = list(faults)
        self.asked = 0
        self.hangs = asyncio.Event()
        self.hangs.set()
        self._turn = asyncio.Condition()

    async def has_been_asked(self, times: int) -> None:
        async with self._turn:
            await self._turn.wait_for(lambda: self.asked >= times)

    async def run(self, call: Call, deadline: float) -> Arrays:
        async with self._turn:
            self.asked += 1
            self._turn.notify_all()
        await self.hangs.wait()
        if self.faults:
            raise self.faults.pop(0)
        return ANSWER


def guarded(server: Server, budget: RetryBudget | None = None) -> GuardedCalls:
    return GuardedCalls(server.run, ("stn", "warp"), budget, random.Random(0))  # noqa: S311


def later(seconds: float = 60) -> float:
    return asyncio.get_running_loop().time() + seconds


def play(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 60))


@pytest.mark.parametrize("fault", [LOST, BUSY], ids=["lost", "busy"])
def test_a_lost_or_refused_call_is_sent_once_more(fault: ServiceError) -> None:
    async def scenario() -> None:
        server = Server(fault)
        calls = guarded(server)
        assert await calls.run(CALL, later()) is ANSWER
        assert (server.asked, calls.num_retries) == (2, 1)

    play(scenario)


def test_it_is_not_sent_a_third_time() -> None:
    async def scenario() -> None:
        server = Server(LOST, LOST)
        with pytest.raises(ModelServerUnavailable):
            await guarded(server).run(CALL, later())
        assert server.asked == 2

    play(scenario)


@pytest.mark.parametrize(
    "fault",
    [
        ModelServerUnavailable("cancelled by the server"),
        ModelServerError("failed"),
        BatchRejected("refused"),
        ContractBroken("differs"),
        DeadlineExceeded("late"),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_nothing_else_is_sent_again(fault: ServiceError) -> None:
    """What the server has answered it would answer again."""

    async def scenario() -> None:
        server = Server(fault)
        with pytest.raises(type(fault)):
            await guarded(server).run(CALL, later())
        assert server.asked == 1

    play(scenario)


def test_there_is_no_second_try_that_could_not_begin_before_the_deadline() -> None:
    async def scenario() -> None:
        server = Server(LOST)
        with pytest.raises(ModelServerUnavailable):
            await guarded(server).run(CALL, later(0.001))
        assert server.asked == 1

    play(scenario)


def test_retries_are_a_tenth_of_the_calls_and_ten_saved_up() -> None:
    budget = RetryBudget()
    allowed = 0
    for _ in range(1000):
        budget.called()
        allowed += budget.take()

    assert allowed == pytest.approx(110, abs=1)


def test_rest_saves_up_no_more_than_ten_retries() -> None:
    budget = RetryBudget()
    for _ in range(1000):
        budget.called()

    assert [budget.take() for _ in range(11)] == [True] * 10 + [False]


def test_without_a_budget_a_lost_call_stays_lost() -> None:
    async def scenario() -> None:
        server = Server(LOST, LOST)
        calls = guarded(server, RetryBudget(most=0.5))
        with pytest.raises(ModelServerUnavailable):
            await calls.run(CALL, later())
        assert server.asked == 1

    play(scenario)


def test_while_the_breaker_is_open_the_server_is_left_alone_and_so_for_each_servable() -> None:
    async def scenario() -> None:
        server = Server()
        calls = guarded(server)
        for _ in range(3):
            calls.breakers["stn"].failed()
        with pytest.raises(ModelServerUnavailable):
            await calls.run(CALL, later())
        assert server.asked == 0
        assert await calls.run(Call("warp", 1, "warp", {}, ()), later()) is ANSWER

    play(scenario)


def test_lost_calls_open_the_breaker_and_refused_ones_do_not() -> None:
    """A server that answers, whatever it says, is there."""

    async def outcome(fault: ServiceError) -> str:
        calls = guarded(Server(*[fault] * 5), RetryBudget(most=0.5))
        for _ in range(5):
            with pytest.raises(ServiceError):
                await calls.run(CALL, later())
        return calls.breakers["stn"].state

    async def scenario() -> None:
        assert await outcome(LOST) == OPEN
        for fault in (BUSY, BatchRejected("refused"), ContractBroken("NaN"), ModelServerError("?")):
            assert await outcome(fault) == CLOSED

    play(scenario)


@pytest.mark.parametrize(("fair_seconds", "state"), [(0.01, OPEN), (60.0, CLOSED)])
def test_only_a_call_that_had_a_fair_time_can_open_the_breaker_by_taking_longer(
    monkeypatch: pytest.MonkeyPatch, fair_seconds: float, state: str
) -> None:
    """Else a single caller with short deadlines would stop everybody's calls."""
    monkeypatch.setattr("service.calls._FAIR_SECONDS", fair_seconds)

    async def scenario() -> None:
        server = Server()
        server.hangs.clear()
        calls = guarded(server)
        for _ in range(3):
            deadline = later(0.02)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await calls.run(CALL, deadline)
        assert calls.breakers["stn"].state == state

    play(scenario)


def test_a_caller_who_leaves_early_says_nothing_of_the_server() -> None:
    async def scenario() -> None:
        server = Server()
        server.hangs.clear()
        calls = guarded(server)
        for _ in range(3):
            asked = server.asked
            caller = asyncio.ensure_future(calls.run(CALL, later()))
            await server.has_been_asked(asked + 1)
            caller.cancel()
            await asyncio.wait([caller])
            assert caller.cancelled()
        assert calls.breakers["stn"].state == CLOSED

    play(scenario)


def test_a_call_that_was_overtaken_is_sent_again() -> None:
    """A later one, and one of the other servable, go on."""

    async def scenario() -> None:
        server = Server()
        server.hangs.clear()
        calls = guarded(server)
        loop = asyncio.get_running_loop()

        def begin(call: Call) -> "asyncio.Task[Arrays]":
            return loop.create_task(calls.run(call, later()))

        begun = [begin(CALL), begin(Call("warp", 1, "warp", {}, ()))]
        await asyncio.sleep(0.01)  # the clock has moved on since
        calls.give_up("stn", sent_before=loop.time())
        begun.append(begin(CALL))
        await asyncio.wait_for(server.has_been_asked(4), 30)
        server.hangs.set()
        assert all(answer is ANSWER for answer in await asyncio.gather(*begun))
        assert (server.asked, calls.num_retries) == (4, 1)
        assert not calls._in_flight

    play(scenario)

"""Who may begin: by what is in progress, by caller, by the time that is left."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from service.admission import Admission, Traffic, weigh
from service.breaker import Breaker
from service.context import RequestContext
from service.errors import (
    ModelServerUnavailable,
    Overloaded,
    RateLimited,
    ServiceError,
)
from service.lane import Jitter, Lane
from service.picture_lane import PictureLane
from tests.service.clock import Clock

FULL = 4
LIMIT = 3 * FULL


class Door:
    """An admission with a lane for each of two models, and requests that stay inside."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.traffics = {
            name: Traffic(
                Lane(FULL, 0.01, self.clock), PictureLane(2, 0.1, Jitter()), Breaker(name), Jitter()
            )
            for name in ("stn", "warp")
        }
        routes = {"/predict": "stn", "/warp": "warp"}
        self.admission = Admission(self.traffics, routes, small_bytes=1000)

    def asks(
        self,
        caller: str = "10.0.0.1",
        route: str = "/predict",
        key: str = "",
        timeout: float = 60,
        num_bytes: int = 500,
        name: str = "",
    ) -> tuple[Any, RequestContext]:
        """Return a request whose head was let in."""
        scope = {
            "client": (caller, 1),
            "headers": [(b"content-length", b"%d" % num_bytes)],
            "path_params": {"name": name},
        }
        deadline = asyncio.get_running_loop().time() + timeout
        context = RequestContext("id", "", deadline, route=route, caller=key)
        self.admission.check(scope, context)
        return scope, context

    async def lets_in(self, **request: Any) -> tuple[Any, RequestContext]:
        scope, context = self.asks(**request)
        await self.admission.enter(scope, context)
        return scope, context

    def lets_out(self, request: tuple[Any, RequestContext], status: int = 200) -> None:
        scope, context = request
        context.status = status
        self.admission.leave(scope, context)

    async def refusal(self, **request: Any) -> type[ServiceError] | None:
        try:
            self.lets_out(await self.lets_in(**request))
        except ServiceError as error:
            return type(error)
        return None


def play(scenario: Callable[[Door], Any]) -> None:
    async def run() -> None:
        await scenario(Door())

    asyncio.run(run())


def test_no_more_than_the_limit_are_in_and_each_who_leaves_makes_room() -> None:
    async def scenario(door: Door) -> None:
        inside = [await door.lets_in() for _ in range(LIMIT)]
        for _ in range(3):
            assert await door.refusal() is Overloaded
            door.lets_out(inside.pop())
            inside.append(await door.lets_in())
        for request in inside:
            door.lets_out(request)
        assert door.traffics["stn"].lane.load == 0
        assert not door.traffics["stn"].callers

    play(scenario)


def test_who_was_let_in_by_its_head_may_still_be_too_late_with_its_body() -> None:
    """A place is taken when the body is in: a slow sender holds none."""

    async def scenario(door: Door) -> None:
        slow = door.asks()
        for _ in range(LIMIT):
            await door.lets_in()
        with pytest.raises(Overloaded):
            await door.admission.enter(*slow)

    play(scenario)


def test_each_model_has_room_of_its_own() -> None:
    """A flood of warps keeps nobody from predicting; the protocol's routes name the model."""

    async def scenario(door: Door) -> None:
        for _ in range(LIMIT):
            await door.lets_in(route="/warp")
        assert await door.refusal(route="/warp") is Overloaded
        infer = "/v2/models/{name}/infer"
        assert await door.refusal(route=infer, name="warp") is Overloaded
        assert await door.refusal(route="/predict") is None
        assert await door.refusal(route=infer, name="stn") is None
        assert await door.refusal(route=infer, name="unheard of") is None

    play(scenario)


def test_who_takes_more_than_its_share_is_told_so_and_others_find_room() -> None:
    """One may have everything while alone; as soon as another comes, each may have a half."""

    async def scenario(door: Door) -> None:
        greedy = [await door.lets_in(caller="a") for _ in range(LIMIT)]
        assert await door.refusal(caller="a") is Overloaded

        await door.lets_in(caller="b")
        assert await door.refusal(caller="a") is RateLimited
        door.lets_out(greedy.pop())
        assert await door.refusal(caller="a") is RateLimited
        assert await door.refusal(caller="b") is None
        assert door.traffics["stn"].refused == {"full": 1, "share": 2}

    play(scenario)


def test_others_find_a_quarter_more_room_and_no_more() -> None:
    async def scenario(door: Door) -> None:
        for _ in range(LIMIT):
            await door.lets_in(caller="a")
        for _ in range(LIMIT // 4):
            await door.lets_in(caller="b")
        assert await door.refusal(caller="b") is Overloaded
        assert await door.refusal(caller="c") is Overloaded

    play(scenario)


def test_a_key_is_one_caller_wherever_it_comes_from() -> None:
    async def scenario(door: Door) -> None:
        for number in range(LIMIT):
            await door.lets_in(caller=f"10.0.0.{number}", key="greedy")
        await door.lets_in(caller="10.0.0.1", key="other")
        assert await door.refusal(caller="10.0.0.99", key="greedy") is RateLimited

    play(scenario)


def test_who_has_less_time_than_what_is_before_takes_is_refused_at_once() -> None:
    async def scenario(door: Door) -> None:
        inside = [await door.lets_in() for _ in range(FULL)]
        for _ in range(40):
            door.clock.pass_by(0.1)
            inside.append(await door.lets_in())
            door.lets_out(inside.pop(0))
        # Ten a second, and four before it.
        assert await door.refusal(timeout=0.3) is Overloaded
        assert await door.refusal(timeout=0.5) is None
        assert door.traffics["stn"].refused == {"deadline": 1}

    play(scenario)


def test_a_request_with_many_pictures_counts_as_many() -> None:
    """The largest is let in when little is before it, and then nobody else is."""

    async def scenario(door: Door) -> None:
        for _ in range(LIMIT - 1):
            await door.lets_in()
        large = await door.lets_in()
        weigh(large[1], 5 * LIMIT)
        assert door.traffics["stn"].lane.load == LIMIT - 1 + 5 * LIMIT
        assert await door.refusal() is Overloaded
        door.lets_out(large)
        assert door.traffics["stn"].lane.load == LIMIT - 1

    play(scenario)


def test_a_second_large_request_is_refused_and_counted_no_longer() -> None:
    async def scenario(door: Door) -> None:
        first, second = await door.lets_in(), await door.lets_in()
        weigh(first[1], 5 * LIMIT)
        with pytest.raises(Overloaded):
            weigh(second[1], 2)
        door.lets_out(second, status=503)
        door.lets_out(first)
        assert door.traffics["stn"].lane.load == 0
        assert not door.traffics["stn"].callers

    play(scenario)


def test_while_the_breaker_is_open_nobody_is_let_in() -> None:
    async def scenario(door: Door) -> None:
        for _ in range(3):
            door.traffics["stn"].breaker.failed()
        assert await door.refusal() is ModelServerUnavailable
        assert await door.refusal(route="/warp") is None

    play(scenario)


def test_a_large_body_is_refused_before_it_comes_when_large_pictures_wait_too_long() -> None:
    async def scenario(door: Door) -> None:
        pictures = door.traffics["stn"].pictures
        later = asyncio.get_running_loop().time() + 60
        for _ in range(4):
            pictures.place(1_000_000, 10_000, later).__enter__()
        assert await door.refusal(num_bytes=1001) is Overloaded
        assert await door.refusal(num_bytes=1000) is None

    play(scenario)

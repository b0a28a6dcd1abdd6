"""Admission: who may begin, so that what has begun is finished in time.

Refusing costs next to nothing and happens before the body is read. What counts is not how many ask
but how much work is in progress, and how fast it gets done (`lane.Lane`): see
docs/decisions/0006-admission.md.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping

from starlette.types import Scope

from service.breaker import Breaker
from service.context import RequestContext
from service.errors import Overloaded, RateLimited
from service.lane import Jitter, Lane
from service.picture_lane import PictureLane

# A caller within its share finds room although others fill the lane.
_STRETCH = 1.25


class Traffic:
    """The requests for one model.

    Args:
        lane: bounds them.
        pictures: bounds those of their pictures that threads work on.
        breaker: of the model.
        jitter: spreads the times at which those refused come again.

    Attributes:
        lane: bounds them.
        pictures: bounds their larger pictures.
        breaker: of the model.
        callers: units in progress by caller.
        refused: how many were refused, by reason: `full`, `share` or `deadline`.
    """

    def __init__(self, lane: Lane, pictures: PictureLane, breaker: Breaker, jitter: Jitter) -> None:
        self.lane = lane
        self.pictures = pictures
        self.breaker = breaker
        self.callers: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self._jitter = jitter

    def check(self, caller: str, deadline: float, own: int = 0) -> None:
        """Refuse a request for which there is no room, or no time.

        Args:
            caller: whose it is.
            deadline: by the event loop's clock, in seconds.
            own: units of it that are already counted.

        Raises:
            Overloaded: too much is in progress.
            RateLimited: most of it is this caller's, and others are there.
        """
        load, limit = self.lane.load - own, self.lane.limit
        if load >= limit:
            self._refuse_or_stretch(caller, load, limit, own)
        if load >= self.lane.full:
            wait = self.lane.seconds(load)
            if wait > deadline - asyncio.get_running_loop().time():
                self.refused["deadline"] += 1
                raise Overloaded(
                    f"what is in progress takes about {wait:.1f} seconds more, longer than this "
                    "request has",
                    retry_after_seconds=self._jitter(wait),
                )

    def add(self, caller: str, units: int) -> None:
        """Count units of a caller's request."""
        self.callers[caller] += units
        self.lane.enter(units)

    def remove(self, caller: str, units: int, is_done: bool, is_late: bool) -> None:
        """Count them no longer; see `Lane.leave`."""
        self.callers[caller] -= units
        if not self.callers[caller]:
            del self.callers[caller]
        self.lane.leave(units, is_done, is_late)

    def _refuse_or_stretch(self, caller: str, load: float, limit: float, own: int) -> None:
        mine = self.callers.get(caller, 0) - own
        others = len(self.callers) - (caller in self.callers)
        share = limit / (others + 1)
        if others and mine < share and load < _STRETCH * limit:
            return
        seconds = self._jitter(self.lane.seconds(load))
        if others and mine > share:
            self.refused["share"] += 1
            raise RateLimited(
                "most of the work in progress is this caller's, and others are waiting",
                retry_after_seconds=seconds,
            )
        self.refused["full"] += 1
        raise Overloaded(
            f"{load:g} pictures are in progress or wait; more would wait too long",
            retry_after_seconds=seconds,
        )


class Admission:
    """Bounds the work in progress: an `edge.Admission`.

    When there is no more room, whoever takes more than its share is told so (429), whoever takes
    less finds room beyond the limit, and who is alone may take all of it.

    Args:
        traffics: by name of the model.
        models: routes whose path does not name a model, and the model behind each.
        small_bytes: bodies up to here hold no picture that threads work on.

    Attributes:
        traffics: by name of the model.
    """

    def __init__(
        self, traffics: Mapping[str, Traffic], models: Mapping[str, str], small_bytes: int
    ) -> None:
        self.traffics = traffics
        self._of_route = {route: traffics[model] for route, model in models.items()}
        self._small_bytes = small_bytes

    def check(self, scope: Scope, context: RequestContext) -> None:
        """Look at a request whose body has not been read.

        Raises:
            ModelServerUnavailable: the model does not answer, see `breaker.Breaker`.
            Overloaded: too much is in progress, or would not be done by the deadline.
            RateLimited: most of it is this caller's, and others are there.
            DeadlineExceeded: the deadline leaves no time for it, even alone.
        """
        traffic = self._of_route.get(context.route)
        if traffic is None:
            traffic = self.traffics.get(scope.get("path_params", {}).get("name", ""))
            if traffic is None:
                return
        client = scope.get("client")
        context.traffic = traffic
        context.holder = context.caller or (client[0] if client else "")
        traffic.breaker.check()
        traffic.check(context.holder, context.deadline)
        if traffic.pictures.count:
            announced = _announced(scope)
            if announced > self._small_bytes:
                traffic.pictures.expect(announced, context.deadline)

    async def enter(self, scope: Scope, context: RequestContext) -> None:
        """Count a request, whose body is in, as work in progress.

        Raises:
            Overloaded: too much is in progress.
            RateLimited: most of it is this caller's, and others are there.
        """
        if context.traffic is not None:
            context.traffic.check(context.holder, context.deadline)
            context.traffic.add(context.holder, 1)
            context.units = 1

    def leave(self, scope: Scope, context: RequestContext) -> None:
        """Count a request no longer."""
        if context.traffic is not None:
            # Refusals take no time, and say nothing of the pace.
            context.traffic.remove(
                context.holder, context.units, context.status == 200, context.status == 504
            )


def weigh(context: RequestContext, units: int) -> None:
    """Count a request in progress as so many; those before it alone decide whether it may be.

    Raises:
        Overloaded: too much is in progress without it.
        RateLimited: most of that is this caller's, and others are there.
    """
    if context.traffic is not None and units > context.units:
        context.traffic.check(context.holder, context.deadline, own=context.units)
        context.traffic.add(context.holder, units - context.units)
        context.units = units


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 16 else 0
    return 0

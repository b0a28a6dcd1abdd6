"""Calls of a model server that may fail: given up in time, retried within reason, or not begun."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable

from service.backend import Arrays, Call
from service.breaker import CLOSED, Breaker
from service.errors import DeadlineExceeded, ModelServerUnavailable, ServiceError, Unavailable

# Long enough for a lost connection to be replaced, short against what a request may take.
_PAUSE_SECONDS = (0.02, 0.08)
# Who gives a call less time than this says nothing about the server by giving up.
_FAIR_SECONDS = 1.0


class RetryBudget:
    """How many retries are allowed: a share of all calls, so that they cannot multiply an outage.

    Args:
        share: of the calls.
        most: retries saved up at most; there are as many at the start.

    Attributes:
        left: retries allowed right now.

    Source: the retry budgets of Finagle and gRPC's retry throttling (gRFC A6).
    """

    def __init__(self, share: float = 0.1, most: float = 10.0) -> None:
        self.left = most
        self._share = share
        self._most = most

    def called(self) -> None:
        """Count a call."""
        self.left = min(self.left + self._share, self._most)

    def take(self) -> bool:
        """Whether one more retry is allowed; it is then counted."""
        if self.left < 1:
            return False
        self.left -= 1
        return True


class GuardedCalls:
    """Runs callers' calls on a model server.

    A call that finds no server, or one with all its threads busy, is sent once more after a pause
    of random length, if its deadline and the budget allow. A breaker for each servable stops calls
    when too many in a row went unanswered.

    Args:
        run: sends one call; see `backend.Backend.run`.
        servables: whose calls.
        budget: of retries, shared by all calls.
        rng: makes pauses differ.

    Attributes:
        breakers: by servable.
        budget: of retries.
        num_retries: since the start.
        on_open: called when one of the breakers opens.
    """

    def __init__(
        self,
        run: Callable[[Call, float], Awaitable[Arrays]],
        servables: Iterable[str],
        budget: RetryBudget | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.on_open: Callable[[], None] = lambda: None
        self.breakers = {name: Breaker(name, lambda: self.on_open()) for name in servables}
        self.budget = budget or RetryBudget()
        self.num_retries = 0
        self._run = run
        self._rng = rng or random.Random()  # noqa: S311 - spreads load, guards nothing
        self._in_flight: dict[asyncio.Timeout, tuple[str, float]] = {}

    async def run(self, call: Call, deadline: float) -> Arrays:
        """Run a signature, as `backend.Backend.run` does.

        Raises:
            ModelServerUnavailable: there is no server, or it answers nobody; also at once, while
                the breaker is open.
            ServiceError: as `backend.Backend.run`.
        """
        breaker = self.breakers[call.servable]
        breaker.check()
        self.budget.called()
        try:
            return await self._once(call, deadline, breaker)
        except Unavailable as error:
            pause = self._rng.uniform(*_PAUSE_SECONDS)
            if not self._is_worth_another(error, deadline - pause, breaker):
                raise
        await asyncio.sleep(pause)
        breaker.check()
        self.num_retries += 1
        return await self._once(call, deadline, breaker)

    def give_up(self, servable: str, sent_before: float) -> None:
        """End calls of a servable that were overtaken; each may be retried like any other.

        A server that hung and is well again may never answer what it was asked while it hung.

        Args:
            servable: whose calls.
            sent_before: by the event loop's clock; later calls go on.
        """
        for timeout, (name, sent) in list(self._in_flight.items()):
            if name == servable and sent < sent_before:
                timeout.reschedule(0)

    def _is_worth_another(self, error: Unavailable, until: float, breaker: Breaker) -> bool:
        return (
            error.is_transient
            and breaker.state is CLOSED
            and asyncio.get_running_loop().time() < until
            and self.budget.take()
        )

    async def _once(self, call: Call, deadline: float, breaker: Breaker) -> Arrays:
        now = asyncio.get_running_loop().time
        sent = now()
        timeout = asyncio.timeout(None)
        try:
            async with timeout:
                self._in_flight[timeout] = (call.servable, sent)
                try:
                    outputs = await self._run(call, deadline)
                finally:
                    del self._in_flight[timeout]
        except TimeoutError as error:
            raise ModelServerUnavailable(
                "the model server did not answer, though it answers others again",
                is_transient=True,
            ) from error
        except ModelServerUnavailable:
            breaker.failed()
            raise
        except (DeadlineExceeded, asyncio.CancelledError):
            # Callers are cancelled at their deadline; before it, they left by themselves.
            if now() >= deadline and deadline - sent >= _FAIR_SECONDS:
                breaker.failed()
            raise
        except ServiceError:
            breaker.answered()
            raise
        breaker.answered()
        return outputs

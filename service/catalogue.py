"""The two servables, kept up to date, and whether requests can be answered."""

import asyncio
import logging
from contextlib import suppress

from service.backend import Backend
from service.breaker import CLOSED
from service.calls import GuardedCalls
from service.canary import CLASSIFIER_CANARIES, warper_canaries
from service.contract import Classifier, Warper, read_classifier, read_warper
from service.servable import Servable

log = logging.getLogger("stn_serving")

# A canary may be this much older than the polling interval before readiness is in doubt.
_CANARY_GRACE_SECONDS = 5.0
# Between looks while something is missing, so that its return is noticed soon.
_IMPATIENT_SECONDS = 0.25


class Catalogue:
    """Keeps what is known of both servables up to date.

    Args:
        backend: whom to ask.
        predict_servable: name of the classifier.
        warp_servable: name of the transformer alone.
        poll_seconds: how often to ask.
        calls: those of callers, which the canaries let go on or not.

    Attributes:
        classifier: what is behind `/predict`.
        warper: what is behind `/warp`.
        stopping: whether the gateway is told to stop, and so not ready.
    """

    def __init__(
        self,
        backend: Backend,
        predict_servable: str,
        warp_servable: str,
        poll_seconds: float,
        calls: GuardedCalls,
    ) -> None:
        self.stopping = False
        self._poll_seconds = poll_seconds
        self._breaker_opened = asyncio.Event()
        calls.on_open = self._breaker_opened.set
        self._round: asyncio.Task[None] | None = None
        self._rounds: set[asyncio.Task[None]] = set()
        self._is_asking = asyncio.Lock()
        self._was_ready: bool | None = None
        self.classifier: Servable[Classifier] = Servable(
            backend, predict_servable, read_classifier, CLASSIFIER_CANARIES, poll_seconds, calls
        )
        self.warper: Servable[Warper] = Servable(
            backend, warp_servable, read_warper, warper_canaries(), poll_seconds, calls
        )

    @property
    def servables(self) -> tuple[Servable[Classifier], Servable[Warper]]:
        """Both, in the order of the routes."""
        return (self.classifier, self.warper)

    async def refresh(self) -> None:
        """Ask the backend, from now on; callers share the next round of questions.

        A round under way does not count: what it heard may be what the caller knows to be past.
        """
        if self._round is None or self._round.done():
            self._round = asyncio.create_task(self._refresh())
            self._rounds.add(self._round)
            self._round.add_done_callback(self._rounds.discard)
        # A caller that goes away does not take the answer from the others.
        await asyncio.shield(self._round)

    async def watch(self) -> None:
        """Ask the backend again and again, until cancelled."""
        while True:
            wait = self._poll_seconds
            reasons = self.not_ready_because()
            self._tell(reasons)
            if reasons:
                wait = min(wait, _IMPATIENT_SECONDS)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._breaker_opened.wait(), wait)
            self._breaker_opened.clear()
            try:
                await self.refresh()
            except Exception:
                log.exception("looking up the model versions failed; trying again")

    def not_ready_because(self) -> list[str]:
        """Return a sentence for each servable that cannot answer; empty when ready."""
        reasons = ["the gateway is stopping"] if self.stopping else []
        oldest = asyncio.get_running_loop().time() - 3 * self._poll_seconds - _CANARY_GRACE_SECONDS
        for servable in self.servables:
            if servable.latest() is None or servable.trouble:
                reasons.append(f"{servable.name}: {servable.why_not_ready()}")
            elif servable.breaker.state is not CLOSED:
                reasons.append(f"{servable.name}: its last calls were not answered")
            elif servable.canary_at < oldest:
                reasons.append(f"{servable.name}: no trial request came back lately")
        return reasons

    async def close(self) -> None:
        """Stop asking."""
        for running in list(self._rounds):
            await stop(running)

    def _tell(self, reasons: list[str]) -> None:
        """Log that requests can be answered, or cannot, when that has changed."""
        is_ready = not reasons
        if is_ready == self._was_ready:
            return
        self._was_ready = is_ready
        if is_ready:
            log.info("ready")
        else:
            log.warning("not ready: %s", "; ".join(reasons))

    async def _refresh(self) -> None:
        async with self._is_asking:
            self._round = None
            await asyncio.gather(self.classifier.refresh(), self.warper.refresh())


async def stop(task: "asyncio.Task[None]") -> None:
    """Cancel a task and wait until it is gone."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

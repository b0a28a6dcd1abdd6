"""What happens to a call besides its answer: it is noted, delayed, lost."""

import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import asdict
from typing import Any

import grpc

from tests.serving_double.faults import Fault, Occasion
from tests.serving_double.refusals import Refusal

_NOTED = 10_000


class GivenUp(Refusal):
    """A call whose caller did not wait for the answer."""


class CallLog:
    """The last calls, oldest first."""

    def __init__(self) -> None:
        self._calls: deque[dict[str, Any]] = deque(maxlen=_NOTED)

    def note(
        self,
        occasion: Occasion,
        version: int = 0,
        outputs: Sequence[str] = (),
        context: grpc.ServicerContext | None = None,
        befallen: Sequence[Fault] = (),
    ) -> None:
        """Remember a call that reached the server, and what goes wrong with it."""
        call = asdict(occasion) | {"version": version, "outputs": list(outputs)}
        call["faults"] = [fault.kind for fault in befallen]
        call["first_pixels"] = sorted(occasion.first_pixels)
        call["seconds_left"] = None if context is None else context.time_remaining()
        metadata = () if context is None else context.invocation_metadata()
        call["headers"] = {key: value for key, value in metadata if isinstance(value, str)}
        self._calls.append(call)

    def count(self) -> int:
        """Return how many there were since they were last taken."""
        return len(self._calls)

    def take(self) -> list[dict[str, Any]]:
        """Return the calls since this was last asked."""
        return [self._calls.popleft() for _ in range(len(self._calls))]


def suffer(befallen: Sequence[Fault], context: grpc.ServicerContext | None = None) -> None:
    """Let happen what happens before an answer.

    Raises:
        Refusal: a fault says so.
    """
    for fault in befallen:
        match fault.kind:
            case "slow":
                time.sleep(fault.milliseconds / 1000)
            case "hang":
                wait_until_given_up(context, fault.released)
            case "die":
                os._exit(134)
            case "error":
                raise Refusal(grpc.StatusCode[fault.code], fault.message)


def wait_until_given_up(context: Any, answer: "Future[Any]") -> None:
    """Wait for an answer, but not longer than the caller does.

    Raises:
        GivenUp: the caller went away, so that nobody reads this.
    """
    over = threading.Event()
    answer.add_done_callback(lambda _: over.set())
    if not context.add_callback(over.set):
        over.set()
    over.wait()
    if not answer.done():
        raise GivenUp(grpc.StatusCode.CANCELLED, "the caller gave up")

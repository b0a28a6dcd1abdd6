"""When the gateway looks for versions, and who shares what it finds."""

import asyncio
from collections.abc import Sequence

from service.backend import VersionStatus
from service.calls import GuardedCalls
from service.catalogue import Catalogue
from tests.service.fakes import FakeBackend


class SlowToTell(FakeBackend):
    """Tells versions only when it is let go.

    Attributes:
        asked: how often the classifier's versions were asked for.
        begun: one for each time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.begun = asyncio.Semaphore(0)
        self.go = asyncio.Event()

    async def versions(self, servable: str) -> Sequence[VersionStatus]:
        statuses = await super().versions(servable)
        if servable == "stn":
            self.asked += 1
            self.begun.release()
            await self.go.wait()
        return statuses


def test_a_look_under_way_is_not_taken_for_a_new_one() -> None:
    """What it heard may be past; those who ask meanwhile share one look that follows."""

    async def scenario() -> None:
        backend = SlowToTell()
        catalogue = Catalogue(
            backend, "stn", "warp", 60, GuardedCalls(backend.run, ("stn", "warp"))
        )
        first = asyncio.ensure_future(catalogue.refresh())
        await backend.begun.acquire()
        backend.states["stn"] = {1: "AVAILABLE", 2: "AVAILABLE"}

        later = [asyncio.ensure_future(catalogue.refresh()) for _ in range(3)]
        await asyncio.sleep(0)
        backend.go.set()
        await asyncio.gather(first, *later)

        assert set(catalogue.classifier.models) == {1, 2}
        assert backend.asked == 2
        await catalogue.close()

    asyncio.run(scenario())


def test_a_caller_who_leaves_does_not_end_the_look_and_the_end_does() -> None:
    async def scenario() -> None:
        before = asyncio.all_tasks()
        backend = SlowToTell()
        catalogue = Catalogue(
            backend, "stn", "warp", 60, GuardedCalls(backend.run, ("stn", "warp"))
        )
        callers = [asyncio.ensure_future(catalogue.refresh()) for _ in range(2)]
        await backend.begun.acquire()
        callers[0].cancel()
        backend.go.set()
        await callers[1]
        assert set(catalogue.classifier.models) == {1}

        backend.go.clear()
        hanging = [asyncio.ensure_future(catalogue.refresh()) for _ in range(2)]
        await backend.begun.acquire()
        hanging.append(asyncio.ensure_future(catalogue.refresh()))
        await asyncio.sleep(0)
        await catalogue.close()
        await asyncio.gather(*hanging, return_exceptions=True)
        assert asyncio.all_tasks() == before

    asyncio.run(scenario())

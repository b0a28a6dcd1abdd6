"""Micro-batching without a timer: whatever gathered while the last call ran goes together."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from service.errors import BatchRejected, DeadlineExceeded, InternalError, ServiceError

Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")
Row = TypeVar("Row")


@dataclass(slots=True)
class _Waiting(Generic[Item, Row]):
    item: Item
    deadline: float
    future: asyncio.Future[Row]
    batch: "_Batch[Item, Row] | None" = None


@dataclass(slots=True, eq=False)
class _Batch(Generic[Item, Row]):
    """What travels together; its task is cancelled when nobody waits for it any more."""

    waiting: list[_Waiting[Item, Row]]
    task: asyncio.Task[None] | None = None

    def cancel_if_deserted(self) -> None:
        if self.task is not None and all(w.future.done() for w in self.waiting):
            self.task.cancel()


class MicroBatcher(Generic[Key, Item, Row]):
    """Groups single items into batches, at once when idle, larger ones under load.

    Items are grouped by key: only equal keys may share a call. A caller that is cancelled, or whose
    deadline has passed, is left out of the batch that is next made up. A batch that is rejected is
    tried again item by item, so that one bad item does not fail its neighbours.

    Args:
        run: makes one call with a batch of items and returns a row for each, in order.
        max_batch_size: most items in one call.
        max_in_flight: most calls at the same time.
    """

    def __init__(
        self,
        run: Callable[[Key, Sequence[Item], float], Awaitable[Sequence[Row]]],
        max_batch_size: int,
        max_in_flight: int = 1,
    ) -> None:
        self._run = run
        self._max_batch_size = max_batch_size
        self._max_in_flight = max_in_flight
        self._queues: dict[Key, deque[_Waiting[Item, Row]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._scheduled = False

    async def submit(self, key: Key, item: Item, deadline: float) -> Row:
        """Run one item, alone or in company.

        Args:
            key: items with equal keys may share a call.
            item: what to run.
            deadline: by the event loop's clock, in seconds.

        Raises:
            DeadlineExceeded: the deadline passed before the item's turn came.
            ServiceError: whatever the call raised.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Row] = loop.create_future()
        waiting = _Waiting(item, deadline, future)
        self._queues.setdefault(key, deque()).append(waiting)
        if not self._scheduled and len(self._tasks) < self._max_in_flight:
            # Not yet: let the others that this turn of the event loop brings in join the batch.
            self._scheduled = True
            loop.call_soon(self._dispatch)
        try:
            return await future
        except asyncio.CancelledError:
            if waiting.batch is not None:
                waiting.batch.cancel_if_deserted()
            raise

    def _dispatch(self) -> None:
        self._scheduled = False
        while len(self._tasks) < self._max_in_flight and self._queues:
            # Oldest group first; what is left of it goes to the end, so that no group starves.
            key, queue = next(iter(self._queues.items()))
            del self._queues[key]
            batch = _Batch(self._take(queue))
            if queue:
                self._queues[key] = queue
            if batch.waiting:
                for waiting in batch.waiting:
                    waiting.batch = batch
                run = self._run_batch(key, batch.waiting)
                batch.task = asyncio.get_running_loop().create_task(run)
                self._tasks.add(batch.task)
                batch.task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._dispatch()

    def _take(self, queue: deque[_Waiting[Item, Row]]) -> list[_Waiting[Item, Row]]:
        now = asyncio.get_running_loop().time()
        batch: list[_Waiting[Item, Row]] = []
        while queue and len(batch) < self._max_batch_size:
            waiting = queue.popleft()
            if waiting.future.done():
                continue
            if waiting.deadline <= now:
                waiting.future.set_exception(
                    DeadlineExceeded("the request's time ran out while it waited for the model")
                )
                continue
            batch.append(waiting)
        return batch

    async def _run_batch(self, key: Key, batch: list[_Waiting[Item, Row]]) -> None:
        try:
            rows = await self._run(key, [w.item for w in batch], max(w.deadline for w in batch))
        except BatchRejected as error:
            if len(batch) == 1:
                _fail(batch, error)
            else:
                await self._run_alone(key, batch)
            return
        except ServiceError as error:
            _fail(batch, error)
            return
        except Exception as error:
            failure = InternalError("an unexpected fault while the model ran")
            failure.__cause__ = error
            _fail(batch, failure)
            return
        if len(rows) != len(batch):
            _fail(batch, InternalError(f"{len(rows)} rows came back for {len(batch)} images"))
            return
        for waiting, row in zip(batch, rows, strict=True):
            if not waiting.future.done():
                waiting.future.set_result(row)

    async def _run_alone(self, key: Key, batch: list[_Waiting[Item, Row]]) -> None:
        """Run each item by itself, as many at a time as there may be calls."""
        left = iter(batch)

        async def run() -> None:
            for waiting in left:
                if not waiting.future.done():
                    await self._run_batch(key, [waiting])

        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._max_in_flight, len(batch))):
                group.create_task(run())


def _fail(batch: Sequence[_Waiting[Item, Row]], error: ServiceError) -> None:
    for waiting in batch:
        if not waiting.future.done():
            waiting.future.set_exception(error)

"""Batching in the server: calls that arrive together run together, and fail together."""

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.serving_double import refusals
from tests.serving_double.tensors import NAMES

Feeds = Mapping[str, np.ndarray]
Run = Callable[[Feeds, Sequence[str]], list[np.ndarray]]


@dataclass(frozen=True)
class BatchingParameters:
    """What a batching parameters file says; the defaults are the server's."""

    max_batch_size: int = 1000
    batch_timeout_seconds: float = 0.0
    max_enqueued_batches: int = 10
    allowed_batch_sizes: tuple[int, ...] = ()


def read_batching_parameters(file: Path) -> BatchingParameters:
    """Read a file in protobuf's text format.

    Raises:
        ValueError: the last allowed batch size is not the largest batch.
    """
    text = re.sub(r"#.*", "", file.read_text())
    values = {
        name: int(value)
        for name, value in re.findall(r"(\w+)\s*:?\s*\{\s*value\s*:\s*(\d+)\s*\}", text)
    }
    allowed = tuple(int(size) for size in re.findall(r"allowed_batch_sizes\s*:\s*(\d+)", text))
    defaults = BatchingParameters()
    parameters = BatchingParameters(
        max_batch_size=values.get("max_batch_size", defaults.max_batch_size),
        batch_timeout_seconds=values.get("batch_timeout_micros", 0) / 1e6,
        max_enqueued_batches=values.get("max_enqueued_batches", defaults.max_enqueued_batches),
        allowed_batch_sizes=allowed,
    )
    if allowed and allowed[-1] != parameters.max_batch_size:
        raise ValueError(
            "Last entry in allowed_batch_sizes must match max_batch_size; last entry was "
            f"{allowed[-1]}; expected {parameters.max_batch_size}"
        )
    return parameters


@dataclass
class _Task:
    feeds: Feeds
    size: int
    result: "Future[list[np.ndarray]]" = field(default_factory=Future)


class Batcher:
    """Queues of calls to one model, one for each set of inputs and outputs.

    Args:
        run: the model.
        parameters: of batching.
    """

    def __init__(self, run: Run, parameters: BatchingParameters) -> None:
        self._run = run
        self._parameters = parameters
        self._queues: dict[tuple[tuple[str, ...], tuple[str, ...]], _Queue] = {}
        self._lock = threading.Lock()

    def submit(self, feeds: Feeds, fetches: Sequence[str]) -> "Future[list[np.ndarray]]":
        """Queue a call; a batch of 0 rows is never answered.

        Raises:
            Refusal: it cannot be batched, or the queue is full.
        """
        size = _rows(feeds)
        if size > self._parameters.max_batch_size:
            raise refusals.batch_too_large(size, self._parameters.max_batch_size)
        if size == 0:
            return Future()
        key = (tuple(sorted(feeds)), tuple(fetches))
        with self._lock:
            if key not in self._queues:
                self._queues[key] = _Queue(self._run, fetches, self._parameters)
            queue = self._queues[key]
        return queue.put(_Task(feeds, size))

    def close(self) -> None:
        """Let the threads go when their queues are empty."""
        with self._lock:
            for queue in self._queues.values():
                queue.close()


class _Queue:
    def __init__(self, run: Run, fetches: Sequence[str], parameters: BatchingParameters) -> None:
        self._run = run
        self._fetches = fetches
        self._parameters = parameters
        self._tasks: deque[_Task] = deque()
        self._changed = threading.Condition()
        self._open = True
        threading.Thread(target=self._work, name="batching", daemon=True).start()

    def put(self, task: _Task) -> "Future[list[np.ndarray]]":
        room = self._parameters.max_batch_size * self._parameters.max_enqueued_batches
        with self._changed:
            if not self._open or sum(t.size for t in self._tasks) + task.size > room:
                raise refusals.batch_queue_full()
            self._tasks.append(task)
            self._changed.notify_all()
        return task.result

    def close(self) -> None:
        with self._changed:
            self._open = False
            self._changed.notify_all()

    def _work(self) -> None:
        while tasks := self._next():
            try:
                answers = self._run_together(tasks)
            except Exception as error:  # Whoever shares the batch shares the failure.
                for task in tasks:
                    task.result.set_exception(error)
            else:
                for task, answer in zip(tasks, answers, strict=True):
                    task.result.set_result(answer)

    def _next(self) -> list[_Task]:
        """Return the tasks of one batch, full or timed out; none when closed."""
        largest = self._parameters.max_batch_size
        with self._changed:
            self._changed.wait_for(lambda: self._tasks or not self._open)
            closes = time.monotonic() + self._parameters.batch_timeout_seconds
            while sum(t.size for t in self._tasks) < largest and self._open:
                if not self._changed.wait(max(0.0, closes - time.monotonic())):
                    break
            batch: list[_Task] = []
            while self._tasks and sum(t.size for t in [*batch, self._tasks[0]]) <= largest:
                batch.append(self._tasks.popleft())
            return batch

    def _run_together(self, tasks: Sequence[_Task]) -> list[list[np.ndarray]]:
        rows = sum(task.size for task in tasks)
        allowed = self._parameters.allowed_batch_sizes
        padding = next((size for size in allowed if size >= rows), rows) - rows
        merged = {
            name: _merge(name, [task.feeds[name] for task in tasks], padding)
            for name in tasks[0].feeds
        }
        outputs = self._run(merged, self._fetches)
        for output in outputs:
            if output.ndim == 0:
                raise refusals.batch_output_scalar()
            if output.shape[0] != rows + padding:
                raise refusals.batch_output_uneven()
        ends = np.cumsum([task.size for task in tasks])
        return [
            [output[end - task.size : end] for output in outputs]
            for task, end in zip(tasks, ends, strict=True)
        ]


def _rows(feeds: Feeds) -> int:
    if not feeds:
        raise refusals.batch_without_inputs()
    if any(array.ndim == 0 for array in feeds.values()):
        raise refusals.batch_of_scalar()
    sizes = {array.shape[0] for array in feeds.values()}
    if len(sizes) > 1:
        raise refusals.batch_uneven()
    return sizes.pop()


def _merge(name: str, arrays: Sequence[np.ndarray], padding: int) -> np.ndarray:
    first = arrays[0]
    for array in arrays:
        if array.shape[1:] != first.shape[1:]:
            raise refusals.batch_shapes_differ(name)
        if array.dtype != first.dtype:
            raise refusals.batch_dtypes_differ(NAMES[first.dtype], NAMES[array.dtype])
    # Filled up with a row known to be valid.
    return np.concatenate([*arrays, *[arrays[-1][:1]] * padding])

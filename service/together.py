"""Several pieces of work at once: all of them, or none."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from service.errors import ServiceError

Result = TypeVar("Result")


async def all_or_none(work: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Do the work for several images at once; when one fails, say which, and stop the others."""
    coroutines = list(work)
    if len(coroutines) == 1:
        return [await coroutines[0]]
    tasks: list[asyncio.Task[Result]] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks += [group.create_task(coroutine) for coroutine in coroutines]
    except ExceptionGroup as failures:
        for number, task in enumerate(tasks):
            error = None if task.cancelled() else task.exception()
            if isinstance(error, ServiceError):
                raise error.within(f"image {number}") from error
        raise failures.exceptions[0] from failures
    return [task.result() for task in tasks]

"""Names of Keras layers that depend on nothing but the model."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def named_afresh(make: Callable[[], T]) -> T:
    """Make a model whose layers are numbered as if it were the first.

    Keras numbers layers without names of their own, `conv2d_7`, by how many there have been; but
    it counts in each thread by itself. An export writes these names, and has to be the same
    whatever the process did before.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(make).result()

"""Faults of somebody's model, told as what they are."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def refusing_faults(doing: str) -> Iterator[None]:
    """Turn whatever somebody's code raises into a `ValueError` of one line.

    Args:
        doing: what fails then, such as `the model fails on 4 images`.
    """
    try:
        yield
    except Exception as error:
        lines = str(error).strip().splitlines() or [""]
        raise ValueError(f"{doing}: {type(error).__name__}: {lines[0]}") from error

"""Faults of somebody's model, told as what they are."""

from collections.abc import Iterator
from contextlib import contextmanager

from model_export.reasons import first_line


@contextmanager
def refusing_faults(doing: str) -> Iterator[None]:
    """Turn whatever somebody's code raises into a `ValueError` of one line.

    Args:
        doing: what fails then, such as `the model fails on 4 images`.
    """
    try:
        yield
    except Exception as error:
        raise ValueError(f"{doing}: {type(error).__name__}: {first_line(error)}") from error

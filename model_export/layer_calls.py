"""What a model's layers do when they are called, replaced for a while."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import keras

Call = Callable[..., Any]


@contextmanager
def replaced_calls(
    layers: Iterable[keras.Layer], replace: Callable[[keras.Layer], Call]
) -> Iterator[None]:
    """Replace the `call` of some layers while the context lasts.

    Args:
        layers: which.
        replace: returns what a layer does instead.
    """
    changed = list(layers)
    # Past Keras, which would take such an attribute for a part of the layer.
    for layer in changed:
        layer.__dict__["call"] = replace(layer)
    try:
        yield
    finally:
        for layer in changed:
            del layer.__dict__["call"]

"""A SavedModel in a Session, called by the names of its tensors."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2

from tests.serving_double import refusals
from tests.serving_double.refusals import Refusal
from tests.serving_double.tensors import NAMES, numpy_dtype

_CODES = {code.value[0]: code for code in grpc.StatusCode}


class SavedModel:
    """One version of a servable, loaded as the server loads it: by the v1 loader.

    Args:
        folder: with the saved_model.pb.

    Raises:
        tf.errors.OpError, OSError: it cannot be loaded.
    """

    def __init__(self, folder: Path) -> None:
        graph = tf.Graph()
        config = tf.compat.v1.ConfigProto(
            intra_op_parallelism_threads=1, inter_op_parallelism_threads=-1
        )
        with graph.as_default():
            self._session = tf.compat.v1.Session(graph=graph, config=config)
            meta_graph = tf.compat.v1.saved_model.load(self._session, ["serve"], str(folder))
        self.signatures: Mapping[str, Any] = meta_graph.signature_def
        self._callables: dict[tuple[tuple[str, ...], tuple[str, ...]], Callable[..., Any]] = {}
        self._dtypes = {
            info.name: numpy_dtype(info.dtype)
            for signature in self.signatures.values()
            for info in signature.inputs.values()
        }

    def run(self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str]) -> list[np.ndarray]:
        """Return tensors of the graph for others. Shapes are the graph's own affair.

        Args:
            feeds: arrays by tensor name.
            fetches: tensor names.

        Raises:
            Refusal: a dtype is wrong, or the graph fails.
        """
        names = tuple(sorted(feeds))
        for position, name in enumerate(names):
            expected, got = self._dtypes[name], feeds[name].dtype
            if got != expected:
                raise refusals.wrong_dtype(position, NAMES[expected], NAMES[got])
        key = (names, tuple(fetches))
        if key not in self._callables:
            # Session.run would compare shapes with the placeholders', as the server does not.
            options = config_pb2.CallableOptions(feed=names, fetch=fetches)
            self._callables[key] = self._session._make_callable_from_options(options)
        try:
            values = self._callables[key](*(feeds[name] for name in names))
        except tf.errors.OpError as error:
            raise Refusal(_CODES[error.error_code], error.message) from error
        return [_array(value) for value in values]


def _array(value: Any) -> np.ndarray:
    # A scalar string comes as bytes.
    return np.array(value, np.object_) if isinstance(value, bytes) else np.asarray(value)

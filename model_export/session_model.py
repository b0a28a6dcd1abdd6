"""A SavedModel read back as a server reads it: the v1 loader, a graph of its own, a Session."""

from pathlib import Path
from types import TracebackType

import numpy as np
import tensorflow as tf

from model_export.reasons import first_line


class SessionModel:
    """A SavedModel in a Session.

    `tf.saved_model.load` hides faults that TensorFlow Serving, which loads like this, runs into.
    Use it as a context manager, or `close()` it.

    Args:
        folder: of one version, with its `saved_model.pb`.

    Raises:
        FileNotFoundError: there is no SavedModel.
        ValueError: it is damaged, or not tagged for serving.
        tf.errors.OpError: it cannot be loaded.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / "saved_model.pb").is_file():
            raise FileNotFoundError(f"{folder} holds no saved_model.pb")
        self.graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=self.graph)
        try:
            with self.graph.as_default():
                load = tf.compat.v1.saved_model.load
                self.meta_graph = load(self._session, ["serve"], str(folder))
        except (RuntimeError, OSError) as error:
            self.close()
            reason = first_line(error)
            raise ValueError(f"{folder} holds no SavedModel to be served: {reason}") from error
        self.signatures = self.meta_graph.signature_def

    def run(self, signature: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Call a signature with arrays by name; arrays by name come back.

        Raises:
            KeyError: there is no such signature.
        """
        # A map of messages makes what it is asked for.
        if signature not in self.signatures:
            raise KeyError(f"no signature {signature!r}")
        definition = self.signatures[signature]
        names = list(definition.outputs)
        values = self._session.run(
            [definition.outputs[name].name for name in names],
            {definition.inputs[name].name: value for name, value in inputs.items()},
        )
        return dict(zip(names, values, strict=True))

    def close(self) -> None:
        """Give the memory back."""
        self._session.close()

    def __enter__(self) -> "SessionModel":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

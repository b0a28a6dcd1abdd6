"""TensorFlow, loaded without its chatter."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


def load_tensorflow(num_threads: int | None) -> None:
    """Import TensorFlow, and let it use so many threads for one operation and for several.

    To be called before anything that imports it; `None` leaves the threads to TensorFlow.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    with _silent_stderr():
        import tensorflow as tf
        from absl import logging

        tf.get_logger().setLevel("ERROR")
        # It warns that exports have no gradients. They are not to have any.
        logging.set_verbosity(logging.ERROR)
        if num_threads is not None:
            tf.config.threading.set_intra_op_parallelism_threads(num_threads)
            tf.config.threading.set_inter_op_parallelism_threads(num_threads)
        # Looking for accelerators is chatty too, where there are none.
        tf.config.list_physical_devices()


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Send what C++ writes to standard error to nowhere: no variable silences those lines."""
    saved = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)

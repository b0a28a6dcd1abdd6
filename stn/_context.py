"""Which implementation runs where."""

from typing import Literal, get_args

import tensorflow as tf
from tensorflow.python.ops import control_flow_util

Backend = Literal["auto", "xla", "kernel", "gather"]
BACKENDS: tuple[str, ...] = get_args(Backend)


def choose_backend(
    backend: Backend, kernels_offer_it: bool, training: bool, static_output: bool
) -> Backend:
    """Return the implementation of the forward warp that suits the context.

    Inside a function that XLA compiles already, plain ops: they are compiled with the rest. In the
    graph of a training step, ops compiled by themselves. Eagerly, where each new size would wait
    for a compiler, and in any other graph, which may be exported and meet a TensorFlow Serving that
    refuses to compile, TensorFlow's own kernels, or plain ops where there are none.

    Raises:
        ValueError: no backend of that name, or it does not offer what is asked for.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend must be one of {', '.join(BACKENDS)}; got {backend!r}")
    if backend == "kernel" and not kernels_offer_it:
        raise ValueError(
            "backend='kernel' offers transforms with a matrix, bilinear interpolation, padding "
            "zeros, constant or border, types below float64; use backend='gather' for the rest"
        )
    if backend != "auto":
        return backend
    if compiling():
        return "gather"
    if training and static_output and not tf.executing_eagerly():
        return "xla"
    return "kernel" if kernels_offer_it else "gather"


def compiling() -> bool:
    """Whether the graph under construction will be compiled by XLA as a whole.

    TensorFlow has no public name for this question.
    """
    return bool(control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()))

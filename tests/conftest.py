"""What must be settled before any test imports TensorFlow."""

import os

import hypothesis

# Quiet, on the CPU, on one thread: the same on every machine, and no fight over two cores.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ["KERAS_BACKEND"] = "tensorflow"

# The same examples on every run, and no deadline: the first one traces a graph.
hypothesis.settings.register_profile("stn", derandomize=True, deadline=None)
hypothesis.settings.load_profile("stn")

"""A stand-in for TensorFlow Serving: its protocol, its errors, its habits, and faults on demand.

It runs real SavedModels in TensorFlow Sessions behind the official stubs, and answers as
`tensorflow_model_server` 2.20 was seen to answer. Tests start it as a process (`process.py`), so
that they carry no TensorFlow themselves and can kill it.
"""

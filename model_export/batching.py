"""How a model server batches the classifier: a file in the version folder."""

from pathlib import Path

# A batch is filled up to the next of these, so that the server sees few shapes.
ALLOWED_BATCH_SIZES = (1, 2, 4, 8, 16, 32)
# More images than this in one request gain nothing, and only use memory.
MAX_BATCH_SIZE = ALLOWED_BATCH_SIZES[-1]

_SIZES = "\n".join(f"allowed_batch_sizes: {size}" for size in ALLOWED_BATCH_SIZES)
_TEXT = f"""\
# BatchingParameters, for a server with --enable_batching --enable_per_model_batching_parameters.
max_batch_size {{ value: {MAX_BATCH_SIZE} }}
{_SIZES}
# The gateway has batched already: nothing waits for company that may not come. Calls gather only
# while the threads are busy.
batch_timeout_micros {{ value: 0 }}
# Waiting images that a server holds, for each set of outputs: at most this many full batches.
max_enqueued_batches {{ value: 64 }}
# Heeded only where this file is the --batching_parameters_file: the pool belongs to all models.
num_batch_threads {{ value: 4 }}
"""


def write_batching_params(folder: Path) -> None:
    """Write `batching_params.pbtxt` to a version folder."""
    (folder / "batching_params.pbtxt").write_text(_TEXT, encoding="utf-8")

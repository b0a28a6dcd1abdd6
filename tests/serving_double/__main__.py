"""`python -m tests.serving_double --models models --port 8500` serves until SIGTERM."""

import logging
import os
import signal
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Serve, and return the exit status."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    # It takes seconds to load TensorFlow, and `--help` should not.
    from tests.serving_double.flags import read_flags
    from tests.serving_double.refusals import Refusal
    from tests.serving_double.server import ServingDouble

    stop_signals = {signal.SIGTERM, signal.SIGINT}
    # Blocked in all threads to come, so that this one can wait for them.
    signal.pthread_sigmask(signal.SIG_BLOCK, stop_signals)
    options = read_flags(arguments)
    try:
        server = ServingDouble(options)
    except Refusal as refusal:
        sys.stderr.write(f"Failed to start server. Error: {refusal.code.name}: {refusal.message}\n")
        return 1
    address = sys.stdin.readline().strip() if options.wait else options.address
    port = server.start(address)
    sys.stdout.write(f"serving double listens on {address.rpartition(':')[0]}:{port}\n")
    sys.stdout.flush()
    signal.sigwait(stop_signals)
    server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

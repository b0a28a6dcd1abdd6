"""The double as a process: started, steered, killed, started again, stopped."""

import socket
import subprocess
import sys
import threading
from pathlib import Path

import grpc
import numpy as np
import pytest

from service import wire
from tests.serving_double.process import ROOT, ServingDoubleProcess


def ask(address: str, timeout: float = 120) -> int:
    """Return the version that answers."""
    request = wire.PredictRequest(model_spec=wire.ModelSpec(name="tiny"))
    request.inputs["images"].CopyFrom(wire.encode_tensor(np.zeros((1, 2, 2), np.uint8)))
    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary(
            wire.PREDICT, wire.PredictRequest.SerializeToString, wire.PredictResponse.FromString
        )
        return int(call(request, timeout=timeout).model_spec.version.value)


def code(address: str, timeout: float = 120) -> grpc.StatusCode:
    """Return how a call fails."""
    with pytest.raises(grpc.RpcError) as raised:
        ask(address, timeout)
    return raised.value.code()


def test_a_process_lives_dies_and_comes_back(servable: Path) -> None:
    """One test, because each start takes seconds."""
    flags = ["--labels", "tiny:stable=1"]
    with ServingDoubleProcess(servable.parent, flags) as double:
        double.prepare()
        assert ask(double.address) == 3

        # It is steered from outside.
        assert [call["method"] for call in double.take_calls()] == ["Predict"]
        double.fault("error", code="UNAVAILABLE", times=1)
        assert code(double.address) == grpc.StatusCode.UNAVAILABLE
        double.set_state("tiny", 3, "LOADING")
        assert ask(double.address) == 1
        double.reset()
        assert ask(double.address) == 3
        with pytest.raises(grpc.RpcError, match="no fault 'tea'"):
            double.fault("tea")

        # Frozen, it keeps the connection and does not answer.
        double.pause()
        assert code(double.address, timeout=0.3) == grpc.StatusCode.DEADLINE_EXCEEDED
        double.resume()
        assert ask(double.address) == 3

        # It dies in the middle of a call, and leaves nobody on its port.
        address = double.address
        double.fault("die")
        assert code(address) == grpc.StatusCode.UNAVAILABLE
        double.kill()
        assert not double.is_running()
        assert code(address) == grpc.StatusCode.UNAVAILABLE

        # It comes back where it was, though somebody has the port just then; it ends when asked to.
        double.prepare()
        host, port = address.split(":")
        with socket.socket() as somebody:
            somebody.bind((host, int(port)))
            starting = threading.Thread(target=double.start)
            starting.start()
            starting.join(timeout=1)
            assert starting.is_alive()
        starting.join()
        assert double.address == address
        assert ask(address) == 3
        assert double.stop() == 0


def test_it_brings_no_tensorflow_into_the_process_that_starts_it() -> None:
    """Tests of the gateway must not load what the gateway must not."""
    program = (
        "import tests.serving_double.fixtures, sys;"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert "grpc" in run.stdout
    assert "tensorflow" not in run.stdout

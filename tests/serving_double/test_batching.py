"""Batching in the server: what is gained, and who pays for whom."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from tests.serving_double.batching import Batcher, BatchingParameters, read_batching_parameters
from tests.serving_double.client import Answer, Client, eventually
from tests.serving_double.conftest import Serve

# Long enough that calls sent at once meet; a full batch does not wait.
PATIENT = BatchingParameters(max_batch_size=8, batch_timeout_seconds=20)


def image(pixel: int, *shape: int) -> Answer:
    return {"images": np.full(shape or (1, 2, 3), pixel, np.uint8)}


def outcomes(answers: list["Future[Answer]"]) -> list[Any]:
    """Return the first pixels answered, or code and words."""
    found: list[Any] = []
    for answer in answers:
        error = answer.exception()
        if isinstance(error, grpc.RpcError):
            found.append((error.code(), error.details()))
        else:
            found.append(answer.result()["first"].tolist())
    return found


class Model:
    """First pixels, and the sizes of the batches that were run."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def run(self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str]) -> list[np.ndarray]:
        self.sizes.append(len(feeds["images"]))
        return [feeds["images"][:, 0, 0]] * len(fetches)


def refused(client: Client, inputs: Answer, **request: Any) -> tuple[Any, Any]:
    with pytest.raises(grpc.RpcError) as raised:
        client.predict(inputs, **request)
    return raised.value.code(), raised.value.details()


def test_calls_that_arrive_together_run_together() -> None:
    """Eight rows from five calls make one batch, and each gets its own rows."""
    model = Model()
    batcher = Batcher(model.run, PATIENT)

    calls = [image(1), image(2), image(3), image(4, 2, 2, 3), image(5, 3, 2, 3)]
    answers = [batcher.submit(call, ["first"]) for call in calls]

    firsts = [answer.result()[0].tolist() for answer in answers]
    assert firsts == [[1], [2], [3], [4, 4], [5, 5, 5]]
    assert model.sizes == [8]


def test_one_bad_call_fails_all_in_its_batch(serve: Serve) -> None:
    """One pixel of eight is outside the table: all eight hear INVALID_ARGUMENT."""
    client = serve(batching=PATIENT, max_calls=16)

    answers = client.predict_together([image(1)] * 7 + [image(250)])

    assert {code for code, _ in outcomes(answers)} == {grpc.StatusCode.INVALID_ARGUMENT}


def test_different_shapes_fail_all_in_their_batch(serve: Serve) -> None:
    client = serve(batching=PATIENT, max_calls=16)

    answers = client.predict_together([image(1)] * 7 + [image(1, 1, 2, 4)])

    ((code, words),) = set(outcomes(answers))
    assert code == grpc.StatusCode.FAILED_PRECONDITION
    assert words.startswith("Tensors with name '")
    assert (
        ":0' from different tasks have different shapes and padding is turned off. "
        "Set pad_variable_length_inputs to true" in words
    )


def test_different_dtypes_fail_all_in_their_batch(serve: Serve) -> None:
    client = serve(batching=PATIENT, max_calls=16)

    answers = client.predict_together([image(1)] * 7 + [{"images": np.zeros((1, 2, 3))}])

    ((code, words),) = {(code, words.partition(" Got")[0]) for code, words in outcomes(answers)}
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert words == "Cannot concatenate tensors that have different data types."


def test_each_set_of_outputs_has_a_queue_of_its_own() -> None:
    """Else these eight, which arrive mixed, would make batches of both sorts."""
    model = Model()
    batcher = Batcher(model.run, BatchingParameters(4, batch_timeout_seconds=20))

    answers = []
    for _ in range(4):
        answers.append(batcher.submit(image(1), ["first"]))
        answers.append(batcher.submit(image(2), ["first", "mean"]))

    assert [len(answer.result()) for answer in answers] == [1, 2] * 4
    assert model.sizes == [4, 4]


def test_a_call_that_waited_long_enough_runs_alone() -> None:
    """Filled up to an allowed size, of which the caller sees nothing."""
    model = Model()
    parameters = BatchingParameters(8, batch_timeout_seconds=0.01, allowed_batch_sizes=(4, 8))

    answer = Batcher(model.run, parameters).submit(image(6), ["first"])

    assert answer.result()[0].tolist() == [6]
    assert model.sizes == [4]


def test_a_batch_larger_than_the_largest_is_refused(serve: Serve) -> None:
    client = serve(batching=BatchingParameters())

    assert refused(client, image(0, 1001, 1, 1)) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "Task size 1001 is larger than maximum input batch size 1000",
    )


def test_a_batch_of_none_hangs_until_the_deadline(serve: Serve) -> None:
    client = serve(batching=BatchingParameters(), max_calls=1)
    start = time.monotonic()

    code, _ = refused_within(client, image(0, 0, 2, 3), seconds=0.3)

    assert code == grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - start >= 0.3
    # Then its thread is free again.
    eventually(lambda: client.is_answered(image(1)))


def refused_within(client: Client, inputs: Answer, seconds: float) -> tuple[Any, Any]:
    with pytest.raises(grpc.RpcError) as raised:
        client.ask(inputs, timeout=seconds)
    return raised.value.code(), raised.value.details()


def test_what_has_no_rows_cannot_be_batched(serve: Serve) -> None:
    """A signature without inputs and a scalar: every input must begin with the batch."""
    client = serve(batching=BatchingParameters())

    assert refused(client, {}, signature="describe") == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "Batching Run() must have at least one input tensor",
    )
    assert refused(client, {"x": np.array(1, np.float32)}, signature="root") == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "Batching Run() input tensors must have at least one dimension",
    )


def test_a_full_queue_is_unavailable(serve: Serve) -> None:
    """One batch may wait; the ninth row finds no room."""
    parameters = BatchingParameters(8, batch_timeout_seconds=20, max_enqueued_batches=1)
    client = serve(batching=parameters, max_calls=16)
    waiting = client.begin(image(1, 7, 2, 3))
    eventually(lambda: client.double.calls.count() == 1)

    assert refused(client, image(1, 2, 2, 3))[0] == grpc.StatusCode.UNAVAILABLE

    assert client.predict(image(2))["first"].tolist() == [2]
    assert waiting.result().outputs["first"].int_val[:] == [1] * 7


def test_only_versions_with_parameters_are_batched_per_model(serve: Serve, servable: Path) -> None:
    """Version 3 brings its file and takes no more than 4 rows; version 1 takes any."""
    (servable / "3" / "batching_params.pbtxt").write_text("max_batch_size { value: 4 }")
    client = serve(batching=BatchingParameters(), batching_per_model=True)

    assert "Task size 5 is larger" in refused(client, image(0, 5, 2, 2))[1]
    assert len(client.predict(image(0, 1001, 2, 2), version=1)["first"]) == 1001
    assert client.predict({}, signature="describe", version=1)["card"] == b'{"name": "tiny"}'


def test_a_version_whose_sizes_do_not_end_with_the_largest_does_not_load(
    serve: Serve, servable: Path
) -> None:
    (servable / "3" / "batching_params.pbtxt").write_text(
        "max_batch_size { value: 4 } allowed_batch_sizes: 1 allowed_batch_sizes: 3"
    )
    client = serve(batching=BatchingParameters(), batching_per_model=True)

    assert client.states() == {3: "END", 1: "AVAILABLE"}
    status = client.status(version=3).model_version_status[0].status
    assert "Last entry in allowed_batch_sizes must match max_batch_size" in status.error_message


def test_a_parameters_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "batching.txt"
    file.write_text(
        """
        # A comment { value: 1 }
        max_batch_size { value: 32 }
        batch_timeout_micros { value: 1500 }
        max_enqueued_batches: { value: 7 }
        num_batch_threads { value: 2 }
        allowed_batch_sizes: 8
        allowed_batch_sizes: 32
        """
    )

    assert read_batching_parameters(file) == BatchingParameters(32, 0.0015, 7, (8, 32))

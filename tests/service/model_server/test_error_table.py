"""What the server reports, code by code, through a real call up to what the caller sees."""

from collections.abc import Mapping

import grpc
import httpx
import pytest

from service.model_server import ERROR_OF
from tests.service.model_server.gateways import MARK, eventually, marked, plain, play, predict
from tests.serving_double.process import ServingDoubleProcess
from tests.versions import SHIPPED

pytestmark = pytest.mark.usefixtures("no_hurry")

Code = grpc.StatusCode
WORDS = "the server's own words"

OURS: Mapping[grpc.StatusCode, tuple[int, str]] = {
    Code.OK: (502, "model_server_error"),  # An error without a code arrives as UNKNOWN.
    Code.CANCELLED: (503, "model_server_unavailable"),
    Code.UNKNOWN: (502, "model_server_error"),
    Code.INVALID_ARGUMENT: (502, "rejected_by_model_server"),
    Code.DEADLINE_EXCEEDED: (504, "deadline_exceeded"),
    Code.NOT_FOUND: (404, "unknown_version"),
    Code.ALREADY_EXISTS: (502, "model_server_error"),
    Code.PERMISSION_DENIED: (502, "model_server_error"),
    Code.UNAUTHENTICATED: (502, "model_server_error"),
    Code.RESOURCE_EXHAUSTED: (503, "overloaded"),
    Code.FAILED_PRECONDITION: (502, "rejected_by_model_server"),
    Code.ABORTED: (503, "model_server_unavailable"),
    Code.OUT_OF_RANGE: (502, "rejected_by_model_server"),
    Code.UNIMPLEMENTED: (502, "model_server_error"),
    Code.INTERNAL: (502, "model_server_error"),
    Code.UNAVAILABLE: (503, "model_server_unavailable"),
    Code.DATA_LOSS: (502, "model_server_error"),
}


def test_the_table_has_every_code_that_there_is() -> None:
    assert set(ERROR_OF) == set(OURS) == set(grpc.StatusCode)


def test_each_code_has_its_status_and_problem(double: ServingDoubleProcess) -> None:
    """All in one, because each needs the same gateway; what follows each is answered well."""
    answers: dict[grpc.StatusCode, httpx.Response] = {}
    after: list[int] = []

    async def scenario(client: httpx.AsyncClient) -> None:
        for code in grpc.StatusCode:
            double.fault("error", code=code.name, message=WORDS, first_pixel=MARK)
            answers[code] = await predict(client, marked(), version=SHIPPED)
            double.clear_faults()
            after.append((await predict(client, marked(), version=SHIPPED)).status_code)

    play(double.address, scenario)

    told = {code: (a.status_code, a.json()["code"]) for code, a in answers.items()}
    assert told == OURS
    assert after == [200] * len(grpc.StatusCode)
    for answer in answers.values():
        assert answer.headers["content-type"] == "application/problem+json"
        assert WORDS not in answer.text
        assert ("retry-after" in answer.headers) == (answer.status_code == 503)


def test_who_named_no_version_is_told_to_come_again(double: ServingDoubleProcess) -> None:
    """A server without a version that it has: not the caller's fault."""

    async def scenario(client: httpx.AsyncClient) -> None:
        double.fault("error", code="NOT_FOUND", message=WORDS, first_pixel=MARK)
        answer = await predict(client, marked())
        assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
        assert "retry-after" in answer.headers
        assert (await predict(client, plain())).status_code == 200

    play(double.address, scenario)


def test_a_server_that_is_busy_is_not_away(unwatched_double: ServingDoubleProcess) -> None:
    """It refuses a canary now and then: readiness lasts as long as the last one is young."""

    async def scenario(client: httpx.AsyncClient) -> None:
        for method in ("GetModelStatus", "Predict"):
            unwatched_double.fault("error", method=method, code="RESOURCE_EXHAUSTED")
            unwatched_double.take_calls()
            await eventually(lambda name=method: called(unwatched_double, name))  # type: ignore[misc]
            await eventually(lambda name=method: called(unwatched_double, name))  # type: ignore[misc]
            assert (await client.get("/readyz")).status_code == 200
            unwatched_double.clear_faults()

    play(unwatched_double.address, scenario)


def called(double: ServingDoubleProcess, method: str) -> bool:
    return any(call["method"] == method for call in double.take_calls())


@pytest.mark.parametrize("contents", [1, 3])
def test_the_log_names_the_request_and_the_server_s_words(
    double: ServingDoubleProcess, caplog: pytest.LogCaptureFixture, contents: int
) -> None:
    """They are kept from the caller, not from the operator; out of a batch likewise."""

    async def scenario(client: httpx.AsyncClient) -> None:
        double.fault("error", code="INVALID_ARGUMENT", message=WORDS, first_pixel=MARK)
        pictures = [plain(shade) for shade in range(contents - 1)] + [marked()]
        route = "/predict" if contents == 1 else "/predict/batch"
        files = [("image", ("x.png", picture)) for picture in pictures]
        answer = await client.post(route, files=files, headers={"x-request-id": "id-7"})
        assert answer.status_code == 502
        if contents > 1:
            assert answer.json()["detail"].startswith(f"image {contents - 1}: ")

    play(double.address, scenario)

    lines = [record.__dict__["fields"] for record in caplog.records if "fields" in vars(record)]
    (line,) = [fields for fields in lines if fields["request_id"] == "id-7"]
    assert WORDS in line["error"]

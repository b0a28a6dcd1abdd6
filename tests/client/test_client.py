"""The client, sync and async, against the gateway with the shipped models."""

import asyncio
import io
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

import service.errors
from service.problems import STATUS_OF
from stn_client import AsyncClient, Client, GatewayError, Outcome, Prediction, affine, errors
from stn_client import Image as Image_
from tests.client.conftest import CAT, DIGIT, Scripted, Stub, good, problem
from tests.versions import SHIPPED

WIDE = CAT.with_name("warped.jpg")
FOUR = DIGIT.with_name("digit-4.png")


@pytest.fixture
def client(gateway: str) -> Iterator[Client]:
    with Client(gateway, timeout=60) as connected:
        yield connected


def test_a_prediction_is_what_the_gateway_answers(gateway: str, client: Client) -> None:
    prediction = client.predict(DIGIT, top_k=2, warped=True)
    params = {"top_k": "2", "include": "warped"}
    raw = httpx.post(f"{gateway}/predict", content=DIGIT.read_bytes(), params=params).json()

    assert prediction.document == raw
    assert (prediction.label, prediction.index) == ("7", 7)
    assert prediction.top[1].probability == raw["top"][1]["probability"]
    assert list(prediction.probabilities) == raw["probabilities"]
    assert prediction.transform is not None
    assert list(prediction.transform.scale) == raw["transform"]["scale"]
    assert prediction.region == tuple(map(tuple, raw["region"]))
    assert prediction.timings.keys() == {"decode", "queue", "model", "encode"}
    assert len(prediction.request_id) == 32
    assert prediction.warped is not None
    with Image.open(io.BytesIO(prediction.warped)) as picture:
        assert picture.format == "PNG"


@pytest.mark.parametrize("kind", [bytes, str, Path])
def test_a_picture_may_be_bytes_or_a_path(client: Client, kind: type) -> None:
    image = DIGIT.read_bytes() if kind is bytes else kind(DIGIT)

    assert client.predict(image).label == "7"


def test_options_reach_the_gateway(client: Client) -> None:
    """Each of them changes the answer, or is refused by name when it is out of range."""
    plain = client.predict(WIDE)

    assert client.predict(WIDE, fit="stretch").theta != plain.theta
    assert client.predict(WIDE, invert=True).theta != plain.theta
    assert client.predict(WIDE, version=SHIPPED).version == SHIPPED
    assert client.predict(WIDE, label="stable").version == SHIPPED
    with pytest.raises(GatewayError) as refused:
        client.predict(CAT, top_k=0)
    assert refused.value.fields[0].field == "top_k"


def test_the_async_client_answers_as_the_other(gateway: str, client: Client) -> None:
    async def ask() -> tuple[Prediction, bytes, list[str], bool]:
        async with AsyncClient(gateway, timeout=60) as connected:
            prediction = await connected.predict(DIGIT)
            warped = await connected.warp(DIGIT, [[1, 0, 0], [0, 1, 0]])
            names = [model.name for model in await connected.models()]
            return prediction, warped.png, names, bool(await connected.ready())

    prediction, png, names, ready = asyncio.run(ask())

    assert prediction.document == client.predict(DIGIT).document
    assert png == client.warp(DIGIT, [1, 0, 0, 0, 1, 0]).png
    assert names == [model.name for model in client.models()] == ["stn", "warp"]
    assert ready
    assert client.ready()


def test_a_quarter_turn_is_that_of_numpy(client: Client) -> None:
    """A region turned clockwise by 90 degrees comes out turned the other way."""
    pixels = np.random.default_rng(5).integers(0, 256, (9, 9), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")

    warped = client.warp(file.getvalue(), affine(rotate=90), interpolation="nearest")

    with Image.open(io.BytesIO(warped.png)) as picture:
        np.testing.assert_array_equal(np.asarray(picture), np.rot90(pixels))
    assert warped.transform is not None
    assert warped.transform.rotation_degrees == pytest.approx(90)


@pytest.mark.parametrize("is_async", [False, True])
def test_many_are_answered_in_order_and_one_that_fails_stops_none(
    gateway: str, client: Client, tmp_path: Path, is_async: bool
) -> None:
    images: list[Image_] = [DIGIT, tmp_path / "nowhere.png", b"no picture", FOUR] * 5

    async def ask() -> list[Outcome]:
        async with AsyncClient(gateway, timeout=60) as connected:
            return [o async for o in connected.predict_many(images, concurrency=3)]

    outcomes = asyncio.run(ask()) if is_async else list(client.predict_many(images, concurrency=3))

    said = []
    for outcome in outcomes:
        error = outcome.error
        said.append(outcome.result().label if error is None else type(error))
    assert said == ["7", FileNotFoundError, GatewayError, "4"] * 5


@pytest.mark.parametrize("is_async", [False, True])
def test_many_are_never_more_at_a_time_than_allowed_and_taken_as_needed(
    stub: Stub, is_async: bool
) -> None:
    """The first answer comes when no more than twice as many pictures were taken."""
    stub.answers = [good()]
    taken = []

    def images() -> Iterator[bytes]:
        for number in range(100):
            taken.append(number)
            yield b"%d" % number

    async def ask() -> int:
        async with AsyncClient(stub.url) as connected:
            outcomes = connected.predict_many(images(), concurrency=4)
            await anext(outcomes)
            first = len(taken)
            assert len([o async for o in outcomes]) == 99
            return first

    if is_async:
        first = asyncio.run(ask())
    else:
        with Client(stub.url) as connected:
            outcomes = connected.predict_many(images(), concurrency=4)
            next(outcomes)
            first = len(taken)
            assert len(list(outcomes)) == 99

    assert first <= 8
    assert 1 <= stub.busiest <= 4
    assert sorted(int(body) for _, body in stub.requests) == list(range(100))


def test_threads_may_share_a_client(client: Client) -> None:
    said: list[str] = []
    threads = [
        threading.Thread(target=lambda: said.append(client.predict(DIGIT).label)) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert said == ["7"] * 5


def test_an_error_says_what_the_gateway_said(client: Client) -> None:
    with pytest.raises(GatewayError) as refused:
        client.predict(DIGIT, fit="zoom")

    error = refused.value
    assert (error.code, error.status) == ("invalid_option", 422)
    assert "zoom" in error.detail
    assert error.fields[0].got == "'zoom'"
    assert error.request_id is not None
    assert len(error.request_id) == 32
    assert error.retry_after is None


def test_codes_of_its_own_are_none_of_the_gateway() -> None:
    ours = {errors.CONNECTION_FAILED, errors.TIMED_OUT, errors.UNEXPECTED_ANSWER}

    assert not ours & {kind.code for kind in STATUS_OF}
    assert service.errors.Overloaded.code not in ours


@pytest.mark.parametrize(
    "answer",
    [
        Scripted(502, b"<html>Bad gateway</html>"),
        Scripted(404, b'{"detail": "Not Found"}'),
        Scripted(404, b"[]"),
        Scripted(302, b"", {"location": "/login"}),
        Scripted(200, b"welcome"),
        Scripted(200, b'{"predictions": 7}'),
        Scripted(200, b"[1]"),
    ],
)
def test_whoever_is_no_gateway_is_an_error_too(stub: Stub, answer: Scripted) -> None:
    stub.answers = [answer]

    with Client(stub.url) as client, pytest.raises(GatewayError) as refused:
        client.predict(b"picture")

    assert refused.value.code == "unexpected_answer"
    assert refused.value.status == answer.status


def test_what_a_newer_gateway_adds_is_no_error(stub: Stub) -> None:
    """And a theta that is not affine neither."""
    stub.answers = [good()]

    with Client(stub.url) as client:
        prediction = client.predict(b"picture")

    assert prediction.document["mood"] == "fine"
    assert (prediction.transform, prediction.region) == (None, None)


def test_the_key_and_the_time_go_with_each_request(stub: Stub) -> None:
    stub.answers = [good()]

    with Client(stub.url, "stn_secret", timeout=2.5) as client:
        client.predict(b"picture")

    headers, _ = stub.requests[0]
    assert headers["authorization"] == "Bearer stn_secret"
    assert headers["x-request-timeout-ms"] == "2500"


def test_a_bad_key_is_refused_without_being_repeated() -> None:
    with pytest.raises(ValueError, match="API key") as refused:
        Client(api_key="stn_secret\n")

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["ftp://gateway", "http://", "gateway://x"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        Client(url)


def test_retry_after_may_be_a_date(stub: Stub) -> None:
    """As some proxies write it."""
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    stub.answers = [problem(503, "overloaded", retry_after=later)]

    with Client(stub.url) as client, pytest.raises(GatewayError) as refused:
        client.predict(b"picture")

    assert refused.value.retry_after is not None
    assert 0 < refused.value.retry_after <= 3600


def test_a_gateway_that_is_not_ready_says_why(stub: Stub) -> None:
    """And is asked once: not being ready is an answer."""
    body = b'{"status": "not ready", "reasons": ["stn has no version"], "breakers": {}}'
    stub.answers = [Scripted(503, body)]

    with Client(stub.url) as client:
        told = client.ready()

    assert not told
    assert told.reasons == ("stn has no version",)
    assert len(stub.requests) == 1


def test_the_async_client_keeps_to_its_concurrency(monkeypatch: pytest.MonkeyPatch) -> None:
    """Certain by construction: each request lets all others have their turn before it ends."""
    now, busiest = 0, 0

    async def predict(*_: object) -> None:
        nonlocal now, busiest
        now += 1
        busiest = max(busiest, now)
        for _turn in range(50):
            await asyncio.sleep(0)
        now -= 1

    async def ask() -> None:
        monkeypatch.setattr(AsyncClient, "predict", predict)
        async with AsyncClient() as connected:
            assert len([o async for o in connected.predict_many([b""] * 40, concurrency=4)]) == 40

    asyncio.run(ask())

    assert busiest == 4

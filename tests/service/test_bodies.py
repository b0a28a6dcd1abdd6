"""What bodies may hold together, where large ones are unpacked, and what is never sent back."""

import asyncio
import base64
import threading
from typing import Any

import numpy as np
import orjson
import pytest

from service import routes
from service.bodies import BodyMemory
from service.errors import Overloaded
from service.submission import read_submission
from tests.service.fakes import FakeBackend, gateway_on
from tests.service.pictures import encoded
from tests.service.served import Held, Wire, served, until

PICTURE = encoded(np.full((4, 6), 255, np.uint8))


def test_memory_that_is_full_takes_no_more_until_some_is_given_back() -> None:
    memory = BodyMemory(100)
    memory.take(60)
    with pytest.raises(Overloaded, match="hold 60 bytes, of 100"):
        memory.take(41)
    memory.take(40)
    memory.give(60)
    memory.take(60)

    assert memory.held_bytes == 100


def post(length: int) -> bytes:
    head = "POST /predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    return f"{head}Content-Length: {length}\r\n\r\n".encode()


def test_bodies_together_are_bounded_and_all_of_it_is_given_back() -> None:
    """Whatever became of the requests: answered, refused, or left by their callers."""
    backend = FakeBackend()
    with served(backend, max_body_memory_bytes=2000) as port:
        held = Held(backend)
        with Wire(port) as first, Wire(port) as second:
            padded = PICTURE + bytes(1500 - len(PICTURE))
            first.send(post(len(padded)) + padded)
            held.wait_for(1)
            second.send(post(1000) + bytes(1000))
            refused = second.until_closed()
            held.release()
            assert b'"code":"overloaded"' in refused
            assert b"HTTP/1.1 200" in first.until_closed()
        for _ in range(3):
            with Wire(port) as wire:
                wire.send(post(1900) + bytes(1800))

        def all_is_well() -> bool:
            with Wire(port) as wire:
                padded = PICTURE + bytes(2000 - len(PICTURE))
                wire.send(post(len(padded)) + padded)
                return b"HTTP/1.1 200" in wire.until_closed()

        until(all_is_well, "room for a body as large as all may be")


@pytest.mark.parametrize(("size", "thread"), [(1000, "MainThread"), (400_000, "picture")])
def test_large_bodies_are_unpacked_where_they_hold_nobody_up(
    size: int, thread: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def recorded(*arguments: Any) -> Any:
        seen.append(threading.current_thread().name)
        return read_submission(*arguments)

    monkeypatch.setattr(routes, "read_submission", recorded)

    async def run() -> None:
        async with gateway_on(FakeBackend()) as (client, _):
            image = base64.b64encode(PICTURE + bytes(size)).decode()
            answer = await client.post("/predict", json={"image": image})
            assert answer.status_code == 200

    asyncio.run(run())

    assert [name.partition("_")[0] for name in seen] == [thread]


def test_base64_in_many_pieces_is_what_it_is_in_one() -> None:
    content = np.random.default_rng(1).bytes(3_000_001)
    body = orjson.dumps({"image": base64.b64encode(content).decode()})

    assert read_submission("application/json", body).images == [content]


LONG = "secret-" * 100


@pytest.mark.parametrize(
    ("path", "headers", "body"),
    [
        (f"/{LONG}", {}, b""),
        (f"/models/{LONG}", {}, b""),
        (f"/predict?{LONG}=1", {}, PICTURE),
        (f"/predict?top_k={LONG}", {}, PICTURE),
        (f"/predict?label={LONG}", {}, PICTURE),
        ("/predict", {"content-type": LONG}, PICTURE),
        ("/predict", {"content-type": f"multipart/form-data; boundary={LONG}"}, b"x"),
        ("/predict", {"content-type": "image/png"}, LONG.encode()),
        ("/predict", {"content-type": "application/json"}, b'{"image": "%s"}' % LONG.encode()),
        ("/predict", {"content-type": "application/json"}, b'{"%s": 1}' % LONG.encode()),
        ("/predict", {"content-type": "application/json"}, b"%s" % LONG.encode()),
        ("/predict", {"accept": LONG}, PICTURE),
        ("/predict", {"x-request-id": LONG}, b""),
        ("/predict", {"x-request-timeout-ms": LONG}, b""),
        ("/warp", {"content-type": "application/json"}, b'{"theta": "%s"}' % LONG.encode()),
    ],
)
def test_nothing_long_that_came_is_sent_back(
    path: str, headers: dict[str, str], body: bytes
) -> None:
    """Neither in the answer nor in its headers; a name or a value may be shown cut short."""

    async def run() -> None:
        async with gateway_on(FakeBackend()) as (client, _):
            answer = await client.request(
                "POST" if body or "x-request" in str(headers) else "GET",
                path,
                headers=headers,
                content=body,
            )
            assert answer.status_code >= 400
            assert LONG[:100] not in answer.text
            assert LONG[:100] not in str(answer.headers)

    asyncio.run(run())

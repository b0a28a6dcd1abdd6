"""Keys that are wrong, missing, revoked or forged: none comes in, and time tells nothing."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator

import numpy as np

from service.keys import line_for, new_key
from tests.torture.bench import Bench, Scenario
from tests.torture.client import Connection, Lost, get, post
from tests.torture.corpus.bodies import PICTURE
from tests.torture.rig import PATIENCE_SECONDS, Rig, start_rig
from tests.torture.table import Row

# Whatever else comes back has passed the guard: a 422, say, has looked at the picture.
_OUTSIDE = {400, 401, 404, 405, 413, 429, 431}
_PATHS = ("/predict", "/predict/batch", "/warp?theta=1,0,0,0,1,0")
_GUARDED = ("/models", "/models/stn")
_FLAT = 0.06


async def play(bench: Bench) -> list[Row]:
    """Let one key in all the while, revoke another, and try everything else."""
    right, revoked = new_key(), new_key()
    file = bench.scratch / "keys"
    file.write_text(f"{line_for('right', right)}\n{line_for('revoked', revoked)}\n")
    flags = ("--api-keys-file", str(file))
    with start_rig(bench.backend, bench.models, *flags, patient=bench.patient) as rig:
        await _must_be(rig, revoked, 200)
        file.write_text(f"{line_for('right', right)}\n")
        await _until_out(rig, revoked)
        statuses: Counter[int] = Counter()
        came_in = []
        tries = list(_tries(right, revoked, bench))
        for number, request in enumerate(tries):
            bench.progress(number, len(tries))
            status = await _status(rig, request)
            statuses[status] += 1
            if status not in _OUTSIDE and status:
                came_in.append(f"{status} for {request[:80]!r}")
            if number % 50 == 0:
                await _must_be(rig, right, 200)
        flatness, medians = await _flatness(rig, right, bench)
    seen = ", ".join(f"{status or 'closed'}: {n:,}" for status, n in sorted(statuses.items()))
    return [
        Row(
            "keys",
            bench.backend,
            f"{len(tries):,} requests: keys wrong, missing, revoked; forged headers; odd paths",
            "none in; the right key always",
            f"{seen}; {len(came_in)} in {'; '.join(came_in[:3])}".strip(),
            not came_in,
        ),
        Row(
            "keys",
            bench.backend,
            f"{bench.sizes.timing_tries:,} wrong keys, half of them right up to the last character",
            "the time tells nothing: which took longer is right in 44 to 56 of 100 pairs",
            f"in {flatness:.0%}; medians {medians[0] * 1e6:.0f} and {medians[1] * 1e6:.0f} us",
            abs(flatness - 0.5) <= _FLAT,
            timed=True,
        ),
    ]


def _tries(right: str, revoked: str, bench: Bench) -> Iterator[bytes]:
    """Return requests that must all stay outside."""
    digest = line_for("right", right).partition(":")[2]
    wrong = [
        "",
        " ",
        "*",
        "null",
        "right",
        digest,
        f"right:{digest}",
        right[:-1],
        right + "x",
        right[1:],
        right.upper(),
        right.swapcase(),
        right[::-1],
        f"'{right}'",
        f'"{right}"',
        right + "\xa0",
        right[:-1] + "\xff",
        "stn_",
        "x" * 5000,
        "%00",
        "{{key}}",
        "' OR '1'='1",
        "\xff\xfe",
        revoked,
        f"{right},{right}",
        f"{right};a=b",
        f"{revoked} {right}",
    ]
    forged = [
        "X-Forwarded-For: 127.0.0.1",
        "X-Real-IP: 127.0.0.1",
        "Forwarded: for=127.0.0.1",
        "Host: localhost",
        "X-Original-URL: /livez",
        "X-Rewrite-URL: /livez",
        "X-Forwarded-Uri: /livez",
        "X-API-Keys: " + right,
        "X_API_KEY: " + right,
        "Proxy-Authorization: Bearer " + right,
        "Cookie: X-API-Key=" + right,
        "Authentication: Bearer " + right,
        "X-Auth-Token: " + right,
        "X-Caller: right",
        "Api-Key: " + right,
        "Authorization: Basic cmlnaHQ6cmlnaHQ=",
        "Authorization: Basic " + right,
        "Authorization: " + right,
        "Authorization: Digest username=right",
        "Authorization: Bearer",
        f"Authorization:Bearer\t{right}x",
        "X-Remote-User: right",
        "X-HTTP-Method-Override: GET",
        "Access-Control-Request-Method: POST",
        f"X-API-Key: {right}\r\nX-API-Key: {right}",
        f"X-API-Key: {revoked}\r\nX-API-Key: {right}",
        f"X-API-Key: {right}\r\nAuthorization: Bearer {revoked}",
    ]
    odd = [
        "//predict",
        "/predict/",
        "/./predict",
        "/livez/../predict",
        "/docs/../predict",
        "/predict%2f",
        "/%70redict",
        "/PREDICT",
        "/predict;/livez",
        "/predict?x=/livez",
        "/livez%2f..%2fpredict",
        "/livez/predict",
        "/openapi.json/../predict",
        f"/predict?key={right}",
        f"/predict?api_key={right}",
        "/predict#/livez",
        "/predict%00/livez",
        "http://gateway/predict",
        "/livez%00",
        "\\predict",
    ]
    for path in _PATHS:
        yield post(path, PICTURE)
        for key in wrong:
            yield post(path, PICTURE, f"X-API-Key: {key}")
            yield post(path, PICTURE, f"Authorization: Bearer {key}")
        for header in forged:
            yield post(path, PICTURE, header)
    for path in _GUARDED:
        yield get(path)
        yield get(path, f"X-API-Key: {revoked}")
    for path in odd:
        yield post(path, PICTURE)
    for method in ("HEAD", "PUT", "TRACE", "PROPFIND"):
        yield f"{method} /models HTTP/1.1\r\nHost: gateway\r\n\r\n".encode()
    rng = random.Random(bench.seed)  # noqa: S311
    for _ in range(bench.sizes.key_tries):
        letters = list(right)
        for place in rng.sample(range(4, len(letters)), rng.choice((1, 1, 2, 20))):
            letters[place] = rng.choice([c for c in "abcXYZ019_-" if c != letters[place]])
        yield post("/predict", PICTURE, f"X-API-Key: {''.join(letters)}")


async def _status(rig: Rig, request: bytes) -> int:
    """Return the status of the answer; 0 when the connection was closed without one."""
    try:
        return (await rig.ask(request)).status
    except Lost:
        return 0


async def _must_be(rig: Rig, key: str, status: int) -> None:
    answer = await rig.ask(post("/predict", PICTURE, f"X-API-Key: {key}"))
    if answer.status != status:
        raise RuntimeError(f"{answer.status} {answer.code} where {status} was right")


async def _until_out(rig: Rig, key: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        request = post("/predict", PICTURE, f"X-API-Key: {key}")
        while (await rig.ask(request)).status != 401:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def _flatness(rig: Rig, right: str, bench: Bench) -> tuple[float, tuple[float, float]]:
    """Return how often the nearly right key took longer than the plainly wrong one, and medians."""
    last = "A" if right[-1] != "A" else "B"
    keys = (new_key(), right[:-1] + last)
    # A GET has no body that would close the connection.
    requests = [get("/models", f"X-API-Key: {key}") for key in keys]
    rng = random.Random(bench.seed)  # noqa: S311
    times: tuple[list[float], list[float]] = ([], [])
    connection = await Connection.to(rig.address)
    for _ in range(bench.sizes.timing_tries // 2):
        for which in rng.sample((0, 1), 2):
            if not connection.is_open:
                connection = await Connection.to(rig.address)
            start = time.perf_counter()
            answer = await connection.ask(requests[which])
            times[which].append(time.perf_counter() - start)
            if answer.closes:
                connection.hang_up()
    connection.hang_up()
    wrong, nearly = (np.array(values) for values in times)
    share = float(np.mean(nearly > wrong) + np.mean(nearly == wrong) / 2)
    return share, (float(np.median(wrong)), float(np.median(nearly)))


SCENARIO = Scenario("keys", play)

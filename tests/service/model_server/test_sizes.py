"""The largest answers come through, whichever way the server writes numbers."""

from typing import Any

import httpx
import numpy as np
import pytest

from tests.service.model_server.gateways import play
from tests.service.pictures import decoded, encoded
from tests.serving_double.process import ServingDoubleProcess

_IDENTITY = "1,0,0,0,1,0"


@pytest.mark.slow
@pytest.mark.parametrize("server", ["double", "batching_double"])
def test_12_megapixels_with_alpha(server: str, request: Any) -> None:
    """All above 127, so that each number takes two bytes in a typed field."""
    double: ServingDoubleProcess = request.getfixturevalue(server)
    picture = np.full((3000, 4000, 4), 255, np.uint8)
    picture[::7, ::11, 0] = 200
    content = encoded(picture, compress_level=1)

    async def scenario(client: httpx.AsyncClient) -> None:
        answer = await client.post(
            "/warp",
            content=content,
            params={"theta": _IDENTITY},
            headers={"x-request-timeout-ms": "30000"},
        )
        assert answer.status_code == 200, answer.text
        np.testing.assert_array_equal(decoded(answer.content), picture)

    play(double.address, scenario, poll_seconds=60, max_pixels=12_000_000)


def test_limits_beyond_what_a_channel_can_count_do_not_keep_it_from_opening(
    double: ServingDoubleProcess,
) -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        assert (await client.get("/readyz")).status_code == 200

    play(double.address, scenario, max_pixels=2_000_000_000)

"""What a gateway's process says, and what it passes on to the model server."""

import json
from pathlib import Path
from typing import Any

import httpx

from tests.service.gateway_process import start_gateway
from tests.service.model_server.gateways import MARK, marked, plain, play, predict
from tests.serving_double.process import ServingDoubleProcess
from tests.versions import SHIPPED

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_every_line_of_a_process_is_json(double: ServingDoubleProcess, models_folder: Path) -> None:
    """From the first to the last: starting, requests good and bad, a fault, stopping."""
    flags = ("--model-server", double.address, "--log-format", "json")
    with start_gateway(models_folder, *flags) as gateway:
        gateway.wait_until_ready()
        ids = {"x-request-id": "id-1"}
        with httpx.Client(base_url=gateway.url, timeout=60) as client:
            client.post("/predict", content=plain(), headers=ids)
            client.get("/nowhere")
            words = 'a "quoted"\nline'
            double.fault("error", code="INTERNAL", message=words, first_pixel=MARK)
            client.post("/predict", content=marked(), headers={"x-request-id": "id-2"})
        gateway.process.terminate()
        status, said = gateway.ended()

    assert status == 0, said
    lines: list[dict[str, Any]] = [json.loads(line) for line in [*gateway.said, *said.splitlines()]]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    (start,) = [line for line in lines if "answers" in line["message"]]
    assert start["address"] == gateway.url
    requests = {line["request_id"]: line for line in lines if line["logger"].endswith("access")}
    assert len(requests) == 3
    good, bad = requests["id-1"], requests["id-2"]
    assert (good["route"], good["status"], good["model_version"]) == ("/predict", 200, SHIPPED)
    assert list(good["stages_ms"]) == ["decode", "queue", "model", "encode"]
    assert sum(good["stages_ms"].values()) <= good["duration_ms"] + 0.001
    assert (bad["status"], bad["code"], bad["level"]) == (502, "model_server_error", "warning")
    assert words in bad["error"]


def test_the_caller_s_trace_goes_on_to_the_model_server(double: ServingDoubleProcess) -> None:
    """With every call made for it, and with no other."""

    async def scenario(client: httpx.AsyncClient) -> None:
        double.take_calls()
        await predict(client, plain())
        await client.post("/predict", content=plain(), headers={"traceparent": TRACE})
        await client.post(
            "/warp",
            content=plain(),
            params={"theta": "1,0,0,0,1,0"},
            headers={"traceparent": TRACE},
        )

    play(double.address, scenario, poll_seconds=60)

    traces = [
        (call["servable"], call["headers"].get("traceparent"))
        for call in double.take_calls()
        if call["method"] == "Predict"
    ]
    assert [trace for trace in traces if trace[1]] == [("stn", TRACE), ("warp", TRACE)]
    assert ("stn", None) in traces

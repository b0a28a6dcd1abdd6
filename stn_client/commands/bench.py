"""`stn-client bench`."""

from io import BytesIO
from pathlib import Path
from typing import Any

import click
from PIL import Image

from stn_client import bench as benches
from stn_client import files as paths
from stn_client import output
from stn_client.aio import AsyncClient
from stn_client.commands.common import EPILOG, JSON, SOME_FAILED, run, told, with_key
from stn_client.retries import NO_RETRIES


@click.command(epilog=EPILOG)
@click.argument("files", nargs=-1, metavar="[FILE]...", type=click.Path(path_type=Path))
@click.option(
    "--seconds", default=5.0, type=click.FloatRange(0, 3600), help="How long each step takes."
)
@click.option(
    "--up-to", default=64, type=click.IntRange(1, 1024), help="The most requests at a time."
)
@click.option(
    "--max-latency-ms",
    default=100.0,
    type=click.FloatRange(0, min_open=True),
    help="What 99 of 100 answers must keep to.",
)
@JSON
@click.pass_context
def bench(
    context: click.Context,
    /,
    files: tuple[Path, ...],
    seconds: float,
    up_to: int,
    max_latency_ms: float,
    as_json: bool,
) -> None:
    """Find the rate that the gateway sustains, and suggest parameters for batching.

    Asks with 1, 2, 4, ... requests at a time, for some seconds each, and never twice; the rate to
    stay at is the highest without an error and within the latency allowed. Then it times requests
    of 1, 2, 4, ... pictures: the smallest size from which more bring nothing is the batch to allow.

    Without FILE a plain square of 42 x 42 pixels is sent; better take pictures of your own. Run it
    on another machine than the gateway's, for it needs a processor itself, and not against one
    that others need.
    """
    with told():
        contents = [path.read_bytes() for path in paths.pictures(files)] or [_plain_picture()]
    client = with_key(context, AsyncClient, retries=NO_RETRIES)
    run(_bench(client, contents, seconds, _doubling(up_to), max_latency_ms, as_json))


async def _bench(
    client: AsyncClient,
    images: list[bytes],
    seconds: float,
    counts: list[int],
    max_latency_ms: float,
    as_json: bool,
) -> int:
    table = output.Table(
        [
            ("AT A TIME", -9),
            ("PER SECOND", -10),
            ("P50 MS", -8),
            ("P95 MS", -8),
            ("P99 MS", -8),
            ("ERRORS", 6),
        ]
    )
    steps = []
    async with client:
        # A first one by itself: a gateway that is not there, or wants a key, is told at once.
        await client.predict(images[0])
        for count in counts:
            step = await benches.measure_step(client, images, count, seconds)
            steps.append(step)
            figures = [step.percentile(p) for p in (50, 95, 99)]
            said = ", ".join(f"{n} {code}" for code, n in step.errors.items())
            if as_json:
                output.say(output.json_line(_step_document(step)))
            else:
                table.row(str(count), f"{step.rate:.0f}", *(f"{f:.1f}" for f in figures), said)
        costs = await benches.measure_batches(client, images[0], _doubling(64), lambda _: None)
    best, size = benches.sustainable(steps, max_latency_ms), benches.batch_size(costs)
    if as_json:
        output.say(output.json_line(_verdict_document(best, size, costs)))
    else:
        _say_verdict(best, size, costs, max_latency_ms)
    return 0 if best else SOME_FAILED


def _say_verdict(
    best: benches.Step | None,
    size: int,
    costs: list[benches.BatchCost],
    max_latency_ms: float,
) -> None:
    output.say("")
    if best is None:
        output.say(f"No step was free of errors with 99 % within {max_latency_ms:g} ms.")
    else:
        output.say(
            f"Sustainable: {best.rate:.0f} pictures a second, {best.concurrency} at a time, "
            f"99 % within {best.percentile(99):.1f} ms."
        )
        if best.client_load > 0.8:
            output.say(
                f"This client was busy for {best.client_load:.0%} of a processor: the gateway may "
                "bear more. Run several."
            )
    shown = ", ".join(f"{cost.size}: {cost.ms_per_image:.2f}" for cost in costs)
    output.say(f"Milliseconds a picture, by pictures in a request: {shown}.")
    output.say(f"\nFor the gateway: --max-batch-size {size}. For the model server:\n")
    output.say(benches.batching_parameters(size))


def _step_document(step: benches.Step) -> dict[str, Any]:
    shown = {f"p{p}_ms": step.percentile(p) if step.latencies else None for p in (50, 95, 99)}
    return {
        "concurrency": step.concurrency,
        "rate": step.rate,
        **shown,
        "errors": dict(step.errors),
        "client_load": step.client_load,
    }


def _verdict_document(
    best: benches.Step | None, size: int, costs: list[benches.BatchCost]
) -> dict[str, Any]:
    return {
        "sustainable": best and _step_document(best),
        "max_batch_size": size,
        "ms_per_image": {str(cost.size): cost.ms_per_image for cost in costs},
    }


def _doubling(up_to: int) -> list[int]:
    return [1 << power for power in range(up_to.bit_length())]


def _plain_picture() -> bytes:
    picture = Image.new("L", (42, 42))
    picture.paste(255, (14, 8, 26, 34))
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()

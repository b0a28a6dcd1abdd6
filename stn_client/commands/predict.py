"""`stn-client predict`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from stn_client import files as paths
from stn_client import output
from stn_client.aio import AsyncClient
from stn_client.answers import Prediction
from stn_client.commands.common import (
    EPILOG,
    FILES,
    HOPELESS,
    JSON,
    LABEL,
    NOTHING_WORKS,
    SOME_FAILED,
    VERSION,
    run,
    with_key,
)
from stn_client.errors import GatewayError


@click.command(epilog=EPILOG)
@FILES
@JSON
@click.option(
    "--save-warped",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Save what the classifier saw of each picture there, as NAME.warped.png.",
)
@click.option("--concurrency", default=8, type=click.IntRange(1, 1000), help="Requests at a time.")
@click.option("--top-k", type=int, help="Length of `top` in the JSON.")
@click.option(
    "--fit",
    type=click.Choice(["pad", "stretch", "crop"]),
    help="How a picture is laid on the model's input.",
)
@click.option("--invert", is_flag=True, help="For dark ink on light paper.")
@VERSION
@LABEL
@click.pass_context
def predict(
    context: click.Context,
    /,
    files: tuple[Path, ...],
    as_json: bool,
    save_warped: Path | None,
    concurrency: int,
    **options: Any,
) -> None:
    """Say what each picture shows. A folder stands for the pictures in it and below.

    The answers come in the order of the files. ROTATION and SCALE are of the region that the
    network looked at. A file that cannot be read, or is no picture, is named on standard error and
    left out; the others go on.

    \b
      stn-client predict --invert --fit crop scans/*.jpg
      stn-client predict --json scans/ | jq -r 'select(.confidence < 0.9) | .file'
    """
    found = paths.pictures(files)
    if not found:
        raise output.fail("there is no picture in " + ", ".join(map(str, files)), SOME_FAILED)
    goes_to = paths.names_below(save_warped, found) if save_warped else {}
    options["warped"] = save_warped is not None
    client = with_key(context, AsyncClient)
    longest = max(len(str(file)) for file in found)
    table = output.Table(
        [("FILE", longest), ("LABEL", 8), ("CONFIDENCE", -10), ("ROTATION", -8), ("SCALE", -11)]
    )

    def show(file: Path, prediction: Prediction) -> None:
        saved = goes_to.get(file)
        if saved is not None and prediction.warped is not None:
            paths.write(saved, prediction.warped)
        if as_json:
            output.say(output.answer_line(file, prediction, saved))
        else:
            table.row(str(file), *_cells(prediction))

    def tell(file: Path, error: GatewayError | OSError) -> None:
        output.complain(f"{file}: {output.words(error)}")
        if as_json:
            output.say(output.error_line(file, error))

    run(_predict_all(client, found, concurrency, options, show, tell))


async def _predict_all(
    client: AsyncClient,
    files: list[Path],
    concurrency: int,
    options: dict[str, Any],
    show: Callable[[Path, Prediction], None],
    tell: Callable[[Path, GatewayError | OSError], None],
) -> int:
    failed = done = 0
    async with client:
        outcomes = client.predict_many(files, concurrency=concurrency, **options)
        with output.progress(len(files)) as bar:
            async for outcome in outcomes:
                file = outcome.image
                assert isinstance(file, Path)
                done += 1
                if outcome.error is None:
                    show(file, outcome.result())
                else:
                    failed += 1
                    tell(file, outcome.error)
                    if getattr(outcome.error, "code", "") in HOPELESS:
                        await outcomes.aclose()
                        output.complain(f"the same would befall the other {len(files) - done}")
                        return NOTHING_WORKS
                bar.update()
    if failed:
        output.complain(f"{failed} of {len(files)} files were left out")
    return SOME_FAILED if failed else 0


def _cells(prediction: Prediction) -> tuple[str, str, str, str]:
    turned = prediction.transform
    return (
        prediction.label,
        f"{prediction.confidence:.4f}",
        f"{turned.rotation_degrees:.1f}" if turned else "-",
        f"{turned.scale[0]:.2f} x {turned.scale[1]:.2f}" if turned else "-",
    )

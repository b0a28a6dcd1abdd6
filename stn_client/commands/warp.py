"""`stn-client warp`."""

from pathlib import Path
from typing import Any

import click
from PIL import Image, UnidentifiedImageError

from stn_client import files as paths
from stn_client import output
from stn_client.affine import Theta, affine, six_numbers
from stn_client.commands.common import EPILOG, JSON, LABEL, VERSION, told, with_key
from stn_client.sync import Client

_ORIENTATION = 0x0112
_NO_BRACKETS = str.maketrans("[],;", "    ")


@click.command(epilog=EPILOG)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--rotate", default=0.0, metavar="DEGREES", help="Turn the region looked at, clockwise."
)
@click.option(
    "--scale",
    nargs=2,
    type=float,
    default=(1.0, 1.0),
    metavar="X Y",
    help="Its size; below 1 zooms in.",
)
@click.option("--shear", default=0.0, metavar="DEGREES", help="How far its sides lean.")
@click.option(
    "--translate",
    nargs=2,
    type=float,
    default=(0.0, 0.0),
    metavar="X Y",
    help="Its centre; -1 and 1 are the edges of the picture, y grows downwards.",
)
@click.option(
    "--theta", help="Six numbers instead of all that: row one gives x, row two y, of the input."
)
@click.option(
    "-o",
    "--output",
    "saved",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the picture goes.  [default: FILE.warped.png, in this folder]",
)
@click.option("--width", type=int, help="Of the answer, in pixels; else the picture's.")
@click.option("--height", type=int, help="Likewise.")
@click.option(
    "--padding",
    type=click.Choice(["zeros", "border", "reflection"]),
    help="What lies outside the picture.",
)
@click.option(
    "--interpolation", type=click.Choice(["bilinear", "nearest"]), help="How between pixels."
)
@JSON
@VERSION
@LABEL
@click.pass_context
def warp(
    context: click.Context,
    /,
    file: Path,
    rotate: float,
    scale: tuple[float, float],
    shear: float,
    translate: tuple[float, float],
    theta: str | None,
    saved: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Warp a picture: say which region of it to look at, and get that upright.

    The words are those of `transform` in the answers. A region turned clockwise comes out turned
    the other way: --rotate 45 turns the picture counter-clockwise. Angles hold in the picture's own
    pixels, whatever its shape; for --theta nothing is corrected.

    \b
      stn-client warp photo.jpg --rotate 45 -o turned.png
      stn-client warp photo.jpg --scale 0.5 0.5 --translate 0.2 -0.1
      stn-client warp photo.jpg --theta '0.7071,-0.7071,0,0.7071,0.7071,0'
    """
    words = {"rotate": rotate, "scale": scale, "shear": shear, "translate": translate}
    given = [
        n
        for n in words
        if context.get_parameter_source(n) == click.core.ParameterSource.COMMANDLINE
    ]
    if theta is not None and given:
        raise click.UsageError(f"--theta stands alone; leave --{given[0]} out")
    saved = saved or Path(f"{file.name}.warped.png")
    with told(), with_key(context, Client) as client:
        numbers = _numbers(theta) if theta is not None else _affine(file, words)
        warped = client.warp(file, numbers, **options)
        paths.write(saved, warped.png)
    if as_json:
        output.say(output.answer_line(file, warped, saved))
    else:
        output.say(f"{saved}: theta {', '.join(f'{number:.6g}' for number in numbers)}")


def _numbers(theta: str) -> Theta:
    try:
        return six_numbers([float(part) for part in theta.translate(_NO_BRACKETS).split()])
    except ValueError as error:
        raise click.UsageError(f"--theta must be six numbers; got {theta!r}") from error


def _affine(file: Path, words: dict[str, Any]) -> Theta:
    try:
        return affine(**words, size=_size(file))
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _size(file: Path) -> tuple[int, int]:
    """Return width and height of a picture as it is seen; of a broken one let the gateway speak."""
    try:
        with Image.open(file) as picture:
            width, height = picture.size
            lies_on_its_side = picture.getexif().get(_ORIENTATION, 1) >= 5
    except (UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError):
        return 1, 1
    return (height, width) if lies_on_its_side else (width, height)

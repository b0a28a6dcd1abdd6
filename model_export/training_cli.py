"""The options of `stn-model train`, on digits and on pictures."""

import argparse
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

from model_export.config import POLARITIES, TrainingConfig
from model_export.images.config import ImageConfig
from model_export.serving_cli import Commands, Formatter

_HELP = {
    "recipe": "how digits are drawn: rts, or robust: some of them also with any pen, larger and "
    "smaller, turned further, and on grey paper",
    "epochs": "passes over the training pictures, each time distorted anew; of your own pictures "
    "at least 20 batches each, however few they are",
    "batch_size": "pictures per step",
    "learning_rate": "peak rate, after a linear warm-up and before a cosine to zero",
    "localizer_rate": "factor on that rate for the localization network; at 1.0 it can die",
    "weight_decay": "of matrices and kernels",
    "share_anyhow": "of the recipe robust: share of digits that are drawn so",
    "share_close": "share of training digits drawn closer than the test set's, as people crop them",
    "num_validation": "digits held out to draw the curves by, at most a fifth of them",
    "seed": "of weights, order, distortion and dropout",
    "transform": "what the spatial transformer may do: affine, attention, similarity, translation, "
    "projective or tps",
    "patience": "epochs without a better validation loss before training stops",
    "smoothing": "share of each label that is spread over all classes",
    "dropout": "before the last layer",
    "averaging": "decay of the moving average of the weights",
    "augment": "how far pictures are moved at random; 1 is up to 15 degrees, a fifth in size, a "
    "tenth of a side",
    "balanced": "draw each class equally often",
    "class_weights": "weigh each picture by how rare its class is",
    "validation_share": "of each class, to choose the epoch by",
    "test_share": "of each class, looked at once, at the end",
}


def add_train(commands: Commands, formatter: Formatter, data_help: str) -> None:
    """Add `train` to the command line."""
    parser = commands.add_parser(
        "train",
        help="train a classifier, and leave it in a run folder",
        formatter_class=formatter,
        description="""\
Train a classifier on digits that are rotated, scaled and moved at random (RTS), or with --images
on pictures of your own, and leave it in a run folder.

On digits, the run folder gets config.json, metrics.json and metrics.csv (a row for each epoch),
model.keras, and the pictures learning_curves.png and looks.png, which shows what the network looked
at. With the complete MNIST an epoch takes about 50 seconds on one core; 60 epochs err about 0.6 %
of the distorted test digits. At the end the localizer is checked: the run fails if theta does
not follow the digit, whatever the error.

Killed at any moment, the same command goes on from the last epoch, and ends where it would have
ended.

With --images DIR, DIR has a folder for each class, named after it. Pictures may have any size,
colour or grey, and are turned as their EXIF says; what is no picture is listed in RUN/skipped.tsv.
They are split by their content, so that no copy of a training picture is tested on. RUN/report.html
says how good the classifier is and what it looked at.""",
        epilog="""\
examples:
  stn-model train --data mnist/ --run runs/long --epochs 60 --threads 2
  stn-model train --data mnist/ --run runs/any --recipe robust --start models/stn/2
  stn-model train --images flowers/ --run runs/flowers""",
    )
    parser.add_argument(
        "--run", required=True, type=Path, help="folder to fill: new, or of a run to go on with"
    )
    parser.add_argument("--data", help=data_help)
    parser.add_argument(
        "--start",
        type=Path,
        metavar="MODEL",
        help="on digits: a run or an exported version whose weights it starts from (default: "
        "chance)",
    )
    parser.add_argument("--threads", type=positive, metavar="N", help="threads for TensorFlow")
    on_digits = {field.name: field for field in fields(TrainingConfig)}
    on_pictures = {field.name: field for field in fields(ImageConfig)}
    for name, field in on_digits.items():
        other = on_pictures.get(name)
        more = "" if other is None or other.default == field.default else other.default
        _add(parser, field, f"; {more} with --images" if more != "" else "")
    pictures = parser.add_argument_group("with --images")
    pictures.add_argument("--images", type=Path, metavar="DIR", help="a folder for each class")
    pictures.add_argument(
        "--size", type=positive, metavar="N", help="side of the input, in pixels (default: chosen)"
    )
    pictures.add_argument(
        "--channels", type=int, choices=(1, 3), help="1 is grey, 3 colour (default: chosen)"
    )
    pictures.add_argument(
        "--polarity",
        choices=POLARITIES,
        help="what lies around a picture, and behind a transparent one: light_on_dark is black, "
        "dark_on_light white (default: chosen)",
    )
    for name, field in on_pictures.items():
        if name not in on_digits:
            _add(pictures, field)


def _add(parser: Any, field: "Field[Any]", more: str = "") -> None:
    flag = f"--{field.name.replace('_', '-')}"
    text = _HELP[field.name]
    if isinstance(field.default, bool):
        parser.add_argument(flag, action="store_true", default=None, help=text)
        return
    kind = type(field.default)
    metavar = {int: "N", float: "X", str: "NAME"}[kind]
    # None says that it was not given: the two kinds of training have defaults of their own.
    parser.add_argument(
        flag, type=kind, metavar=metavar, help=f"{text} (default: {field.default}){more}"
    )


def positive(text: str) -> int:
    """Return a whole number from 1 up, of an option."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1; got {number}")
    return number

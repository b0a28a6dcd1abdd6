"""The commands and their options; TensorFlow is loaded only once a command is understood."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from model_export.config import TrainingConfig
from model_export.reproduce_cli import add_reproduce
from model_export.serving_cli import add_serving_commands

_DATA = (
    "folder with the four idx files of MNIST, plain or gzipped; 'sample' for the 2,000 digits that "
    "come with the package; Keras downloads MNIST when left out"
)
_THREADS = "threads that TensorFlow may use (default: as many as it likes)"

_TRAINING_HELP = {
    "epochs": "passes over the training digits, each time distorted anew",
    "batch_size": "images per step",
    "learning_rate": "peak rate, after a linear warm-up and before a cosine to zero",
    "localizer_rate": "factor on that rate for the localization network; at 1.0 it can die",
    "weight_decay": "of matrices and kernels",
    "share_close": "share of training digits drawn closer than the test set's, as people crop them",
    "num_validation": "digits held out to draw the curves by, at most a fifth of them",
    "seed": "of weights, order, distortion and dropout",
}


class _Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Paragraphs as written, and defaults shown unless the text names one or there is none."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or action.required or isinstance(action.default, bool):
            return action.help
        return super()._get_help_string(action)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit status.

    0: done. 1: the localizer is dead, an export was refused, or a promotion failed. 2: wrong
    arguments or data.
    """
    options = _parser().parse_args(arguments)

    from model_export.quiet import load_tensorflow

    load_tensorflow(options.threads)
    from model_export import commands
    from model_export.localizer_health import DeadLocalizerError
    from model_export.undo import PromotionError
    from model_export.verify import ExportRefusedError

    try:
        getattr(commands, options.command.replace("-", "_"))(options)
    except (DeadLocalizerError, ExportRefusedError, PromotionError) as error:
        return _fail(error, 1)
    except (ValueError, OSError) as error:
        return _fail(error, 2)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    return 0


def _fail(reason: object, status: int) -> int:
    sys.stderr.write(f"stn-model: error: {' '.join(str(reason).split())}\n")
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stn-model",
        formatter_class=_Formatter,
        description="""\
Train a spatial-transformer classifier on distorted digits, measure it, and export it for
TensorFlow Serving. From nothing to a served model, with the 2,000 digits of the package:

  stn-model train --data sample --run runs/first
  stn-model export --run runs/first --data sample --models models
  stn-model evaluate models/stn --data sample

'stn-model COMMAND --help' explains each of them.""",
        epilog="""\
Exit status: 0 done; 1 dead localizer, refused export or failed promotion; 2 bad arguments or data.
""",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_train(commands)
    _add_evaluate(commands)
    _add_export(commands)
    add_reproduce(commands, _Formatter, _DATA)
    add_serving_commands(commands, _Formatter)
    return parser


def _add_train(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "train",
        help="train a classifier, and leave it in a run folder",
        formatter_class=_Formatter,
        description="""\
Train a classifier on digits that are rotated, scaled and moved at random (RTS), and leave in
the run folder: config.json, metrics.json and metrics.csv (a row for each epoch), model.keras,
and the pictures learning_curves.png and looks.png, which shows what the network looked at.

With the complete MNIST an epoch takes about 50 seconds on one core; 60 epochs err about 0.6 %
of the distorted test digits. At the end the localizer is checked: the run fails if theta does
not follow the digit, whatever the error.""",
        epilog="""\
example:
  stn-model train --data mnist/ --run runs/long --epochs 60 --threads 2""",
    )
    parser.add_argument("--run", required=True, type=Path, help="folder to fill; new or empty")
    parser.add_argument("--data", help=_DATA)
    for field in fields(TrainingConfig):
        parser.add_argument(
            f"--{field.name.replace('_', '-')}",
            type=type(field.default),
            default=field.default,
            metavar="N" if isinstance(field.default, int) else "X",
            help=_TRAINING_HELP[field.name],
        )
    _add_threads(parser)


def _add_evaluate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "evaluate",
        help="count the errors of a run or of an exported model",
        formatter_class=_Formatter,
        description="""\
Count how many test digits a classifier misreads: those of the fixed RTS test set, and the
undistorted ones enlarged as a client would send them. Each error comes with its 95 % confidence
interval, and with a look at whether the localizer follows the digit.

MODEL is a run folder, a version folder of an exported model, or a servable's folder, whose
newest version is taken. An exported model is read as TensorFlow Serving reads it.""",
        epilog="""\
examples:
  stn-model evaluate runs/long --data mnist/ --pictures pictures/
  stn-model evaluate models/stn/1 --data mnist/ --json""",
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="what to evaluate")
    parser.add_argument("--data", help=_DATA)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument(
        "--pictures",
        type=Path,
        metavar="DIR",
        help="draw there what the network looked at, and its most confident mistakes",
    )
    _add_threads(parser)


def _add_export(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "export",
        help="write the servables for TensorFlow Serving",
        formatter_class=_Formatter,
        description="""\
Write the classifier of a run, and the spatial transformer alone ('warp'), as SavedModels:
MODELS/NAME/VERSION and MODELS/warp/VERSION. The test errors are measured on the way and written
into the model's card.

A version is written to a hidden folder, loaded as a model server would load it, compared with
what it was made from, and only then given its name. If anything differs it is refused, and
nothing is left behind.""",
        epilog="""\
examples:
  stn-model export --run runs/long --data mnist/ --models models
  stn-model export --only warp --models models --version 2""",
    )
    parser.add_argument("--run", type=Path, help="run folder; 'warp' alone needs none")
    parser.add_argument("--data", help=_DATA)
    parser.add_argument("--models", type=Path, default=Path("models"), help="folder of servables")
    parser.add_argument("--name", default="stn", help="the classifier's name")
    parser.add_argument("--version", type=int, metavar="N", help="its number (default: the next)")
    parser.add_argument("--only", choices=("stn", "warp"), help="write only one of the two")
    _add_threads(parser)


def _add_threads(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--threads", type=_positive, metavar="N", help=_THREADS)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1; got {number}")
    return number

"""The commands and their options; TensorFlow is loaded only once a command is understood."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from model_export.config import POLARITIES
from model_export.reproduce_cli import add_reproduce
from model_export.serving_cli import add_serving_commands
from model_export.training_cli import add_train, positive

_DATA = (
    "folder with the four idx files of MNIST, plain or gzipped; 'sample' for the 2,000 digits that "
    "come with the package; Keras downloads MNIST when left out"
)
_THREADS = "threads that TensorFlow may use (default: as many as it likes)"


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

    try:
        from model_export.quiet import load_tensorflow

        load_tensorflow(options.threads)
        return _run(options)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)


def _run(options: argparse.Namespace) -> int:
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
Exit status: 0 done; 1 dead localizer, refused export or failed promotion; 2 bad arguments or data;
130 interrupted.
""",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_train(commands, _Formatter, _DATA)
    _add_evaluate(commands)
    _add_export(commands)
    _add_check(commands)
    add_reproduce(commands, _Formatter, _DATA)
    add_serving_commands(commands, _Formatter)
    return parser


def _add_evaluate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "evaluate",
        help="count the errors of a run or of an exported model",
        formatter_class=_Formatter,
        description="""\
Count how many test digits a classifier misreads: those of the fixed RTS test set, the
undistorted ones enlarged as a client would send them, and eight shifts (small, large, thin, thick,
off centre, turned, on paper, and all at once). Each error comes with its 95 % confidence
interval, and with a look at whether the localizer follows the digit.

With --images, or for a run on pictures: accuracy with its interval, the classes one by one, the
confusion matrix, calibration, and the worst mistakes with what the network looked at, in one HTML
page. A run on pictures is asked about those it kept for its test, others about --images.

MODEL is a run folder, a version folder of an exported model, or a servable's folder, whose
newest version is taken. An exported model is read as TensorFlow Serving reads it.""",
        epilog="""\
examples:
  stn-model evaluate runs/long --data mnist/ --pictures pictures/
  stn-model evaluate models/stn/2 --data mnist/ --json
  stn-model evaluate models/flowers --images new-flowers/ --report flowers.html""",
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="what to evaluate")
    parser.add_argument("--data", help=_DATA)
    parser.add_argument(
        "--images", type=Path, metavar="DIR", help="pictures, a folder for each class, to ask about"
    )
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="the HTML page (default: RUN/report.html, of a run on its own test pictures)",
    )
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
MODELS/NAME/VERSION and, if there is none yet, MODELS/warp/VERSION. The test errors are measured on
the way and written into the model's card.

A version is written to a hidden folder, loaded as a model server would load it, compared with
what it was made from, put through 'stn-model check', and only then given its name. If anything
differs it is refused, and nothing is left behind.""",
        epilog="""\
examples:
  stn-model export --run runs/long --data mnist/ --models models
  stn-model export --only warp --models models --version 2
  stn-model export --keras model.keras --labels labels.txt --models models --name flowers""",
    )
    parser.add_argument(
        "--run", type=Path, help="run folder, on digits or pictures; 'warp' alone needs none"
    )
    parser.add_argument(
        "--keras",
        type=Path,
        metavar="FILE",
        help="instead of a run: any Keras classifier with an stn.SpatialTransformer on its images",
    )
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        help="with --keras: a label a line (default: 0, 1...)",
    )
    parser.add_argument(
        "--input-range",
        choices=("unit", "symmetric", "bytes"),
        help="with --keras: what it takes: 0 to 1 (the default), -1 to 1, or 0 to 255",
    )
    parser.add_argument(
        "--output",
        choices=("logits", "probabilities"),
        help="with --keras: what it gives (default: what its last activation says)",
    )
    parser.add_argument(
        "--import",
        dest="imports",
        action="append",
        metavar="MODULE",
        help="with --keras: import this first, for layers of your own (may be repeated)",
    )
    parser.add_argument(
        "--polarity",
        choices=POLARITIES,
        help="with --keras: what lies around a picture that does not fill the input (default: "
        "light_on_dark, which is black)",
    )
    parser.add_argument("--data", help=_DATA)
    parser.add_argument("--models", type=Path, default=Path("models"), help="folder of servables")
    parser.add_argument("--name", help="the classifier's name (default: stn, for digits alone)")
    parser.add_argument("--version", type=int, metavar="N", help="its number (default: the next)")
    parser.add_argument("--only", choices=("stn", "warp"), help="write only one of the two")
    _add_threads(parser)


def _add_check(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "check",
        help="check that a version folder is what a model server and the gateway need",
        formatter_class=_Formatter,
        description="""\
Check a version folder that 'stn-model export' wrote: both of TensorFlow's loaders take it; every
signature is there, with the types and shapes of the contract, and answers; batches of 1, 2, 5 and
32 do, and a picture alone gets the answer that it gets among 32, to 1e-5; the description is
complete, and says what the signatures say; the warm-up file can be replayed, and the answers are
those stored at its export (assets.extra/golden.npz, which others do not write); nothing is not
finite.

Each check is a line; the first that fails ends the command with status 1.""",
        epilog="""\
example:
  stn-model check models/stn/2""",
    )
    parser.add_argument(
        "folder", type=Path, metavar="DIR", help="a version's or a servable's folder"
    )
    _add_threads(parser)


def _add_threads(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--threads", type=positive, metavar="N", help=_THREADS)

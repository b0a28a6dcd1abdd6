"""The commands that put exported versions into service, and their options."""

import argparse
from pathlib import Path
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Formatter = type[argparse.HelpFormatter]

_EXAMPLE_FOLDER = "deploy/tensorflow-serving"


def add_serving_commands(commands: Commands, formatter: Formatter) -> None:
    """Add `serving-config`, `promote` and `rollback` to the command line."""
    _add_serving_config(commands, formatter)
    _add_promote(commands, formatter)
    _add_rollback(commands, formatter)


def _add_serving_config(commands: Commands, formatter: Formatter) -> None:
    parser = commands.add_parser(
        "serving-config",
        help="write TensorFlow Serving's configuration for a folder of servables",
        formatter_class=formatter,
        description="""\
Write models.config (every servable, all its versions, its labels) and monitoring.config, and print
the command line of tensorflow_model_server that goes with them. Batching needs no file here: each
version that is to be batched has its own batching_params.pbtxt.

Labels come from the servables' labels.json, which 'stn-model promote' keeps. The same folder gives
the same files.""",
        epilog=f"""\
example:
  stn-model serving-config --models models --out {_EXAMPLE_FOLDER} --label stn:canary=2""",
    )
    _add_models(parser)
    parser.add_argument("--out", required=True, type=Path, help="folder to write to")
    parser.add_argument(
        "--base-path", default="/models", help="the folder of servables, as the server sees it"
    )
    parser.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="[SERVABLE:]LABEL=N",
        help="one more label, of one servable or of all; wins over labels.json; may be repeated",
    )
    parser.set_defaults(threads=None)


def _add_promote(commands: Commands, formatter: Formatter) -> None:
    parser = commands.add_parser(
        "promote",
        help="put a version into service, check it there, and let a label name it",
        formatter_class=formatter,
        description="""\
Check a version folder, put it in place at once and whole, wait until each model server has it
AVAILABLE, check there what the gateway needs and the golden answers from its export, and only then
let the label name it. If any step fails, everything is as it was before.

Without --server the folder alone changes: an embedded backend reads it when it starts.""",
        epilog=f"""\
examples:
  stn-model promote build/stn/3 --models models --server 127.0.0.1:8500 \\
      --config {_EXAMPLE_FOLDER}/models.config
  stn-model promote --version 1 --servable flowers --models models""",
    )
    parser.add_argument(
        "source",
        nargs="?",
        type=Path,
        metavar="VERSION_FOLDER",
        help="an exported version, such as build/stn/3; left out when it is in place already",
    )
    parser.add_argument(
        "--version", type=int, metavar="N", help="its number (default: the folder's name)"
    )
    _add_stage(parser)
    parser.add_argument(
        "--timeout",
        type=float,
        default=300.0,
        metavar="SECONDS",
        help="for the model servers to load it",
    )


def _add_rollback(commands: Commands, formatter: Formatter) -> None:
    parser = commands.add_parser(
        "rollback",
        help="let a label name the version that it named before",
        formatter_class=formatter,
        description="""\
Let a label name the version that it named before it was promoted; once more goes back further. No
version is removed.""",
        epilog=f"""\
example:
  stn-model rollback --models models --server 127.0.0.1:8500 \\
      --config {_EXAMPLE_FOLDER}/models.config""",
    )
    _add_stage(parser)


def _add_stage(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--servable", default="stn", help="its name")
    parser.add_argument("--label", default="stable", help="the label to move")
    _add_models(parser)
    parser.add_argument(
        "--server",
        action="append",
        default=[],
        metavar="HOST:PORT",
        help="gRPC port of a model server that serves the folder; repeated for several",
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="the models.config that the servers were started with; kept in step",
    )
    parser.add_argument(
        "--base-path",
        help="instead of --config: the folder of servables, as the servers see it",
    )
    parser.set_defaults(threads=None)


def _add_models(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--models", type=Path, default=Path("models"), help="folder of servables")

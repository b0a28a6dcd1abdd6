"""`stn-model evaluate --images`, and of a run on pictures."""

import json
import sys
from argparse import Namespace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rich.console import Console

from model_export.config import refuse_given
from model_export.images.folder import Listing, list_pictures
from model_export.images.prepare import Prepared, open_prepared, prepare
from model_export.images.readings import read_pictures
from model_export.images.report import REPORT, say_readings, write_report
from model_export.images.split import TEST, TRAIN
from model_export.images.subjects import AskedClassifier, is_run_on_pictures, open_asked
from model_export.images.training import METRICS, read_history
from model_export.progress import reading_progress

_NUM_NAMED = 20


def evaluate_images(options: Namespace) -> None:
    """Report on a classifier asked about a folder of pictures, or about its own test pictures."""
    refuse_given(
        options, ("data", "pictures"), "is for digits, and these are pictures; leave it out"
    )
    with open_asked(options.model) as asked, TemporaryDirectory() as temporary:
        report, history = options.report, []
        if options.images is None:
            prepared = open_prepared(options.model)
            indices = prepared.distinct(TEST)
            warn_if_unfinished(options.model, "this is the best epoch so far")
            history = read_history(options.model)
            report = report or options.model / REPORT
        else:
            prepared = _all_of(options.images, asked, Path(temporary))
            # None is kept for anything else; the others lie in two classes.
            indices = prepared.distinct(TRAIN)
            _say_what_to_know(prepared, indices, options.model)
        readings = read_pictures(asked.predict, prepared, indices)
        name = "test" if options.images is None else options.images.resolve().name
        if options.json:
            sys.stdout.write(json.dumps(readings.as_dict(), indent=1) + "\n")
        if report is not None:
            title = f"{options.model} on {options.images or 'its test pictures'}"
            write_report(
                report, title, readings, prepared, indices, asked.predict, asked.transform, history
            )
        if not options.json:
            say_readings(name, readings, report)


def _all_of(folder: Path, asked: AskedClassifier, temporary: Path) -> Prepared:
    """Read a folder's pictures as a classifier takes them, with its numbers for the classes."""
    listing = list_pictures(folder, least_classes=1)
    if unknown := [label for label in listing.labels if label not in asked.labels]:
        raise ValueError(
            f"{folder} has folders for {', '.join(unknown)}, which the model does not know; it "
            f"knows {', '.join(asked.labels)}"
        )
    numbers = [asked.labels.index(label) for label in listing.labels]
    classes = tuple(numbers[number] for number in listing.classes)
    known = Listing(folder, asked.labels, listing.paths, classes)
    with reading_progress(Console(stderr=True), len(listing.paths)) as told:
        return prepare(known, asked.spec, temporary, (0.0, 0.0), least=0, told=told)


def warn_if_unfinished(run: Path, so: str) -> None:
    """Say so when the training of a run on pictures has not come to its end, and what follows."""
    if "test" not in json.loads((run / METRICS).read_text()):
        sys.stderr.write(
            f"stn-model: warning: the training of {run} has not come to its end; {so}\n"
        )


def _say_what_to_know(prepared: Prepared, indices: np.ndarray, model: Path) -> None:
    """Say what was left out, and whether a run is asked about what it was trained on."""
    for name, reason in prepared.skipped[:_NUM_NAMED]:
        sys.stderr.write(f"left out: {name}: {reason}\n")
    if len(prepared.skipped) > _NUM_NAMED:
        sys.stderr.write(f"left out: {len(prepared.skipped) - _NUM_NAMED:,} more\n")
    if copies := len(prepared.part(TRAIN)) - len(indices):
        sys.stderr.write(f"{copies:,} pictures are copies of others, and left aside\n")
    if is_run_on_pictures(model):
        run = open_prepared(model)
        known = np.isin(prepared.digests[indices], run.digests[run.parts != TEST])
        if known.any():
            sys.stderr.write(
                f"{known.sum():,} of these {len(indices):,} pictures were trained on, or chose the "
                "epoch: on them it looks better than it is\n"
            )

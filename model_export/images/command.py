"""`stn-model train --images` and `stn-model evaluate --images`."""

import json
import sys
from argparse import Namespace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rich.console import Console

from model_export.config import given_settings
from model_export.images.choice import choose_spec
from model_export.images.config import ImageConfig
from model_export.images.folder import Listing, list_pictures
from model_export.images.prepare import INDEX, SKIPPED, Prepared, open_prepared, prepare
from model_export.images.readings import Readings, read_pictures
from model_export.images.report import write_report
from model_export.images.split import LEFT_OUT, TEST, TRAIN, VALIDATION
from model_export.images.subjects import AskedClassifier, is_run_on_pictures, open_asked
from model_export.images.training import CONFIG, KIND, METRICS, train_on_pictures
from model_export.predictors import keras_predictor, load_classifier
from model_export.progress import training_progress

REPORT = "report.html"


def train_images(options: Namespace) -> None:
    """Read the pictures, train on them, and report on those kept for the test."""
    for name in ("data", "start", "recipe", "share_close", "share_anyhow", "num_validation"):
        if getattr(options, name) is not None:
            flag = name.replace("_", "-")
            raise ValueError(f"--{flag} is for training on digits, and --images is not; leave one")
    config = ImageConfig(**given_settings(options, ImageConfig))
    run: Path = options.run
    if run.exists() and any(run.iterdir()) and not _is_begun(run):
        raise FileExistsError(
            f"{run} is not empty, and holds no training on pictures to go on with; name another"
        )
    prepared = _prepare(options.images, run, config, options)
    with training_progress(Console(stderr=True)) as progress:
        history = train_on_pictures(prepared, config, progress)
    predict = keras_predictor(load_classifier(run))
    test = prepared.part(TEST)
    readings = read_pictures(predict, prepared, test)
    (run / METRICS).write_text(
        json.dumps({"history": history, "test": readings.as_dict()}, indent=1) + "\n"
    )
    title = f"{options.images.name}: {len(prepared.labels)} classes"
    write_report(run / REPORT, title, readings, prepared, test, predict, config.transform, history)
    say_readings(readings, run / REPORT)


def evaluate_images(options: Namespace) -> None:
    """Report on a classifier asked about a folder of pictures, or about its own test pictures."""
    with open_asked(options.model) as asked, TemporaryDirectory() as temporary:
        if options.images is None:
            prepared = open_prepared(options.model)
            indices = prepared.part(TEST)
        else:
            prepared = _all_of(options.images, asked, Path(temporary))
            indices = np.arange(len(prepared.classes))
        readings = read_pictures(asked.predict, prepared, indices)
        report = options.report
        if report is None and is_run_on_pictures(options.model):
            report = options.model / REPORT
        if options.json:
            sys.stdout.write(json.dumps(readings.as_dict(), indent=1) + "\n")
        if report is not None:
            title = f"{options.model} on {options.images or 'its test pictures'}"
            write_report(report, title, readings, prepared, indices, asked.predict, asked.transform)
        if not options.json:
            say_readings(readings, report)


def say_readings(readings: Readings, report: Path | None) -> None:
    """Say the accuracy, and where the rest is written."""
    low, high = readings.accuracy_interval
    num_right = len(readings.classes) - readings.num_wrong
    sys.stdout.write(
        f"test: {num_right:,} of {len(readings.classes):,} right, {readings.accuracy:.1%} (95 % "
        f"interval {low:.1%} to {high:.1%})\n"
    )
    if report is not None:
        sys.stdout.write(f"{report}: the whole report\n")


def _is_begun(run: Path) -> bool:
    path = run / CONFIG
    begun = path.is_file() and json.loads(path.read_text()).get("kind") == KIND
    return begun or (run / SKIPPED).is_file() or (run / "pictures.bin").is_file()


def _prepare(folder: Path, run: Path, config: ImageConfig, options: Namespace) -> Prepared:
    listing = list_pictures(folder)
    if (run / INDEX).is_file():
        return _as_begun(run, listing, options)
    spec = choose_spec(listing.paths, options.size, options.channels)
    shares = config.validation_share, config.test_share
    prepared = prepare(listing, spec, run, shares)
    counts = [len(prepared.part(number)) for number in (TRAIN, VALIDATION, TEST, LEFT_OUT)]
    sys.stdout.write(
        f"{len(prepared.labels)} classes, {sum(counts[:3]):,} pictures as {spec.width} x "
        f"{spec.height} {'grey' if spec.channels == 1 else 'colour'}, "
        f"{spec.polarity.replace('_', ' ')}: {counts[0]:,} to train on, {counts[1]:,} to choose "
        f"the epoch by, {counts[2]:,} for the test\n"
    )
    if prepared.num_skipped:
        sys.stdout.write(f"{prepared.num_skipped:,} files were left out: {run / SKIPPED}\n")
    sys.stdout.flush()
    return prepared


def _as_begun(run: Path, listing: Listing, options: Namespace) -> Prepared:
    """Return the pictures that a run was begun with, if they are those that are asked for now."""
    prepared = open_prepared(run)
    wanted = options.size or prepared.spec.width, options.channels or prepared.spec.channels
    if wanted != (prepared.spec.width, prepared.spec.channels):
        raise ValueError(
            f"{run} was begun with --size {prepared.spec.width} --channels "
            f"{prepared.spec.channels}; name another folder, or go on with these"
        )
    if prepared.source != listing.digest():
        raise ValueError(
            f"{run} was begun with other pictures than {listing.root} holds now "
            f"({len(listing.paths):,} files); name another folder to train on these"
        )
    return prepared


def _all_of(folder: Path, asked: AskedClassifier, temporary: Path) -> Prepared:
    """Read a folder's pictures as a classifier takes them, with its numbers for the classes."""
    listing = list_pictures(folder)
    if unknown := [label for label in listing.labels if label not in asked.labels]:
        raise ValueError(
            f"{folder} has folders for {', '.join(unknown)}, which the model does not know; it "
            f"knows {', '.join(asked.labels)}"
        )
    numbers = [asked.labels.index(label) for label in listing.labels]
    classes = tuple(numbers[number] for number in listing.classes)
    known = Listing(folder, asked.labels, listing.paths, classes)
    return prepare(known, asked.spec, temporary, (0.0, 0.0), least=0)

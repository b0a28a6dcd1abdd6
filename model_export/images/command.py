"""`stn-model train --images`."""

import json
import sys
from argparse import Namespace
from collections import Counter
from pathlib import Path

from rich.console import Console

from model_export.config import given_settings, refuse_given
from model_export.images.choice import choose_spec
from model_export.images.config import ImageConfig
from model_export.images.folder import Listing, list_pictures
from model_export.images.prepare import INDEX, SKIPPED, Prepared, open_prepared, prepare
from model_export.images.readings import read_pictures
from model_export.images.report import REPORT, say_readings, write_report
from model_export.images.split import LEFT_OUT, TEST, TRAIN, VALIDATION
from model_export.images.training import CONFIG, KIND, METRICS, train_on_pictures
from model_export.predictors import keras_predictor, load_classifier
from model_export.progress import reading_progress, training_progress

SIZES = (16, 512)
_NUM_NAMED = 20


def train_images(options: Namespace) -> None:
    """Read the pictures, train on them, and report on those kept for the test."""
    of_digits = ("data", "start", "recipe", "share_close", "share_anyhow", "num_validation")
    refuse_given(options, of_digits, "is for training on digits, and --images is not; leave one")
    config = ImageConfig(**given_settings(options, ImageConfig))
    run: Path = options.run
    if run.resolve().is_relative_to(options.images.resolve()):
        raise ValueError(
            f"{run} lies among the pictures, and would be taken for some; name a folder elsewhere"
        )
    if run.exists() and any(run.iterdir()) and not _is_begun(run):
        raise FileExistsError(
            f"{run} is not empty, and holds no training on pictures to go on with; name another"
        )
    prepared = _prepare(options.images, run, config, options)
    with training_progress(Console(stderr=True)) as progress:
        history = train_on_pictures(prepared, config, progress)
    predict = keras_predictor(load_classifier(run))
    test = prepared.distinct(TEST)
    readings = read_pictures(predict, prepared, test)
    (run / METRICS).write_text(
        json.dumps({"history": history, "test": readings.as_dict()}, indent=1) + "\n"
    )
    title = f"{options.images.resolve().name}: {len(prepared.labels)} classes"
    write_report(run / REPORT, title, readings, prepared, test, predict, config.transform, history)
    say_readings("test", readings, run / REPORT)
    losses = [row["validation_loss"] for row in history]
    if len(losses) == config.epochs > 1 and min(losses) == losses[-1]:
        sys.stdout.write(
            f"the validation loss was still falling after epoch {config.epochs}: another run with "
            "more --epochs may read more\n"
        )


def _is_begun(run: Path) -> bool:
    path = run / CONFIG
    begun = path.is_file() and json.loads(path.read_text()).get("kind") == KIND
    return begun or (run / SKIPPED).is_file() or (run / "pictures.bin").is_file()


def _prepare(folder: Path, run: Path, config: ImageConfig, options: Namespace) -> Prepared:
    if options.size is not None and not SIZES[0] <= options.size <= SIZES[1]:
        raise ValueError(f"size must lie between {SIZES[0]} and {SIZES[1]}; got {options.size}")
    shares = config.validation_share, config.test_share
    listing = list_pictures(folder)
    if (run / INDEX).is_file():
        return _as_begun(run, listing, options, shares)
    spec = choose_spec(listing.paths, options.size, options.channels, options.polarity)
    with reading_progress(Console(stderr=True), len(listing.paths)) as told:
        prepared = prepare(listing, spec, run, shares, told=told)
    counts = [len(prepared.part(number)) for number in (TRAIN, VALIDATION, TEST)]
    sys.stdout.write(
        f"{len(prepared.labels)} classes, {sum(counts):,} pictures as {spec.width} x "
        f"{spec.height} {'grey' if spec.channels == 1 else 'colour'}, "
        f"{spec.polarity.replace('_', ' ')}: {counts[0]:,} to train on, {counts[1]:,} to choose "
        f"the epoch by, {counts[2]:,} for the test\n{_class_counts(prepared)}\n"
    )
    if copies := counts[2] - len(prepared.distinct(TEST)):
        sys.stdout.write(f"{copies:,} of those for the test are copies, and left aside there\n")
    if prepared.skipped:
        sys.stdout.write(f"{len(prepared.skipped):,} files were left out: {run / SKIPPED}\n")
    sys.stdout.flush()
    return prepared


def _class_counts(prepared: Prepared) -> str:
    """Name the classes with their pictures: those with the most, if there are many."""
    counts = Counter(prepared.classes[prepared.parts != LEFT_OUT].tolist())
    told = [f"{prepared.labels[number]} {n:,}" for number, n in counts.most_common(_NUM_NAMED)]
    rest = len(prepared.labels) - len(told)
    if rest:
        told.append(f"and {rest} with at most {counts.most_common()[_NUM_NAMED][1]:,} each")
    return ", ".join(told)


def _as_begun(
    run: Path, listing: Listing, options: Namespace, shares: tuple[float, float]
) -> Prepared:
    """Return the pictures that a run was begun with, if they are those that are asked for now."""
    prepared = open_prepared(run)
    spec = prepared.spec
    begun = (spec.width, spec.channels, spec.polarity, *prepared.shares)
    asked = (options.size, options.channels, options.polarity, *shares)
    if any(one not in (None, before) for one, before in zip(asked, begun, strict=True)):
        raise ValueError(
            f"{run} was begun with --size {begun[0]} --channels {begun[1]} --polarity {begun[2]} "
            f"--validation-share {begun[3]} --test-share {begun[4]}; name another folder, or go on "
            "with these"
        )
    if prepared.source != listing.digest():
        raise ValueError(
            f"{run} was begun with other pictures than {listing.root} holds now "
            f"({len(listing.paths):,} files); name another folder to train on these"
        )
    return prepared

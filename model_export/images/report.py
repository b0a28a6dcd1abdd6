"""One HTML page about a classifier, with every picture inside it."""

import base64
import io
import sys
import warnings
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from model_export.images.figures import (
    draw_calibration,
    draw_confusion,
    draw_history,
    draw_pairs,
    shortened,
)
from model_export.images.prepare import Prepared
from model_export.images.readings import Readings
from model_export.predictors import Predictor

REPORT = "report.html"
_NUM_SHOWN = 24
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1f2933; max-width: 62rem; margin: 2rem auto;
  padding: 0 1rem }
table { border-collapse: collapse } td, th { padding: .15rem .8rem .15rem 0; text-align: right }
td:first-child, th:first-child { text-align: left } img { max-width: 100% }
h1, h2 { font-weight: 600 } .figure { font-size: 2rem } small { color: #52606d }
"""


def write_report(
    path: Path,
    title: str,
    readings: Readings,
    prepared: Prepared,
    indices: np.ndarray,
    predict: Predictor,
    transform: str,
    history: Sequence[dict[str, float]] = (),
) -> None:
    """Write the page.

    Args:
        path: the HTML file.
        title: what was evaluated.
        readings: the answers.
        prepared: the pictures.
        indices: those that the answers are about.
        predict: asked once more about the pictures that are shown.
        transform: of the spatial transformer.
        history: of the training, where it is known.
    """
    low, high = readings.accuracy_interval
    num_right = len(readings.classes) - readings.num_wrong
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p class=figure>{readings.accuracy:.1%} right</p>",
        (
            f"<p>{num_right:,} of {len(readings.classes):,} pictures; 95 % interval {low:.1%} to "
            f"{high:.1%} (Wilson). {escape(_commonest_sentence(readings))}</p>"
        ),
        "<h2>Class by class</h2>",
        _class_table(readings),
        "<h2>What is taken for what</h2>",
        _picture(draw_confusion(readings), "Confusion matrix"),
        "<h2>Is it as sure as it is right?</h2>",
        (
            f"<p>On average confidence and accuracy are {readings.calibration_error:.1%} apart. "
            "The numbers are pictures, the lines 95 % intervals.</p>"
        ),
        _picture(draw_calibration(readings), "Calibration: accuracy over confidence"),
        "<h2>The most confident mistakes</h2>",
        (
            "<p>Each pair: the picture with the region the network looked at (its top edge in "
            "blue), and what it saw there.</p>"
        ),
    ]
    worst = readings.worst_first()[:_NUM_SHOWN]
    if len(worst):
        parts.append(_looks(readings, prepared, indices, predict, transform, worst))
        parts.append(_file_list(readings, worst))
    else:
        parts.append("<p>There are none.</p>")
    parts.append("<h2>Some of the others</h2>")
    right = np.flatnonzero(readings.read == readings.classes)
    some = right[np.linspace(0, len(right) - 1, min(12, len(right))).astype(int)]
    if len(some):
        parts.append(_looks(readings, prepared, indices, predict, transform, some))
    spread = float(readings.theta.std(axis=0).max())
    parts.append(f"<p>{_localizer_sentence(spread)}</p>")
    if history:
        parts += ["<h2>How it learnt</h2>", _picture(draw_history(history), "Learning curves")]
    page = (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title>"
        f"<style>{_STYLE}</style>{''.join(parts)}</html>\n"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")


def say_readings(name: str, readings: Readings, report: Path | None) -> None:
    """Say the accuracy, and where the rest is written."""
    low, high = readings.accuracy_interval
    num_right = len(readings.classes) - readings.num_wrong
    sys.stdout.write(
        f"{name}: {num_right:,} of {len(readings.classes):,} right, {readings.accuracy:.1%} (95 % "
        f"interval {low:.1%} to {high:.1%})\n"
    )
    if low <= readings.commonest[1]:
        sys.stdout.write(f"{_commonest_sentence(readings)}\n")
    if report is not None:
        sys.stdout.write(f"{report}: the whole report\n")


def _commonest_sentence(readings: Readings) -> str:
    label, share = readings.commonest
    return f"Whoever answers '{label}' to every one of them is right on {share:.1%}."


def _localizer_sentence(spread: float) -> str:
    if spread < 1e-3:
        return (
            "The localizer is dead or was never needed: theta is the same for every picture. The "
            "network is a fixed crop with a classifier behind it."
        )
    return (
        f"The localizer reacts to the picture: the number of theta that varies most has a standard "
        f"deviation of {spread:.2f}."
    )


def _class_table(readings: Readings) -> str:
    def share(value: float | None) -> str:
        return "" if value is None else f"{value:.1%}"

    rows = "".join(
        f"<tr><td>{escape(row['label'])}<td>{row['num_images']:,}<td>{share(row['recall'])}"
        f"<td>{share(row['precision'])}<td>{share(row['f1'])}"
        for row in readings.per_class()
    )
    return (
        "<table><tr><th>class<th>pictures<th>of these found<th>of those so called right<th>F1"
        f"{rows}</table>"
    )


def _looks(
    readings: Readings,
    prepared: Prepared,
    indices: np.ndarray,
    predict: Predictor,
    transform: str,
    chosen: np.ndarray,
) -> str:
    images = prepared.read(indices[chosen])
    outputs: dict[str, Any] = predict(images)
    names = [shortened(label) for label in readings.labels]
    titles = [
        (
            f"is {names[readings.classes[i]]}",
            f"{names[readings.read[i]]} ({100 * readings.confidence[i]:.0f} %)",
            bool(readings.read[i] == readings.classes[i]),
        )
        for i in chosen
    ]
    figure = draw_pairs(images, outputs["warped"], outputs["theta"], transform, titles)
    return _picture(figure, "Pictures with the region looked at, and what was seen there")


def _file_list(readings: Readings, chosen: np.ndarray) -> str:
    items = "".join(f"<li>{escape(str(readings.paths[i]))}" for i in chosen)
    return f"<details><summary>Their files</summary><ol>{items}</ol></details>"


def _picture(figure: Figure, description: str) -> str:
    FigureCanvasAgg(figure)
    file = io.BytesIO()
    with warnings.catch_warnings():
        # A label of letters that the font lacks: the figure has boxes there, the page itself not.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(file, format="png", dpi=110, metadata={"Software": None})
    data = base64.b64encode(file.getvalue()).decode()
    return f'<img alt="{escape(description)}" src="data:image/png;base64,{data}">'

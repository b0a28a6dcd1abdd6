"""The table: the paper's figure beside ours, as Markdown, CSV and plot."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model_export.reproduce.beside import beside_plain
from model_export.reproduce.cell import LOG, RESULT
from model_export.reproduce.experiments import EXPERIMENTS
from model_export.reproduce.networks import NETWORKS
from model_export.reproduce.paper import PAPER
from model_export.reproduce.plot import draw_table

_HEADER = (
    *("experiment", "network", "paper", "ours", "range", "seeds"),
    *("parameters", "epochs", "CPU minutes"),
)
_CSV_HEADER = (
    *("cell", "seed", "error_percent", "low_95", "high_95", "paper"),
    *("parameters", "epochs", "cpu_minutes", "log_sha256"),
)


@dataclass(frozen=True)
class Line:
    """What is known of an experiment and a network.

    Attributes:
        experiment: its name.
        network: its name.
        paper: error in per cent, None where the paper has none.
        errors: test error in per cent of each finished seed.
        num_parameters: of the network.
        epochs: that it was trained for.
        cpu_minutes: of each finished seed.
    """

    experiment: str
    network: str
    paper: float | None
    errors: tuple[float, ...]
    num_parameters: int
    epochs: int
    cpu_minutes: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean error over the seeds."""
        return float(np.mean(self.errors))

    def cells(self) -> tuple[str, ...]:
        """Return what stands in its columns."""
        low, high = min(self.errors), max(self.errors)
        return (
            self.experiment,
            self.network,
            "" if self.paper is None else f"{self.paper:.1f}",
            f"{self.mean:.2f}",
            f"{low:.2f} to {high:.2f}" if len(self.errors) > 1 else "",
            str(len(self.errors)),
            f"{self.num_parameters:,}",
            str(self.epochs),
            f"{np.mean(self.cpu_minutes):.0f}",
        )


def write_table(folder: Path) -> str:
    """Write `table1.md`, `table1.csv` and `table1.png` of the results in a folder's folders.

    Returns:
        The Markdown, with a sentence on each cell beside its plain network, and on each that was
        begun and is not done.
    """
    results = [json.loads(path.read_text()) for path in sorted(folder.glob(f"*/{RESULT}"))]
    lines = collect(results)
    sentences = [*_of_other_data(results), *beside_plain(results), *_unfinished(folder)]
    markdown = _markdown(lines, sentences)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table1.md").write_text(markdown)
    (folder / "table1.csv").write_text(_csv(results))
    if results:
        draw_table(lines, results, folder / "table1.png")
    return markdown


def collect(results: Sequence[dict[str, Any]]) -> list[Line]:
    """Put the results of the seeds of a cell together, in the order of the paper's table."""
    lines = []
    for experiment in EXPERIMENTS:
        for network in NETWORKS:
            name = f"{experiment}:{network}"
            seeds = [result for result in results if result["cell"] == name]
            if seeds:
                lines.append(
                    Line(
                        experiment,
                        network,
                        PAPER.get(name),
                        tuple(result["test"]["error_percent"] for result in seeds),
                        seeds[0]["num_parameters"],
                        len(seeds[0]["history"]),
                        tuple(result["cpu_minutes"] for result in seeds),
                    )
                )
    return lines


def _markdown(lines: Sequence[Line], sentences: Sequence[str]) -> str:
    text = io.StringIO()
    text.write(f"| {' | '.join(_HEADER)} |\n|---|---|{'---:|' * (len(_HEADER) - 2)}\n")
    for line in lines:
        text.write(f"| {' | '.join(line.cells())} |\n")
    if sentences:
        text.write("\n" + "\n".join(f"- {sentence}" for sentence in sentences) + "\n")
    return text.getvalue()


def _csv(results: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_CSV_HEADER)
    for result in results:
        test = result["test"]
        writer.writerow(
            [
                result["cell"],
                result["seed"],
                f"{test['error_percent']:.4g}",
                *(f"{end:.4g}" for end in test["interval_95_percent"]),
                PAPER.get(result["cell"], ""),
                result["num_parameters"],
                len(result["history"]),
                f"{result['cpu_minutes']:.1f}",
                result["log_sha256"],
            ]
        )
    return text.getvalue()


def _of_other_data(results: Sequence[dict[str, Any]]) -> list[str]:
    return [
        f"{result['cell']} seed {result['seed']}: of {result['test']['data']}, not of MNIST"
        for result in results
        if result["test"]["data"] != "MNIST"
    ]


def _unfinished(folder: Path) -> list[str]:
    sentences = []
    for log in sorted(folder.glob(f"*/{LOG}")):
        if not (log.parent / RESULT).exists():
            row = json.loads(log.read_text().splitlines()[-1])
            sentences.append(
                f"{log.parent.name}: not finished; validation error "
                f"{row['validation_error_percent']:.2f} % after epoch {row['epoch']}, "
                f"{row['cpu_minutes']:.0f} CPU minutes"
            )
    return sentences

"""The table as a picture: errors beside the paper's, and how each cell came to its own."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator

from model_export.pictures import BLUE, INK, ORANGE, write_figure

if TYPE_CHECKING:
    from model_export.reproduce.table import Line


def draw_table(lines: "Sequence[Line]", results: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw the errors of each line with the paper's, and the validation errors over CPU minutes.

    Args:
        lines: of the table.
        results: of the cells, with their histories.
        path: the PNG to write.
    """
    height = max(2.6, 0.28 * len(lines) + 1.2)
    figure = Figure(figsize=(10, height), layout="constrained")
    bars, curves = figure.subplots(1, 2)

    rows = range(len(lines))
    bars.barh(rows, [line.mean for line in lines], color=BLUE, height=0.6, label="ours, test")
    for row, line in zip(rows, lines, strict=True):
        bars.plot([min(line.errors), max(line.errors)], [row, row], color=INK, linewidth=1.2)
        if line.paper is not None:
            bars.plot(
                line.paper, row, "D", color=ORANGE, markersize=5, label="" if row else "the paper"
            )
    bars.set_yticks(rows, [f"{line.experiment}  {line.network}" for line in lines], fontsize=8)
    bars.invert_yaxis()
    bars.set_xlim(left=0)
    bars.set_title("error, %; the line is the range over seeds", fontsize=10)
    bars.legend(frameon=False, fontsize=8)

    experiments = list(dict.fromkeys(line.experiment for line in lines))
    named = set()
    for result in results:
        history, cell = result["history"], result["cell"]
        experiment, network = cell.split(":")
        curves.plot(
            [row["cpu_minutes"] for row in history],
            [max(row["validation_error_percent"], 0.01) for row in history],
            # A colour for each experiment; dots for networks without a transformer.
            color=f"C{experiments.index(experiment)}",
            linestyle="-" if network.startswith("st-") else ":",
            linewidth=1.3,
            label="" if cell in named else f"{experiment}  {network}",
        )
        named.add(cell)
    curves.set_yscale("log")
    curves.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    curves.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    curves.yaxis.set_minor_locator(NullLocator())
    curves.set_xlabel("CPU minutes, one core")
    curves.set_title("validation error, %", fontsize=10)
    curves.legend(frameon=False, fontsize=7)
    for axes in (bars, curves):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    write_figure(figure, path)

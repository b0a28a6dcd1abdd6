"""The results as one picture: how many times as fast, beside the goal."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from benchmarks.warp.goals import Result

COLOURS = {
    "torch": "tab:orange",
    "stn 1.0.1": "tab:green",
    "OpenCV": "tab:purple",
    "kornia": "tab:red",
}


def draw(results: Sequence[Result]) -> Figure:
    """Return bars of the ratios reached, with a mark at each goal."""
    shown = [result for result in results if not result.at_most]
    figure = Figure(figsize=(9, 0.32 * len(shown) + 1.2), layout="constrained")
    axes = figure.subplots()
    for place, result in enumerate(shown):
        axes.barh(place, result.reached, color=COLOURS[result.against], height=0.7)
        axes.plot([result.goal] * 2, [place - 0.45, place + 0.45], color="black", linewidth=1.5)
    axes.set_yticks(
        range(len(shown)), [f"{result.path}, {result.against}" for result in shown], fontsize=7
    )
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.axvline(1, color="grey", linewidth=0.8)
    axes.set_xlabel("times as fast, CPU time on one thread; black: the goal")
    return figure

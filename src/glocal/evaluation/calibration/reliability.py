"""The reliability plot: how often predictions of each probability come true, without and with the temperature."""

from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from glocal.canvas import BLUE, VERMILLION, canvas, rendered
from glocal.evaluation.calibration.errors import BINS, Calibration
from glocal.evaluation.calibration.temperature import CalibrationReport
from glocal.files import write_whole
from glocal.intervals import count_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_reliability(report: CalibrationReport, path: Path, *, title: str) -> None:
    """Writes a PNG: the share that came true against the predicted probability, in bins of equal width with 95 % intervals, and
    below it how many probabilities fall into each bin. With a temperature a second column shows the same after it."""
    columns = [("as the network gives them" if report.temperature != 1 else "", report.before)]
    if report.temperature != 1:
        how = ", cross-fitted" if report.cross_fitted else ""
        columns.append((f"with temperature {report.temperature:.3f}{how}", report.honest))
    with canvas(4.4 * len(columns) + 0.4, 6.2, layout="constrained") as figure:
        figure.suptitle(title, fontsize=10)
        grid = figure.subplots(2, len(columns), squeeze=False, sharex=True, sharey="row", height_ratios=(3, 1))
        for (name, found), (above, below) in zip(columns, grid.T, strict=True):
            _draw_bins(above, found, name=name)
            _draw_counts(below, found)
        grid[0, 0].set_ylabel("share that came true, %")
        grid[1, 0].set_ylabel("predictions")
        grid[0, 0].legend(loc="upper left", fontsize=8, edgecolor="none")
        write_whole(path, rendered(figure))


def _draw_bins(axes: "Axes", found: Calibration, *, name: str) -> None:
    axes.plot([0, 100], [0, 100], color="#777777", lw=1, ls="--", label="perfect")
    x = [100 * each.confidence for each in found.bins]
    y = [100 * each.accuracy for each in found.bins]
    ends = [count_interval(round(each.n * each.accuracy), each.n) for each in found.bins]
    down = [max(0.0, share - 100 * low) for share, (low, _) in zip(y, ends, strict=True)]
    up = [max(0.0, 100 * high - share) for share, (_, high) in zip(y, ends, strict=True)]
    axes.errorbar(
        x, y, yerr=(down, up), fmt="o", ms=5, color=BLUE, capsize=2, lw=1.2, clip_on=False, label="95 % interval"
    )
    axes.vlines(x, x, y, color=VERMILLION, lw=4, alpha=0.5, label="error")
    axes.set_title(f"{name}\nECE {found.ece:.2%} (by chance {found.ece_by_chance:.2%})".strip(), fontsize=9)
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    axes.grid(alpha=0.25)


def _draw_counts(axes: "Axes", found: Calibration) -> None:
    width = 100 / BINS
    for each in found.bins:
        left = max(0, ceil(each.confidence * BINS) - 1) * width
        axes.bar(left, each.n, width=width * 0.94, align="edge", color=BLUE)
    axes.set_xlabel("predicted probability, %")
    axes.spines[["top", "right"]].set_visible(False)

"""The candidates of a level as static figures: accuracy against a cost, and how the front grew over the generations."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from glocal.canvas import BLUE, GREY, VERMILLION, canvas, rendered
from glocal.errors import SearchError
from glocal.reporting.figures import cost_named, figure_at, with_unit
from glocal.reporting.searches.folder import SearchFolder
from glocal.reporting.searches.level_folder import Finalist, LevelFolder, Row, pareto

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Limit = tuple[float | None, float | None]
FRONTS = 5  # generations whose front is drawn


def draw_candidates(level: str | PathLike[str], path: str | PathLike[str], *, cost: str = "macs") -> None:
    """Accuracy against a cost, with a colour for each generation, the Pareto front, the limits, the finalists and the winner.

    level: its folder, in the folder of a search. path: a .png or .svg. SearchError where no candidate has an accuracy, or the
    cost.
    """
    folder = LevelFolder(Path(level))
    limits = SearchFolder.find(folder.path.parent).limits()
    with figure_at(path, width=9, height=5.4) as figure:
        _candidates(figure, folder, cost, limits.get(cost, (None, None)))


def draw_front(level: str | PathLike[str], path: str | PathLike[str], *, cost: str = "macs") -> None:
    """The Pareto front after several generations, and beside it the accuracies of each generation."""
    with figure_at(path, width=10, height=4.4) as figure:
        _front(figure, LevelFolder(Path(level)), cost)


def candidates_svg(level: LevelFolder, cost: str, limits: Limit) -> str:
    """`draw_candidates` as the text of an SVG."""
    with canvas(9, 5.4) as figure:
        _candidates(figure, level, cost, limits)
        return rendered(figure, ".svg").decode()


def front_svg(level: LevelFolder, cost: str) -> str:
    """`draw_front` as the text of an SVG."""
    with canvas(10, 4.4) as figure:
        _front(figure, level, cost)
        return rendered(figure, ".svg").decode()


def rows_with_cost(level: LevelFolder, cost: str) -> list[Row]:
    """The evaluated candidates; SearchError where there are none, or none has the cost."""
    cost_named(cost)
    if not level.evaluated:
        raise SearchError(f"{level.path} has no evaluated candidates (candidates.csv)")
    if not (rows := [row for row in level.evaluated if cost in row.costs]):
        known = ", ".join(level.evaluated[0].costs)
        raise SearchError(f"{level.path}: the search did not compute {cost}; its candidates have {known}")
    return rows


def _candidates(figure: "Figure", level: LevelFolder, cost: str, limits: Limit) -> None:
    from matplotlib.ticker import MaxNLocator

    rows, scale = rows_with_cost(level, cost), cost_named(cost).scale
    axes = figure.add_axes((0.085, 0.11, 0.8, 0.8))
    last = max(row.generation for row in rows)
    points = axes.scatter(
        [row.costs[cost] / scale for row in rows],
        [100 * (row.accuracy or 0) for row in rows],
        c=[row.generation for row in rows],
        cmap="viridis_r",
        vmin=0,
        vmax=max(last, 1),
        s=16,
        alpha=0.75,
        lw=0,
        zorder=2,
    )
    _stairs(axes, pareto(rows, cost), cost, color="black", label="Pareto front")
    _limits(axes, cost, limits)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + (high - low) / 8)  # space for the winner's name
    _finalists(axes, level, cost)
    _label(axes, cost, f"{level.accuracy_is}, %")
    when = f" in {last + 1} generations" if last else ""
    axes.set_title(f"{level.name}: {len(rows):,} candidates{when}", fontsize=10, loc="left")
    _legend(axes)
    if last:
        bar = figure.colorbar(points, cax=figure.add_axes((0.905, 0.11, 0.018, 0.8)))
        bar.set_label("generation", fontsize=9)
        bar.ax.yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _limits(axes: "Axes", cost: str, limits: Limit) -> None:
    scale = cost_named(cost).scale
    for limit, side in zip(limits, ("least", "most"), strict=True):
        if limit is not None:
            axes.axvline(limit / scale, color=VERMILLION, ls="--", lw=1.2)
            axes.text(
                limit / scale,
                0.02,
                f" at {side} {with_unit(cost, limit)} ",
                color=VERMILLION,
                fontsize=8,
                ha="left" if side == "least" else "right",
                transform=axes.get_xaxis_transform(),
            )


def _finalists(axes: "Axes", level: LevelFolder, cost: str) -> None:
    finalists = [f for f in level.finalists if f.supernet_accuracy is not None and cost in f.costs]
    x = [f.costs[cost] / cost_named(cost).scale for f in finalists]
    y = [100 * (f.supernet_accuracy or 0) for f in finalists]
    if finalists:
        axes.plot(x, y, "o", ms=9, mfc="none", mec=VERMILLION, mew=1.4, label="finalists", zorder=4)
    for finalist, across, up in zip(finalists, x, y, strict=True):
        if finalist.winner:
            _winner(axes, finalist, cost, (across, up))


def _winner(axes: "Axes", finalist: Finalist, cost: str, at: tuple[float, float]) -> None:
    axes.plot(*at, "*", ms=13, color=VERMILLION, label="winner after retraining", zorder=5)
    retrained = f"retrained {finalist.accuracy:.2%}" if finalist.accuracy is not None else "winner"
    middle = sum(axes.get_xlim()) / 2
    side = -1 if at[0] > middle else 1
    axes.annotate(
        f"{'-'.join(map(str, finalist.answers))}\n{retrained}, {with_unit(cost, finalist.costs[cost])}",
        at,
        xytext=(side * 14, 16),
        textcoords="offset points",
        ha="left" if side > 0 else "right",
        va="bottom",
        fontsize=8,
        color=VERMILLION,
        arrowprops={"arrowstyle": "-", "color": VERMILLION, "lw": 0.7},
    )


def _front(figure: "Figure", level: LevelFolder, cost: str) -> None:
    import matplotlib as mpl

    rows = rows_with_cost(level, cost)
    generations = sorted({row.generation for row in rows})
    front, spread = figure.subplots(1, 2)
    figure.subplots_adjust(left=0.075, right=0.985, top=0.9, bottom=0.13, wspace=0.2)
    colours = mpl.colormaps["viridis_r"]
    for generation in _evenly(generations):
        shade = colours((generation - generations[0]) / max(1, generations[-1] - generations[0]))
        so_far = [row for row in rows if row.generation <= generation]
        _stairs(front, pareto(so_far, cost), cost, color=shade, label=f"up to generation {generation}")
    front.set_title(f"{level.name}: the front over the generations", fontsize=10, loc="left")
    _label(front, cost, "accuracy, %")
    front.legend(loc="best", fontsize=8, edgecolor="none")
    _spread(spread, rows, generations)


def _spread(axes: "Axes", rows: Sequence[Row], generations: Sequence[int]) -> None:
    """The accuracies of each generation: lowest, median, highest, and the best so far."""
    from matplotlib.ticker import MaxNLocator

    low, middle, high, best = [], [], [], []
    for generation in generations:
        accuracies = sorted(100 * (row.accuracy or 0) for row in rows if row.generation == generation)
        low.append(accuracies[0])
        middle.append(accuracies[len(accuracies) // 2])
        high.append(accuracies[-1])
        best.append(max(high))
    axes.fill_between(generations, low, high, color=BLUE, alpha=0.15, lw=0, label="lowest to highest")
    axes.plot(generations, middle, color=BLUE, marker=".", label="median of the generation")
    axes.plot(generations, best, color=VERMILLION, marker=".", drawstyle="steps-post", label="best so far")
    axes.set_xlabel("generation", fontsize=9)
    axes.set_xlim(generations[0] - 0.5, generations[-1] + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    _plain(axes)
    axes.legend(loc="lower right", bbox_to_anchor=(1.02, 0.99), ncols=3, fontsize=7, edgecolor="none", columnspacing=1)


def _legend(axes: "Axes") -> None:
    """Above the axes, where there are no candidates."""
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, fontsize=8, edgecolor="none", borderaxespad=0.2)


def _evenly(generations: Sequence[int]) -> list[int]:
    """The first generation, the last, and some between them, evenly spaced."""
    last = len(generations) - 1
    return [generations[i] for i in sorted({round(last * k / (FRONTS - 1)) for k in range(FRONTS)})]


def _stairs(axes: "Axes", front: Sequence[Row], cost: str, *, color: object, label: str) -> None:
    """A front is drawn as stairs: between two of its candidates, the cheaper one is the best there is."""
    x = [row.costs[cost] / cost_named(cost).scale for row in front]
    y = [100 * (row.accuracy or 0) for row in front]
    axes.step(x, y, where="post", color=color, lw=1.3, label=label, zorder=3)
    axes.plot(x, y, "o", ms=3, color=color, zorder=3)


def _label(axes: "Axes", cost: str, y: str) -> None:
    axes.set_xlabel(f"{cost_named(cost).title}, {cost_named(cost).unit}", fontsize=9)
    axes.set_ylabel(y, fontsize=9)
    _plain(axes)


def _plain(axes: "Axes") -> None:
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8, colors=GREY)

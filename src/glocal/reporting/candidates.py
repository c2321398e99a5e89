"""The candidates of a level as static figures: accuracy against a cost, and how the front grew over the generations."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from glocal.errors import SearchError
from glocal.reporting.figures import (
    BLUE,
    GREY,
    VERMILLION,
    canvas,
    cost_named,
    figure_at,
    priced,
    saved,
)
from glocal.reporting.search_folder import Level, Row, SearchFolder, pareto

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FRONTS = 5  # of the generations whose front is drawn


def draw_candidates(level: str | PathLike[str], path: str | PathLike[str], *, cost: str = "macs") -> None:
    """Accuracy over a cost, a colour a generation, with the Pareto front, the limits, the finalists and the winner.

    level: its folder, in the folder of a search. path: a .png or .svg. SearchError where no candidate has an accuracy, or the
    cost.
    """
    here = Level(Path(level))
    limits = SearchFolder.find(here.path.parent).limits()
    with figure_at(path, width=9, height=5.4) as figure:
        _candidates(figure, here, cost, limits.get(cost, (None, None)))


def draw_front(level: str | PathLike[str], path: str | PathLike[str], *, cost: str = "macs") -> None:
    """The Pareto front as it stood after some generations, and the accuracies of each generation beside it."""
    with figure_at(path, width=10, height=4.4) as figure:
        _front(figure, Level(Path(level)), cost)


def candidates_svg(level: Level, cost: str, limits: tuple[float | None, float | None]) -> str:
    """`draw_candidates` as the text of an SVG."""
    with canvas(9, 5.4) as figure:
        _candidates(figure, level, cost, limits)
        return saved(figure, ".svg").decode()


def front_svg(level: Level, cost: str) -> str:
    """`draw_front` as the text of an SVG."""
    with canvas(10, 4.4) as figure:
        _front(figure, level, cost)
        return saved(figure, ".svg").decode()


def priced_rows(level: Level, cost: str) -> list[Row]:
    """The measured candidates; SearchError where there are none, or none has the cost."""
    cost_named(cost)
    if not level.measured:
        raise SearchError(f"{level.path} has no measured candidates (candidates.csv)")
    if not (rows := [row for row in level.measured if cost in row.costs]):
        known = ", ".join(level.measured[0].costs)
        raise SearchError(f"{level.path}: the search asked for no {cost}; its candidates have {known}")
    return rows


def _candidates(figure: "Figure", level: Level, cost: str, limits: tuple[float | None, float | None]) -> None:
    from matplotlib.ticker import MaxNLocator

    rows, scale = priced_rows(level, cost), cost_named(cost).scale
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
    for limit, side in zip(limits, ("least", "most"), strict=True):
        if limit is not None:
            axes.axvline(limit / scale, color=VERMILLION, ls="--", lw=1.2)
            said = f" at {side} {priced(cost, limit)} "
            axes.text(
                limit / scale,
                0.02,
                said,
                color=VERMILLION,
                fontsize=8,
                ha="left" if side == "least" else "right",
                transform=axes.get_xaxis_transform(),
            )
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + (high - low) / 8)  # room for the winner's name
    _finalists(axes, level, cost)
    _labelled(axes, cost, "accuracy with the supernet's weights, %")
    axes.set_title(f"{level.name}: {len(rows):,} candidates in {last + 1} generations", fontsize=10, loc="left")
    _legend(axes)
    bar = figure.colorbar(points, cax=figure.add_axes((0.905, 0.11, 0.018, 0.8)))
    bar.set_label("generation", fontsize=9)
    bar.ax.yaxis.set_major_locator(MaxNLocator(integer=True))


def _finalists(axes: "Axes", level: Level, cost: str) -> None:
    shown = [f for f in level.finalists if f.supernet_accuracy is not None and cost in f.costs]
    x = [f.costs[cost] / cost_named(cost).scale for f in shown]
    y = [100 * (f.supernet_accuracy or 0) for f in shown]
    if shown:
        axes.plot(x, y, "o", ms=9, mfc="none", mec=VERMILLION, mew=1.4, label="finalists", zorder=4)
    for finalist, at, high in zip(shown, x, y, strict=True):
        if finalist.winner:
            axes.plot(at, high, "*", ms=13, color=VERMILLION, label="winner after retraining", zorder=5)
            retrained = f"retrained {finalist.accuracy:.2%}" if finalist.accuracy is not None else "winner"
            said = f"{'-'.join(map(str, finalist.answers))}\n{retrained}, {priced(cost, finalist.costs[cost])}"
            middle = sum(axes.get_xlim()) / 2
            side = -1 if at > middle else 1
            axes.annotate(
                said,
                (at, high),
                xytext=(side * 14, 16),
                textcoords="offset points",
                ha="left" if side > 0 else "right",
                va="bottom",
                fontsize=8,
                color=VERMILLION,
                arrowprops={"arrowstyle": "-", "color": VERMILLION, "lw": 0.7},
            )


def _front(figure: "Figure", level: Level, cost: str) -> None:
    import matplotlib as mpl
    from matplotlib.ticker import MaxNLocator

    rows = priced_rows(level, cost)
    generations = sorted({row.generation for row in rows})
    front, spread = figure.subplots(1, 2)
    figure.subplots_adjust(left=0.075, right=0.985, top=0.9, bottom=0.13, wspace=0.2)
    colours = mpl.colormaps["viridis_r"]
    chosen = _some(generations)
    for generation in chosen:
        shade = colours((generation - generations[0]) / max(1, generations[-1] - generations[0]))
        upto = [row for row in rows if row.generation <= generation]
        _stairs(front, pareto(upto, cost), cost, color=shade, label=f"up to generation {generation}")
    front.set_title(f"{level.name}: the front as it grew", fontsize=10, loc="left")
    _labelled(front, cost, "accuracy, %")
    front.legend(loc="best", fontsize=8, edgecolor="none")
    low, middle, high, best = [], [], [], []
    for generation in generations:
        mine = sorted(100 * (row.accuracy or 0) for row in rows if row.generation == generation)
        low.append(mine[0])
        middle.append(mine[len(mine) // 2])
        high.append(mine[-1])
        best.append(max(high))
    spread.fill_between(generations, low, high, color=BLUE, alpha=0.15, lw=0, label="lowest to highest")
    spread.plot(generations, middle, color=BLUE, marker=".", label="median of the generation")
    spread.plot(generations, best, color=VERMILLION, drawstyle="steps-post", label="best so far")
    spread.set_xlabel("generation", fontsize=9)
    spread.xaxis.set_major_locator(MaxNLocator(integer=True))
    _plain(spread)
    spread.legend(
        loc="lower right", bbox_to_anchor=(1.02, 0.99), ncols=3, fontsize=7, edgecolor="none", columnspacing=1
    )


def _legend(axes: "Axes") -> None:
    """Above the axes, where no candidate is."""
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, fontsize=8, edgecolor="none", borderaxespad=0.2)


def _some(generations: Sequence[int]) -> list[int]:
    """The first, the last and some between, evenly."""
    last = len(generations) - 1
    return [generations[i] for i in sorted({round(last * k / (FRONTS - 1)) for k in range(FRONTS)})]


def _stairs(axes: "Axes", front: Sequence[Row], cost: str, *, color: object, label: str) -> None:
    """A front is a stair: between two of its candidates the cheaper one is the best there is."""
    x = [row.costs[cost] / cost_named(cost).scale for row in front]
    y = [100 * (row.accuracy or 0) for row in front]
    axes.step(x, y, where="post", color=color, lw=1.3, label=label, zorder=3)
    axes.plot(x, y, "o", ms=3, color=color, zorder=3)


def _labelled(axes: "Axes", cost: str, what: str) -> None:
    told = cost_named(cost)
    axes.set_xlabel(f"{told.said}, {told.unit}", fontsize=9)
    axes.set_ylabel(what, fontsize=9)
    _plain(axes)


def _plain(axes: "Axes") -> None:
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8, colors=GREY)

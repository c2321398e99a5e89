"""The figures of a network's locality, as PNG."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from glocal.canvas import BLUE, GREY, canvas, rendered
from glocal.explaining.networks.measures import HeadDistances, ReceptiveField
from glocal.explaining.networks.weight_pictures import WeightPicture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PANELS = 8  # of a layer, that are drawn
_LAYERS = 12  # that are drawn, evenly over the depth


def draw_distances(found: Sequence[HeadDistances], size: tuple[int, int]) -> bytes:
    """A dot for each head over the depth of the network, and a line for attention that is equal everywhere."""

    def draw(figure: "Figure") -> None:
        axes = figure.add_subplot()
        for i, layer in enumerate(found):
            axes.scatter([i + 1] * len(layer.pixels), layer.pixels, color=BLUE, s=22, alpha=0.8, linewidths=0)
        axes.plot(range(1, len(found) + 1), [layer.uniform for layer in found], color=GREY, ls="--", lw=1)
        axes.annotate(
            "equal everywhere", (len(found), found[-1].uniform), (0, 4), textcoords="offset points", ha="right"
        )
        axes.set(xlabel="attention layer", ylabel="mean attention distance, pixels", xticks=range(1, len(found) + 1))
        axes.set_ylim(0, max(max(layer.uniform, *layer.pixels) for layer in found) * 1.15)
        axes.spines[["top", "right"]].set_visible(False)

    return drawn(draw, width=6.4, height=3.4)


def draw_fields(found: Sequence[ReceptiveField]) -> bytes:
    """The effective receptive field of the middle position of each place; brightness is the root of the gradient."""
    titles = [f"{field.path}\n90 % in {field.effective} px" for field in found]
    return _grid([[np.sqrt(field.gradient) for field in found[:_PANELS]]], titles=titles, colours="magma")


def draw_weights(found: Sequence[WeightPicture], *, signed: bool) -> bytes:
    """A row of panels for each layer."""
    chosen = [found[round(i)] for i in np.linspace(0, len(found) - 1, min(_LAYERS, len(found)))]
    rows = [[panel.cpu().numpy() for panel in layer.panels[:_PANELS]] for layer in chosen]
    return _grid(
        rows, rows_titles=[layer.path for layer in chosen], colours="RdBu_r" if signed else "viridis", signed=signed
    )


def draw_similarity(found: WeightPicture) -> bytes:
    """The panels of one table of positions, as the positions lie on their grid."""
    side = round(len(found.panels) ** 0.5)
    arrays = [panel.cpu().numpy() for panel in found.panels]
    return _grid([arrays[i : i + side] for i in range(0, len(arrays), side)], colours="viridis")


def _grid(
    rows: Sequence[Sequence[np.ndarray]],
    *,
    titles: Sequence[str] = (),
    rows_titles: Sequence[str] = (),
    colours: str,
    signed: bool = False,
) -> bytes:
    columns = max(len(row) for row in rows)
    flat = max(panel.shape[0] for row in rows for panel in row) == 1

    def draw(figure: "Figure") -> None:
        axes = figure.subplots(len(rows), columns, squeeze=False)
        for each in axes.flat:
            each.set_axis_off()
        for i, row in enumerate(rows):
            for j, panel in enumerate(row):
                limit = float(np.abs(panel).max()) or 1.0
                limits = {"vmin": -limit, "vmax": limit} if signed else {}
                axes[i, j].imshow(
                    panel, cmap=colours, aspect="auto" if flat else "equal", interpolation="nearest", **limits
                )
                if i == 0 and j < len(titles):
                    axes[i, j].set_title(titles[j], fontsize=7)
            if rows_titles:
                axes[i, 0].set_title(rows_titles[i], fontsize=7, loc="left")

    return drawn(draw, width=max(2.5, 1.35 * columns), height=len(rows) * (0.7 if flat else 1.5) + 0.3)


def drawn(draw: "Callable[[Figure], None]", *, width: float, height: float) -> bytes:
    """A figure, so many inches wide and high, filled by `draw`, as the bytes of a PNG."""
    with canvas(width, height, font_size=9, layout="constrained") as figure:
        draw(figure)
        return rendered(figure)

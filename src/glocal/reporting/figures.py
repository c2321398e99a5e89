"""Canvases and colours that the figures share. matplotlib draws off screen; no setting of a caller is touched."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from glocal.design.text import count
from glocal.errors import SearchError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart by the colour-blind.
BLUE, VERMILLION, GREEN, ORANGE, GREY = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#777777"
FORMATS = (".png", ".svg")


class Cost(NamedTuple):
    """A column of candidates.csv that a network pays with: how it is said, and what a number is divided by."""

    said: str
    unit: str
    scale: float


COSTS = {
    "macs": Cost("multiply-adds", "M", 1e6),
    "params": Cost("weights", "M", 1e6),
    "latency_ms": Cost("latency", "ms", 1.0),
    "memory_bytes": Cost("memory", "MiB", 2.0**20),
}


def cost_named(name: str) -> Cost:
    """SearchError for a name that is none of the costs."""
    if name not in COSTS:
        raise SearchError(f"{name!r} is no cost of a candidate; give one of {', '.join(COSTS)}")
    return COSTS[name]


def priced(name: str, value: float) -> str:
    """A cost with its unit: 1473000000 macs as "1.47 G", a latency as "5.2 ms"."""
    cost = COSTS[name]
    return count(value) if cost.unit == "M" else f"{value / cost.scale:.3g} {cost.unit}"


@contextmanager
def figure_at(path: str | PathLike[str], *, width: float, height: float) -> "Iterator[Figure]":
    """An empty figure, inches wide and high, written to a .png or .svg when it is drawn; SearchError where it cannot be."""
    place = Path(path)
    if place.suffix not in FORMATS:
        raise SearchError(f"{place}: figures are written as {' or '.join(FORMATS)}")
    with canvas(width, height) as figure:
        yield figure
        drawn = saved(figure, place.suffix)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(drawn)
    except OSError as error:
        raise SearchError(f"{place} cannot be written: {error.strerror}") from None


@contextmanager
def canvas(width: float, height: float) -> "Iterator[Figure]":
    """An empty figure under settings of our own."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context():
        mpl.rcdefaults()
        # A browser that lacks matplotlib's font has its model.
        mpl.rcParams["font.sans-serif"] = ["DejaVu Sans", "Verdana", "sans-serif"]
        mpl.rcParams["text.parse_math"] = False  # a name may hold two dollars
        mpl.rcParams["svg.fonttype"] = "none"  # letters stay letters
        mpl.rcParams["svg.hashsalt"] = "glocal"  # the same figure is the same file
        yield Figure(figsize=(width, height), dpi=150)


def saved(figure: "Figure", suffix: str) -> bytes:
    """The figure as the bytes of a .png or an .svg."""
    file = BytesIO()
    figure.savefig(file, format=suffix[1:], metadata={"Date": None} if suffix == ".svg" else None)
    return file.getvalue()

"""Canvases, colours and costs that all figures share. matplotlib draws off screen, and the caller's settings stay as they are."""

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
    """A cost of a candidate, which is a column of candidates.csv: its title, its unit, and the divisor for that unit."""

    title: str
    unit: str
    scale: float


COSTS = {
    "macs": Cost("multiply-adds", "M", 1e6),
    "params": Cost("parameters", "M", 1e6),
    "latency_ms": Cost("latency", "ms", 1.0),
    "memory_bytes": Cost("memory", "MiB", 2.0**20),
}


def cost_named(name: str) -> Cost:
    """SearchError for a name that is not one of the costs."""
    if name not in COSTS:
        raise SearchError(f"{name!r} is not a cost of a candidate; give one of {', '.join(COSTS)}")
    return COSTS[name]


def with_unit(name: str, value: float) -> str:
    """A cost with its unit: 1473000000 macs as "1.47 G", a latency as "5.2 ms"."""
    cost = COSTS[name]
    return count(value) if cost.unit == "M" else f"{value / cost.scale:.3g} {cost.unit}"


@contextmanager
def figure_at(path: str | PathLike[str], *, width: float, height: float) -> "Iterator[Figure]":
    """An empty figure, so many inches wide and high, which is written to a .png or .svg at the end of the block. SearchError
    where it cannot be written."""
    path = Path(path)
    if path.suffix not in FORMATS:
        raise SearchError(f"{path}: figures are written as {' or '.join(FORMATS)}")
    with canvas(width, height) as figure:
        yield figure
        drawn = rendered(figure, path.suffix)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(drawn)
    except OSError as error:
        raise SearchError(f"{path} cannot be written: {error.strerror}") from None


@contextmanager
def canvas(width: float, height: float) -> "Iterator[Figure]":
    """An empty figure, under our own settings of matplotlib."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context():
        mpl.rcdefaults()
        # Browsers that lack matplotlib's font have the one that it is modelled on.
        mpl.rcParams["font.sans-serif"] = ["DejaVu Sans", "Verdana", "sans-serif"]
        mpl.rcParams["text.parse_math"] = False  # a name may hold two dollars
        mpl.rcParams["svg.fonttype"] = "none"  # text stays text, which can be searched
        mpl.rcParams["svg.hashsalt"] = "glocal"  # the same figure is the same file
        yield Figure(figsize=(width, height), dpi=150)


def rendered(figure: "Figure", suffix: str) -> bytes:
    """The figure as the bytes of a .png or an .svg."""
    file = BytesIO()
    figure.savefig(file, format=suffix[1:], metadata={"Date": None} if suffix == ".svg" else None)
    return file.getvalue()

"""Costs of candidates as the figures and tables of a search show them, and the files that figures are written to."""

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from glocal.canvas import canvas, rendered
from glocal.design.text import count
from glocal.errors import SearchError
from glocal.files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
    for another name, RunError where it cannot be written."""
    path = Path(path)
    if path.suffix not in FORMATS:
        raise SearchError(f"{path}: figures are written as {' or '.join(FORMATS)}")
    with canvas(width, height, dpi=150) as figure:
        yield figure
        write_whole(path, rendered(figure, path.suffix))

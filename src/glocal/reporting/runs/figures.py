"""Figures of a run as SVG, in the colours of the page: learning curves, and how often probabilities come true."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

from glocal.evaluation.calibration.errors import Bin
from glocal.intervals import count_interval, wilson
from glocal.reporting.numbers import round_ticks

FONT = 'font-family="system-ui, DejaVu Sans, sans-serif" font-size="13"'
LEFT, RIGHT, TOP, BELOW = 58, 16, 14, 42


class Line(NamedTuple):
    """Values after each epoch, drawn in a colour of the page ("blue", "red")."""

    name: str
    values: Sequence[float]
    colour: str
    dashed: bool = False


@dataclass(frozen=True)
class Axes:
    """A rectangle with a scale on each side: x from 0 to 1, y between two ends."""

    width: int
    height: int
    low: float
    high: float

    def x(self, share: float) -> float:
        """From the left end, 0, to the right end, 1."""
        return LEFT + share * (self.width - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Downward, as SVG counts."""
        return TOP + (self.high - value) / (self.high - self.low) * (self.height - TOP - BELOW)

    def grid(self, ticks: Sequence[float], unit: str) -> Iterator[str]:
        """A line and a number for each tick."""
        for tick in ticks:
            y = self.y(tick)
            yield f'<line class="grid" x1="{LEFT}" x2="{self.width - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            yield f'<text class="tick" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:g}{unit}</text>'


def loss_svg(train: Sequence[float], val: Sequence[float]) -> str:
    """Loss on training and validation pictures after each epoch."""
    return _epochs(
        "loss after each epoch", [Line("train, as augmented", train, "blue"), Line("validation", val, "red", True)]
    )


def accuracy_svg(top1: Sequence[float], n: int) -> str:
    """Accuracy on n validation pictures after each epoch, with its 95 % interval as a band; fractions in [0, 1]."""
    band = [wilson(value, n) for value in top1]
    line = Line("validation top-1, with its 95 % interval", [100 * value for value in top1], "blue")
    return _epochs(
        "accuracy after each epoch", [line], unit=" %", band=[(100 * low, 100 * high) for low, high in band], best=True
    )


def _epochs(
    title: str,
    lines: Sequence[Line],
    *,
    unit: str = "",
    band: Sequence[tuple[float, float]] = (),
    best: bool = False,
) -> str:
    values = [value for line in lines for value in line.values if math.isfinite(value)]
    if not values:
        return ""
    ends = [*values, *(end for pair in band for end in pair)]
    ticks = round_ticks(min(ends), max(ends))
    axes, n = Axes(520, 300, ticks[0], ticks[-1]), max(len(line.values) for line in lines)

    def x(i: int) -> float:
        return axes.x(i / (n - 1) if n > 1 else 0.5)

    parts = [f'<svg viewBox="0 0 {axes.width} {axes.height}" role="img" {FONT}>', f"<title>{escape(title)}</title>"]
    parts += axes.grid(ticks, unit)
    if band:
        above = [f"{x(i):.1f},{axes.y(high):.1f}" for i, (_, high) in enumerate(band)]
        below = [f"{x(i):.1f},{axes.y(low):.1f}" for i, (low, _) in enumerate(band)]
        parts.append(f'<polygon class="band" points="{" ".join([*above, *below[::-1]])}"/>')
    for i, line in enumerate(lines):
        points = [(x(j), axes.y(value)) for j, value in enumerate(line.values) if math.isfinite(value)]
        dash = ' stroke-dasharray="6 3"' if line.dashed else ""
        joined = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        parts.append(f'<polyline class="line {line.colour}" points="{joined}"{dash}/>')
        if len(points) <= 30:
            parts += [f'<circle class="dot {line.colour}" cx="{a:.1f}" cy="{b:.1f}" r="2.5"/>' for a, b in points]
        place = LEFT + i * 190
        parts.append(f'<path class="line {line.colour}" d="M{place},{axes.height - 8}h22"{dash}/>')
        parts.append(f'<text x="{place + 28}" y="{axes.height - 4}">{escape(line.name)}</text>')
    if best:
        (line,) = lines
        i = max(range(len(line.values)), key=line.values.__getitem__)
        parts.append(f'<circle class="best" cx="{x(i):.1f}" cy="{axes.y(line.values[i]):.1f}" r="5"/>')
    parts.append(f'<text class="tick" x="{x(0):.1f}" y="{axes.height - 25}">epoch 1</text>')
    parts.append(
        f'<text class="tick" x="{x(n - 1):.1f}" y="{axes.height - 25}" text-anchor="end">{n}</text>' if n > 1 else ""
    )
    return "".join([*parts, "</svg>"])


def reliability_svg(bins: Sequence[Bin]) -> str:
    """The share that came true, with its 95 % interval, against the predicted probability; on the diagonal both are the same."""
    if not bins:
        return ""
    axes = Axes(420, 380, 0, 100)
    parts = [f'<svg viewBox="0 0 {axes.width} {axes.height}" role="img" {FONT}>', "<title>reliability</title>"]
    parts += axes.grid((0, 20, 40, 60, 80, 100), " %")
    corners = f'x1="{axes.x(0):.1f}" y1="{axes.y(0):.1f}" x2="{axes.x(1):.1f}" y2="{axes.y(100):.1f}"'
    parts.append(f'<line class="diagonal" {corners}/>')
    most = max(each.n for each in bins)
    for each in bins:
        x, (low, high), share = (
            axes.x(each.confidence),
            count_interval(round(each.accuracy * each.n), each.n),
            each.accuracy,
        )
        ends = f'y1="{axes.y(100 * low):.1f}" y2="{axes.y(100 * high):.1f}"'
        parts.append(f'<line class="line blue" x1="{x:.1f}" x2="{x:.1f}" {ends}/>')
        size = 3 + 5 * math.sqrt(each.n / most)
        parts.append(
            f'<circle class="dot blue" cx="{x:.1f}" cy="{axes.y(100 * share):.1f}" r="{size:.1f}">'
            f"<title>{each.n:,} predictions with {each.confidence:.1%} on average; {share:.1%} came true</title></circle>"
        )
    y = axes.height - 25
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        parts.append(f'<text class="tick" x="{axes.x(share):.1f}" y="{y}" text-anchor="{anchor}">{share:.0%}</text>')
    middle = f'x="{axes.x(0.5):.1f}" y="{axes.height - 6}" text-anchor="middle"'
    parts.append(f'<text class="tick" {middle}>predicted probability</text>')
    return "".join([*parts, "</svg>"])

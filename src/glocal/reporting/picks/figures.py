"""Figures of a pick as SVG: the race, a lane a candidate with where and why it went, and accuracy against latency."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

from glocal.reporting.numbers import round_ticks
from glocal.reporting.studies.figures import FONT, WIDTH

COLOURS = {"picked": "#009E73", "finalist": "#0072B2", "behind": "#D55E00", "forced": "#666666"}
NAMES, END = 250, 560  # where the lanes begin and end, pixels
LANE = 26
LEFT, RIGHT, HEIGHT = 70, 40, 420  # of the other figure


class Lane(NamedTuple):
    """A candidate of the race: its epochs, what became of it ("picked", "finalist", "behind", "forced"), and a note."""

    name: str
    epochs: int
    kind: str
    note: str


class Point(NamedTuple):
    """A candidate on the front's figure: milliseconds, points behind the leader with the interval, and its kind."""

    name: str
    latency_ms: float
    difference: float
    low: float
    high: float
    kind: str
    front: bool


def race_svg(lanes: Sequence[Lane], *, rungs: Sequence[int], horizon: int) -> str:
    """A lane a candidate, as long as its training with the first seed; the rungs are lines. Epochs are on a logarithmic scale."""
    if not lanes:
        return ""
    height = LANE * len(lanes) + 50

    def x(epochs: float) -> float:
        return NAMES + math.log1p(epochs) / math.log1p(horizon) * (END - NAMES)

    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img" {FONT}>', "<title>who was dropped, when and why</title>"]
    for epochs in sorted({*rungs, horizon}):
        parts.append(f'<line x1="{x(epochs):.1f}" x2="{x(epochs):.1f}" y1="24" y2="{height - 18}" stroke="#ccc"/>')
        parts.append(f'<text x="{x(epochs):.1f}" y="16" text-anchor="middle" fill="#666">{epochs}</text>')
    parts.append(f'<text x="{NAMES - 12}" y="16" text-anchor="end" fill="#666">epochs</text>')
    for i, lane in enumerate(lanes):
        y, colour, end = LANE * i + 42, COLOURS[lane.kind], x(lane.epochs)
        parts.append(f'<text x="{NAMES - 12}" y="{y + 4}" text-anchor="end">{escape(lane.name)}</text>')
        parts.append(f'<line x1="{NAMES}" x2="{end:.1f}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="5"/>')
        parts.append(_mark(lane.kind, x=end, y=y, colour=colour))
        parts.append(f'<text x="{END + 18}" y="{y + 4}" fill="{colour}">{escape(lane.note)}</text>')
    return "".join([*parts, "</svg>"])


def _mark(kind: str, *, x: float, y: float, colour: str) -> str:
    """A cross where a candidate was behind, a bar where the time or the places forced it out, a dot where it came to the end."""
    if kind == "behind":
        return f'<path d="M{x - 5:.1f},{y - 5}l10,10m0,-10l-10,10" stroke="{colour}" stroke-width="3"/>'
    if kind == "forced":
        return f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y - 8}" y2="{y + 8}" stroke="{colour}" stroke-width="3"/>'
    return f'<circle cx="{x:.1f}" cy="{y}" r="{8 if kind == "picked" else 6}" fill="{colour}"/>'


@dataclass(frozen=True)
class _Axes:
    """Where milliseconds, on a logarithmic scale, and points of accuracy lie in the figure."""

    low_ms: float
    high_ms: float
    ticks: Sequence[float]

    def x(self, ms: float) -> float:
        return LEFT + math.log(ms / self.low_ms) / math.log(self.high_ms / self.low_ms) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        low, high = self.ticks[0], self.ticks[-1]
        return 20 + (high - min(max(value, low), high)) / (high - low) * (HEIGHT - 70)


def front_svg(points: Sequence[Point], *, limit_ms: float | None) -> str:
    """Points of accuracy to the best over milliseconds; the line joins the front."""
    if not points:
        return ""
    times = [*(p.latency_ms for p in points), *([limit_ms] if limit_ms else [])]
    ticks = tuple(round_ticks(min(p.difference for p in points), max(0.5, *(p.difference for p in points))))
    axes = _Axes(min(times) / 1.15, max(times) * 1.15, ticks)
    line = " ".join(f"{axes.x(p.latency_ms):.1f},{axes.y(p.difference):.1f}" for p in points if p.front)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" {FONT}>',
        "<title>accuracy against latency</title>",
        *_grid(axes, limit_ms=limit_ms),
        f'<polyline points="{line}" fill="none" stroke="#1a1a1a" stroke-width="1.2"/>',
        *(part for p in points for part in _dot(p, axes)),
    ]
    return "".join([*parts, "</svg>"])


def _grid(axes: _Axes, *, limit_ms: float | None) -> Iterator[str]:
    for tick in axes.ticks:
        y = axes.y(tick)
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e2e2e2"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#666">{tick:+g}</text>'
    for ms in _milliseconds(axes.low_ms, axes.high_ms):
        yield f'<text x="{axes.x(ms):.1f}" y="{HEIGHT - 28}" text-anchor="middle" fill="#666">{ms:g} ms</text>'
    if limit_ms:
        at = f"{axes.x(limit_ms):.1f}"
        yield f'<line x1="{at}" x2="{at}" y1="20" y2="{HEIGHT - 50}" stroke="#1a1a1a" stroke-dasharray="5 4"/>'


def _dot(p: Point, axes: _Axes) -> Iterator[str]:
    x, y, colour = axes.x(p.latency_ms), axes.y(p.difference), COLOURS[p.kind]
    low, high, fill = axes.y(p.low), axes.y(p.high), colour if p.front else "#fff"
    shown = escape(f"{p.name}: {p.latency_ms:.2f} ms, {p.difference:+.1f} points")
    yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}" stroke="{colour}" opacity=".45"/>'
    yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="{fill}" stroke="{colour}" stroke-width="2">'
    yield f"<title>{shown}</title></circle>"
    if p.front:
        side, shift = ("end", -12) if x > WIDTH - 240 else ("start", 12)
        yield f'<text x="{x + shift:.1f}" y="{y - 9:.1f}" text-anchor="{side}">{escape(p.name)}</text>'


def _milliseconds(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten between two times."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [m * 10.0**p for p in powers for m in (1, 2, 5) if low <= m * 10.0**p <= high]

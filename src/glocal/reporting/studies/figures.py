"""Figures of a study as SVG: an interval for each comparison with the paper's difference beside it, and learning curves."""

from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import NamedTuple

from glocal.reporting.numbers import round_ticks

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#666666", "#8C510A", "#5E3C99", "#1B7837")
KINDS = {"good": "#009E73", "bad": "#D55E00", "same": "#0072B2", "open": "#666666"}
WIDTH, LABELS, RIGHT, LINE = 960, 300, 20, 30
FONT = 'font-family="system-ui, DejaVu Sans, sans-serif" font-size="13"'


class Row(NamedTuple):
    """A comparison: difference and interval in points, the paper's difference, and what was found ("good", "bad", ...)."""

    name: str
    mean: float
    low: float
    high: float
    printed: float | None
    kind: str


class Curve(NamedTuple):
    """Accuracy after each epoch, as fractions."""

    name: str
    values: Sequence[float]


def intervals_svg(rows: Sequence[Row]) -> str:
    """A forest plot: a dot and an interval a row, a diamond where the paper's difference is, and a line at no difference."""
    if not rows:
        return ""
    ends = [end for row in rows for end in (row.low, row.high, row.printed) if end is not None]
    # A comparison of few seeds may have an interval of a hundred points; the axis shows what matters and marks the rest.
    most = min(max(1.0, *(abs(end) for end in ends)), max(10.0, 3 * max(abs(r.printed or r.mean) for r in rows)))
    ticks = list(round_ticks(-most, most))
    low, high = ticks[0], ticks[-1]
    height = LINE * len(rows) + 50

    def x(value: float) -> float:
        return LABELS + (min(max(value, low), high) - low) / (high - low) * (WIDTH - LABELS - RIGHT)

    parts = [
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" {FONT}>',
        "<title>difference in points of accuracy</title>",
    ]
    for tick in ticks:
        colour = "#1a1a1a" if tick == 0 else "#e2e2e2"
        parts.append(f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="6" y2="{height - 40}" stroke="{colour}"/>')
        parts.append(f'<text x="{x(tick):.1f}" y="{height - 22}" text-anchor="middle" fill="#666">{tick:+g}</text>')
    parts.append(f'<text x="{x(0):.1f}" y="{height - 4}" text-anchor="middle" fill="#666">points of accuracy</text>')
    for i, row in enumerate(rows):
        parts += _interval(row, x=x, y=LINE * i + 24, ends=(low, high))
    return "".join([*parts, "</svg>"])


def _interval(row: Row, *, x: Callable[[float], float], y: float, ends: tuple[float, float]) -> Iterator[str]:
    colour = KINDS[row.kind]
    yield f'<text x="{LABELS - 12}" y="{y + 4}" text-anchor="end">{escape(_short(row.name))}</text>'
    yield f'<line x1="{x(row.low):.1f}" x2="{x(row.high):.1f}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="4"/>'
    for end, beyond, sign in ((row.low, row.low < ends[0], "◂"), (row.high, row.high > ends[1], "▸")):
        if beyond:
            yield f'<text x="{x(end):.1f}" y="{y + 5}" text-anchor="middle" fill="{colour}">{sign}</text>'
    yield f'<circle cx="{x(row.mean):.1f}" cy="{y}" r="6" fill="{colour}"/>'
    if row.printed is not None:
        at = x(row.printed)
        shape = f"M{at:.1f},{y - 7}l6,7l-6,7l-6,-7z"
        yield f'<path d="{shape}" fill="#fff" stroke="#1a1a1a" stroke-width="1.5"/>'


def _short(text: str, most: int = 42) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def curves_svg(curves: Sequence[Curve]) -> str:
    """Accuracy over epochs, a line an arm, with the names at the right."""
    drawn = [curve for curve in curves if len(curve.values) > 1]
    if not drawn:
        return ""
    longest = max(len(curve.values) for curve in drawn)
    ticks = list(round_ticks(100 * min(min(c.values) for c in drawn), 100 * max(max(c.values) for c in drawn)))
    low, high, height, left, right = ticks[0], ticks[-1], max(320, 22 * len(drawn) + 60), 50, 260

    def at(epoch: int, value: float) -> str:
        x = left + epoch / (longest - 1) * (WIDTH - left - right)
        return f"{x:.1f},{20 + (high - 100 * value) / (high - low) * (height - 70):.1f}"

    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img" {FONT}>', "<title>accuracy after each epoch</title>"]
    for tick in ticks:
        y = 20 + (high - tick) / (high - low) * (height - 70)
        parts.append(f'<line x1="{left}" x2="{WIDTH - right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e2e2e2"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#666">{tick:g} %</text>')
    parts.append(f'<text x="{left}" y="{height - 28}" fill="#666">epoch 1</text>')
    parts.append(f'<text x="{WIDTH - right}" y="{height - 28}" text-anchor="end" fill="#666">epoch {longest}</text>')
    for i, curve in enumerate(sorted(drawn, key=lambda c: -c.values[-1])):
        colour, dash = COLOURS[i % len(COLOURS)], "" if i < len(COLOURS) else ' stroke-dasharray="6 3"'
        line = " ".join(at(epoch, value) for epoch, value in enumerate(curve.values))
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        y, key = 30 + 22 * i, WIDTH - right + 14
        parts.append(f'<path d="M{key},{y - 4}h20" stroke="{colour}" stroke-width="3"{dash}/>')
        parts.append(f'<text x="{WIDTH - right + 40}" y="{y}">{escape(_short(curve.name, 32))}</text>')
    return "".join([*parts, "</svg>"])

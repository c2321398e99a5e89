"""A network as a row of blocks, each divided into its global and its local heads, in the manner of GLiT's Figure 5.

Everything is computed from the ops of the blocks' sentences, so that the words of every family can be drawn.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from os import PathLike
from typing import TYPE_CHECKING, Any

from glocal.canvas import BLUE, GREEN, GREY, VERMILLION, canvas, rendered
from glocal.design import Architecture, Grid, Part, Shape, Tokens, cost, parts
from glocal.design.cost import part_cost
from glocal.design.text import count
from glocal.reporting.figures import figure_at
from glocal.reporting.locality import Locality, Strand, letters, locality

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

A_LINE = 14  # blocks side by side; more begin another line
# In inches: the width of a column, the gap before a stage, the heights of the bracket, the channels, the feed-forward and the
# costs, and the gap between two lines.
COLUMN, GAP, ABOVE, HEADS, FEED, COST, BETWEEN = 0.86, 0.22, 0.66, 1.5, 0.3, 0.62, 0.2
LEFT, TOP, LEGEND = 0.75, 0.55, 0.75
NOTE = (
    "d_k: width of the queries, all heads together.  K: kernel.  E: width inside the convolution over outside.\n"
    "d_z: width inside the feed-forward over outside.  Numbers of blocks count from 0, from the input on"
)
INSIDE: dict[str, Any] = {"fontsize": 7.5, "ha": "center", "va": "center", "linespacing": 1.25}


@dataclass(frozen=True)
class _Column:
    """A block; whether it is the `first` of its stage, and whether it is `named`, because its stage has several words."""

    number: int
    part: Part
    block: Locality
    stage: int
    first: bool
    named: bool

    @property
    def word(self) -> str:
        return type(self.part.word).__name__


def draw_network(arch: Architecture, path: str | PathLike[str]) -> None:
    """Writes the picture to a .png or an .svg."""
    lines = _lines(arch)
    width, height = _size(lines)
    with figure_at(path, width=width, height=height) as figure:
        _draw(figure, arch, lines)


def network_svg(arch: Architecture) -> str:
    """The picture as the text of an SVG."""
    lines = _lines(arch)
    with canvas(*_size(lines)) as figure:
        _draw(figure, arch, lines)
        return rendered(figure, ".svg").decode()


def _lines(arch: Architecture) -> list[list[_Column]]:
    """The blocks on as many lines as they need, of equal length where possible."""
    blocks = iter(locality(arch))
    columns: list[_Column] = []
    stage = -1
    for path, part in parts(arch):
        if ".blocks." in path:
            here = int(path.split(".")[1])
            several = len({type(block) for block in arch.stages[here].blocks}) > 1
            columns.append(_Column(len(columns), part, next(blocks), here, here != stage, several))
            stage = here
    long = -(-len(columns) // max(1, -(-len(columns) // A_LINE)))
    return [columns[i : i + long] for i in range(0, len(columns), long)] or [[]]


def _size(lines: Sequence[Sequence[_Column]]) -> tuple[float, float]:
    widest = max(len(line) * COLUMN + GAP * sum(_apart(column, line) for column in line) for line in lines)
    return max(LEFT + widest + 0.2, 8.6), TOP + _tall(lines) * len(lines) + LEGEND


def _apart(column: _Column, line: Sequence[_Column]) -> bool:
    """Whether there is a gap before a column: at the start of a stage or of a line."""
    return column.first or column is line[0]


def _feed(lines: Sequence[Sequence[_Column]]) -> float:
    """The height of the row of feed-forwards; 0 for a network that has none."""
    return FEED + 0.08 if any(column.block.feed is not None for line in lines for column in line) else 0.0


def _tall(lines: Sequence[Sequence[_Column]]) -> float:
    return ABOVE + HEADS + _feed(lines) + COST + BETWEEN


def _draw(figure: "Figure", arch: Architecture, lines: Sequence[Sequence[_Column]]) -> None:
    width, height = figure.get_size_inches()
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)  # inches, downward
    axes.set_axis_off()
    total = cost(arch)
    axes.text(0.2, 0.28, arch.name, fontsize=13, weight="bold", va="center")
    size = f"{count(total.params)} parameters, {count(total.macs)} multiply-adds, pictures of {arch.image.h}×{arch.image.w}"
    axes.text(width - 0.2, 0.28, size, fontsize=9, va="center", ha="right", color="#333333")
    most = max((part_cost(c.part).macs for line in lines for c in line), default=0)
    feed = _feed(lines)
    for i, line in enumerate(lines):
        y = TOP + _tall(lines) * i
        x = LEFT
        _row_names(axes, y + ABOVE, feed=feed)
        for column in line:
            if _apart(column, line):
                x += GAP
                _stage(axes, x, y, [c for c in line if c.stage == column.stage])
            _block(axes, x, y + ABOVE, column, feed=feed, most=most)
            x += COLUMN
    _legend(axes, arch, height)


def _row_names(axes: "Axes", y: float, *, feed: float) -> None:
    names = ("channels", HEADS / 2), ("multiply-\nadds", HEADS + feed + COST / 2)
    for text, below in (*names, ("feed-\nforward", HEADS + (feed + 0.08) / 2)) if feed else names:
        axes.text(LEFT, y + below, text, fontsize=7.5, ha="right", va="center", color=GREY)


def _stage(axes: "Axes", x: float, y: float, here: Sequence[_Column]) -> None:
    """The bracket over the blocks of a stage, with their word, if they have only one, and the shape of their output."""
    end = x + len(here) * COLUMN - 0.06
    axes.plot([x, x, end, end], [y + 0.49, y + 0.41, y + 0.41, y + 0.49], color=GREY, lw=0.9)
    word = "" if here[0].named else here[0].word
    middle, above = (x + end) / 2, word if len(here) > 1 else _on_two_lines(word)
    axes.text(middle, y + 0.24, above, fontsize=7.5, ha="center", va="bottom", linespacing=1)
    shape = _shape(here[0].part.left, short=len(here) == 1)
    axes.text(middle, y + 0.32, shape, fontsize=7.5, color=GREY, ha="center", va="center")


def _block(axes: "Axes", x: float, y: float, column: _Column, *, feed: float, most: int) -> None:
    wide = COLUMN - 0.06
    top = y
    widest = max(column.block.strands, key=lambda strand: strand.share)
    for strand in column.block.strands:
        tall = HEADS * strand.share
        _box(axes, x, top, wide, tall, _colour(strand))
        for i in range(1, heads := _heads(column, strand)):  # notches at the sides, so that the text stays readable
            at = top + i * tall / heads
            axes.hlines([at, at], [x, x + wide - 0.06], [x + 0.06, x + wide], color="white", lw=0.8)
        axes.text(x + wide / 2, top + tall / 2, _inside(strand, tall), color="white", **INSIDE)
        if column.named and strand is widest:
            word: dict[str, Any] = {"fontsize": 6.5, "ha": "center", "va": "top", "style": "italic"}
            axes.text(x + wide / 2, top + 0.07, _on_two_lines(column.word), color="white", **word)
        top += tall
    if column.block.feed is not None:
        _box(axes, x, top + 0.08, wide, FEED, "#E4E4E4")
        axes.text(x + wide / 2, top + 0.08 + FEED / 2, f"d_z {column.block.feed:g}", color="#222222", **INSIDE)
    macs = part_cost(column.part).macs
    foot, tall = y + HEADS + feed + COST - 0.2, (COST - 0.3) * macs / most if most else 0
    _box(axes, x + 0.12, foot - tall, wide - 0.24, tall, "#B8B8B8")
    axes.text(x + wide / 2, foot + 0.09, count(macs), fontsize=7, ha="center", va="center", color="#333333")
    axes.text(x + wide / 2, y - 0.09, str(column.number), fontsize=7.5, ha="center", va="center", color=GREY)


def _on_two_lines(word: str) -> str:
    """A long word on two lines, broken before its last capital."""
    return re.sub(r"(?<=.)(?=[A-Z][a-z]+$)", "\n", word) if len(word) > 9 else word


def _box(axes: "Axes", x: float, y: float, width: float, height: float, colour: str) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((x, y), width, height, facecolor=colour, edgecolor="white", lw=1.2))


def _colour(strand: Strand) -> str:
    return BLUE if strand.everywhere else GREEN if strand.attention else VERMILLION


def _heads(column: _Column, strand: Strand) -> int:
    """The number of heads of a strand; a convolution in a block without heads counts as one."""
    local = getattr(column.part.word, "local", 0)
    return strand.heads or (local if isinstance(local, int) else 0) or 1


def _inside(strand: Strand, tall: float) -> str:
    """The fields with the paper's letters (Table 2), on as many lines as fit."""
    return "\n".join(list(_fields(strand))[: max(1, int(tall / 0.145))])


def _fields(strand: Strand) -> Iterator[str]:
    if strand.heads:
        yield f"d_k {strand.heads * strand.head_dim}"
    if strand.attention:
        yield f"area {strand.rows:g}×{strand.columns:g}"
    if strand.kernel > 1:
        yield f"K {strand.kernel}" if strand.rows == 1 else f"K {strand.kernel}×{strand.kernel}"
    if strand.expansion is not None:
        yield f"E {strand.expansion:g}"
    if strand.heads:
        yield f"{strand.heads} heads" if strand.heads > 1 else "1 head"


def _shape(shape: Shape, *, short: bool = False) -> str:
    if isinstance(shape, Tokens):
        extra = f" + {shape.extra}" if shape.extra else ""
        return f"{shape.c}, {shape.h}×{shape.w}" if short else f"{shape.c} wide, {shape.h}×{shape.w}{extra} tokens"
    if isinstance(shape, Grid):
        return f"{shape.c}{',' if short else ' wide,'} {shape.h}×{shape.w}"
    return str(shape)


def _legend(axes: "Axes", arch: Architecture, height: float) -> None:
    strands = {_colour(strand) for block in locality(arch) for strand in block.strands}
    meanings = ((BLUE, "attend globally"), (GREEN, "attend within an area"), (VERMILLION, "convolve locally"))
    x, y = LEFT, height - 0.6
    for colour, text in meanings:
        if colour in strands:
            _box(axes, x, y - 0.07, 0.2, 0.14, colour)
            axes.text(x + 0.26, y, text, fontsize=8, va="center")
            x += 1.75
    sequence = letters(arch)
    runs = ((letter, len(list(run))) for letter, run in groupby(sequence))
    text = " ".join(sequence) if len(sequence) < 17 else " ".join(f"{n} {letter}" for letter, n in runs)
    axes.text(x, y, f"{text}   (all heads global, all local, or some of each: X)", fontsize=7, va="center", color=GREY)
    axes.text(LEFT, height - 0.26, NOTE, fontsize=7, va="center", color=GREY)

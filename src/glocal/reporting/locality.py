"""How local or global each block of an architecture is, computed from its ops. `network_picture` draws it.

The measures are ours. For GLiT's blocks `share` is G / (G + L), the share of global heads (Chen et al. 2021), and the letters of
GLiT-Tiny are those that its authors released.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Literal

from glocal.design import (
    Act,
    Architecture,
    Attention,
    Conv,
    Conv1d,
    Depthwise,
    Depthwise1d,
    Dropout,
    Linear,
    Op,
    Part,
    Sentence,
    Shape,
    Split,
    Vector,
    parts,
)
from glocal.design.op import read, steps

Kind = Literal["global", "local", "mixed"]


@dataclass(frozen=True)
class Strand:
    """Some of a block's channels, and the positions from which one position of them computes.

    share: of the block's channels.
    everywhere: whether they attend to all positions.
    rows, columns: otherwise the window, in positions of the block's output; along tokens it has one row.
    attention: whether the window is an area of attention.
    heads, head_dim: of the attention.
    kernel: of the largest convolution.
    expansion: channels inside the depthwise convolution over those outside (GLiT's E).
    """

    share: float
    everywhere: bool = False
    rows: float = 1
    columns: float = 1
    attention: bool = False
    heads: int = 0
    head_dim: int = 0
    kernel: int = 0
    expansion: float | None = None


@dataclass(frozen=True)
class Locality:
    """How local or global one block is.

    share: of its channels that attend to all positions, 0 to 1.
    seen: the share of all positions from which one position computes, as the mean over the channels: 1 for global attention; the
        window over the number of positions for convolutions and for attention in areas.
    stride: pixels of the picture from one position to the next.
    feed: inner width of the feed-forward over its outer one (GLiT's d_z); None where there is none.
    """

    path: str
    share: float
    seen: float
    stride: float
    strands: tuple[Strand, ...] = field(repr=False)
    feed: float | None = None

    @property
    def kind(self) -> Kind:
        """ "global" where all channels attend to all positions, "local" where none does."""
        return "mixed" if 0 < self.share < 1 else "global" if self.share else "local"

    @property
    def window(self) -> tuple[int, int] | None:
        """Rows and columns of positions that the local channels read; None where there are none."""
        near = [s for s in self.strands if not s.everywhere]
        return (ceil(max(s.rows for s in near)), ceil(max(s.columns for s in near))) if near else None


def locality(arch: Architecture) -> tuple[Locality, ...]:
    """The blocks in forward order, without stem, downsampling and head.

    Squeeze-and-excitation and norms do not count: they weigh channels by statistics of the whole picture, but move nothing from
    one position to another. Pooling and the strides of a shortcut count as windows.
    """
    return tuple(_block(path, part, arch.image.h) for path, part in parts(arch) if ".blocks." in path)


def letters(arch: Architecture) -> str:
    """A letter for each block: G where all heads attend globally, L where none does, X where they are mixed."""
    return "".join({"global": "G", "local": "L", "mixed": "X"}[block.kind] for block in locality(arch))


def _block(path: str, part: Part, picture: int) -> Locality:
    strands = _strands(part.sentence, part.given)
    n = part.left.n
    seen = sum(s.share * (1 if s.everywhere else min(1.0, ceil(s.rows) * ceil(s.columns) / n)) for s in strands)
    share = sum(s.share for s in strands if s.everywhere)
    stride = 1 if isinstance(part.left, Vector) else picture / part.left.h
    return Locality(path, round(share, 12), seen, stride, strands, next(_feeds(part.sentence, part.given), None))


def _strands(sentence: Sentence, s: Shape) -> tuple[Strand, ...]:
    """All channels along a sentence. Two Splits in a row are treated as independent of each other."""
    strands: tuple[Strand, ...] = (Strand(1.0),)
    outside = read(sentence, s).c
    for _, op, given in steps(sentence, s):
        left = op.out(given)
        stride = 1.0 if isinstance(left, Vector) or isinstance(given, Vector) else given.h / left.h
        strands = tuple(_then(a, b, stride) for a in strands for b in _of(op, given, outside))
    return strands


def _of(op: Op, s: Shape, outside: int) -> tuple[Strand, ...]:
    """What one op reads, in positions of its output. `outside` is the width of its sentence's output."""
    if isinstance(op, Split):
        return tuple(
            replace(strand, share=strand.share * given.c / s.c)
            for _, sentence, given in op.inside(s)
            for strand in _strands(sentence, given)
        )
    if inside := op.inside(s):
        return _strands(inside[0][1], s)  # of a Residual, its branch
    window = op.window(s)
    rows, columns = window or (1, 1)
    strand = Strand(1.0, window is None, rows, columns)
    if isinstance(op, Attention):
        return (replace(strand, attention=not strand.everywhere, heads=op.heads, head_dim=op.head_dim),)
    if isinstance(op, Depthwise | Depthwise1d):
        return (replace(strand, kernel=op.kernel, expansion=s.c / outside),)
    return (replace(strand, kernel=op.kernel),) if isinstance(op, Conv | Conv1d) else (strand,)


def _then(a: Strand, b: Strand, stride: float) -> Strand:
    """What is read where b follows a, with a stride of `stride` positions of a's output."""
    return Strand(
        a.share * b.share,
        a.everywhere or b.everywhere,
        1 + (a.rows - 1) / stride + b.rows - 1,
        1 + (a.columns - 1) / stride + b.columns - 1,
        a.attention or b.attention,
        a.heads or b.heads,
        a.head_dim or b.head_dim,
        max(a.kernel, b.kernel),
        b.expansion if a.expansion is None else a.expansion,
    )


def _feeds(sentence: Sentence, s: Shape) -> Iterator[float]:
    """The inner width over the outer, of every two dense layers with an activation between them."""
    ops = [step for step in steps(sentence, s) if not isinstance(step[1], Dropout)]
    for i, (_, op, given) in enumerate(ops):
        after = [type(later) for _, later, _ in ops[i + 1 : i + 3]]
        if isinstance(op, Linear) and after == [Act, Linear]:
            yield op.width / given.c
        for _, inner, at in op.inside(given):
            yield from _feeds(inner, at)

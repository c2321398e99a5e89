"""How local and how global each block of an architecture is, read off the ops it spells. Drawing it is in `network_picture`.

The measures are ours. For GLiT's blocks `share` is G / (G + L), the share of global heads (Chen et al. 2021), and
the letters of GLiT-Tiny are those that its authors released.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Literal

from glocal.design import (
    Act,
    Architecture,
    AreaAttention,
    Attention,
    Conv,
    Conv1d,
    Depthwise,
    Depthwise1d,
    Dropout,
    Linear,
    Op,
    Part,
    Pool,
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
    """Some of a block's channels, and all the positions that one position of them reads.

    share: of the block's channels.
    everywhere: they attend to all positions.
    rows, columns: else the window, in positions of the shape that the block leaves; along the tokens it has one row.
    attention: the window is an area of attention.
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
    """One block.

    share: of its channels that attend to all positions, 0 to 1.
    seen: the share of all positions that one position reads, the mean over the channels: 1 for attention, the window over the
        number of positions for convolutions and for attention in areas, which so lies in between.
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

    Squeeze-excite and norms, which weigh channels by what the whole picture holds, move nothing between positions and do
    not count. Pooling and the strides of a shortcut count as windows.
    """
    return tuple(_block(path, part, arch.image.h) for path, part in parts(arch) if ".blocks." in path)


def letters(arch: Architecture) -> str:
    """A letter a block: G where all heads look globally, L where none does, X where they are mixed."""
    return "".join({"global": "G", "local": "L", "mixed": "X"}[block.kind] for block in locality(arch))


def _block(path: str, part: Part, picture: int) -> Locality:
    strands = _strands(part.sentence, part.given)
    n = part.left.n
    seen = sum(s.share * (1 if s.everywhere else min(1.0, ceil(s.rows) * ceil(s.columns) / n)) for s in strands)
    share = sum(s.share for s in strands if s.everywhere)
    stride = 1 if isinstance(part.left, Vector) else picture / part.left.h
    return Locality(path, round(share, 12), seen, stride, strands, next(_feeds(part.sentence, part.given), None))


def _strands(sentence: Sentence, s: Shape) -> tuple[Strand, ...]:
    """What becomes of all channels along a sentence. Two Splits in a row would be taken for independent of each other."""
    strands: tuple[Strand, ...] = (Strand(1.0),)
    outside = read(sentence, s).c
    for _, op, given in steps(sentence, s):
        left = op.out(given)
        stride = 1.0 if isinstance(left, Vector) or isinstance(given, Vector) else given.h / left.h
        strands = tuple(_then(a, b, stride) for a in strands for b in _of(op, given, outside))
    return strands


def _of(op: Op, s: Shape, outside: int) -> tuple[Strand, ...]:
    """What one op reads, in positions of what it leaves. `outside` is the width that its sentence leaves."""
    if isinstance(op, AreaAttention):
        return (Strand(1.0, False, op.rows, op.columns, True, op.heads, op.head_dim),)
    if isinstance(op, Attention):
        return (Strand(1.0, True, heads=op.heads, head_dim=op.head_dim),)
    if isinstance(op, Depthwise | Conv | Pool):
        window = 1 + (op.kernel - 1) / op.stride
        kernel = 0 if isinstance(op, Pool) else op.kernel
        expansion = s.c / outside if isinstance(op, Depthwise) else None
        return (Strand(1.0, False, window, window, kernel=kernel, expansion=expansion),)
    if isinstance(op, Depthwise1d | Conv1d):
        expansion = s.c / outside if isinstance(op, Depthwise1d) else None
        return (Strand(1.0, False, 1, op.kernel, kernel=op.kernel, expansion=expansion),)
    inside = op.inside(s)
    if isinstance(op, Split):
        return tuple(
            replace(strand, share=strand.share * given.c / s.c)
            for _, sentence, given in inside
            for strand in _strands(sentence, given)
        )
    return _strands(inside[0][1], s) if inside else (Strand(1.0),)  # of a Residual, its branch


def _then(a: Strand, b: Strand, stride: float) -> Strand:
    """What is read where b follows a and steps over `stride` positions that a leaves."""
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
    """Of every two dense layers with an activation between, the inner width over the outer."""
    said = [step for step in steps(sentence, s) if not isinstance(step[1], Dropout)]
    for i, (_, op, given) in enumerate(said):
        after = [type(later) for _, later, _ in said[i + 1 : i + 3]]
        if isinstance(op, Linear) and after == [Act, Linear]:
            yield op.width / given.c
        for _, inner, at in op.inside(given):
            yield from _feeds(inner, at)

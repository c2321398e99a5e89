"""The alphabet: every layer an architecture may be spelled with, as plain data.

An op answers three questions about the shape it is given, without a weight in memory: the shape it leaves behind (`out`),
the weights it learns (`params`) and the multiply-adds it does for one picture (`macs`). What is built from ops lives in
`architecture`; the torch module that computes an op lives in `glocal.net`.

`params` and `macs` are exact integers; one mac is one multiply and one add of a convolution,
matrix product or attention product. Norms, activations and pooling count none, as in PyTorch's own counter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

from glocal.design.shapes import Grid, Shape, Tokens, Vector
from glocal.errors import ArchitectureError, ShapeError

Sentence = tuple["Op", ...]


@dataclass(frozen=True)
class Op:
    """A layer that keeps its shape, learns nothing and multiplies nothing, unless it says otherwise."""

    def __post_init__(self) -> None:
        kind: Any = type(self)
        for name, allowed in _allowed(kind).items():
            value = getattr(self, name)
            if allowed and value not in allowed:
                raise ArchitectureError(f"{self}: {name} is one of {', '.join(allowed)}")
            if type(value) is int and value < (least := int(name != "padding")):
                raise ArchitectureError(f"{self}: {name} must be at least {least}")
            if name in ("rate", "dropout") and not 0 <= value < 1:
                raise ArchitectureError(f"{self}: {name} must be a rate in [0, 1)")

    def out(self, s: Shape) -> Shape:
        """The shape left behind; ShapeError where s cannot be read."""
        return s

    def params(self, s: Shape) -> int:
        """Learned weights; running statistics and fixed tables are not counted."""
        return sum(count_params(sentence, given) for _, sentence, given in self.inside(s))

    def macs(self, s: Shape) -> int:
        """Multiply-adds for one picture."""
        return sum(count_macs(sentence, given) for _, sentence, given in self.inside(s))

    def inside(self, s: Shape) -> tuple[tuple[str, Sentence, Shape], ...]:
        """The sentences a composite op is made of, each with its name and the shape it is given."""
        return ()


@cache
def _allowed(cls: Any) -> dict[str, tuple[str, ...]]:
    """The values that each field may take, where its type is a Literal; else nothing."""
    hints = get_type_hints(cls)
    return {f.name: get_args(hint) if get_origin(hint := hints[f.name]) is Literal else () for f in fields(cls)}


def _grid(op: Op, s: Shape) -> Grid:
    if not isinstance(s, Grid):
        raise ShapeError(f"{op} reads a grid, not {s}; put it before Flatten()")
    return s


def _tokens(op: Op, s: Shape) -> Tokens:
    if not isinstance(s, Tokens):
        raise ShapeError(f"{op} reads tokens, not {s}; put Flatten() before it")
    return s


def _positions(op: Op, s: Shape) -> Grid | Tokens:
    if isinstance(s, Vector):
        raise ShapeError(f"{op} reads positions, and the picture is already pooled to {s}")
    return s


# ------------------------------------------------------------------------------------------------------ convolutions

Padding = int | Literal["same"]


def _slide(op: Op, size: int, *, kernel: int, stride: int, padding: Padding) -> int:
    if padding != "same" and type(padding) is not int:
        raise ArchitectureError(f'{op}: padding is a number of pixels or "same"')
    total = kernel - 1 if padding == "same" else 2 * padding
    if size + total < kernel:
        raise ShapeError(f"{op} needs at least {kernel - total} pixels a side, not {size}; take a larger picture")
    return (size + total - kernel) // stride + 1


@dataclass(frozen=True)
class Conv(Op):
    """k x k convolution over a grid.

    padding "same" leaves ceil(size / stride) positions: k - 1 pixels in all, floor((k - 1) / 2) of them left and above,
    so an even kernel is padded unevenly (ConvMixer's k = 8: 3 before, 4 after).
    """

    width: int
    kernel: int = 1
    stride: int = 1
    padding: Padding = "same"
    groups: int = 1
    bias: bool = True

    def out(self, s: Shape) -> Grid:
        c, h, w = _grid(self, s)
        if c % self.groups or self.width % self.groups:
            raise ShapeError(f"{self}: {self.groups} groups do not divide {c} -> {self.width} channels")
        h, w = (_slide(self, m, kernel=self.kernel, stride=self.stride, padding=self.padding) for m in (h, w))
        return Grid(self.width, h, w)

    def params(self, s: Shape) -> int:
        return self.kernel**2 * s.c // self.groups * self.width + self.bias * self.width

    def macs(self, s: Shape) -> int:
        return self.kernel**2 * s.c // self.groups * self.width * self.out(s).n


@dataclass(frozen=True)
class Depthwise(Op):
    """One k x k filter for each channel of a grid; padding "same" as in Conv."""

    kernel: int
    stride: int = 1
    bias: bool = True

    def out(self, s: Shape) -> Grid:
        c, h, w = _grid(self, s)
        h, w = (_slide(self, m, kernel=self.kernel, stride=self.stride, padding="same") for m in (h, w))
        return Grid(c, h, w)

    def params(self, s: Shape) -> int:
        return s.c * (self.kernel**2 + self.bias)

    def macs(self, s: Shape) -> int:
        return s.c * self.kernel**2 * self.out(s).n


@dataclass(frozen=True)
class Patches(Op):
    """Linear embedding of p x p patches that do not overlap; the picture must divide into whole patches (ViT, Eq. 1)."""

    width: int
    patch: int

    def out(self, s: Shape) -> Grid:
        _, h, w = _grid(self, s)
        if h % self.patch or w % self.patch:
            near = " or ".join(f"{max(1, round(h / self.patch) + d) * self.patch}" for d in (0, 1))
            raise ShapeError(
                f"{h}x{w} pixels do not divide into {self.patch}x{self.patch} patches; take img_size {near}"
            )
        return Grid(self.width, h // self.patch, w // self.patch)

    def params(self, s: Shape) -> int:
        return (self.patch**2 * s.c + 1) * self.width

    def macs(self, s: Shape) -> int:
        return self.patch**2 * s.c * self.width * self.out(s).n


@dataclass(frozen=True)
class Pool(Op):
    """Maximum or average over k x k windows of a grid, floor mode."""

    kind: Literal["max", "average"]
    kernel: int
    stride: int
    padding: int = 0

    def out(self, s: Shape) -> Grid:
        c, h, w = _grid(self, s)
        if 2 * self.padding > self.kernel:
            raise ShapeError(f"{self}: padding is at most half the kernel, so that no window lies outside")
        h, w = (_slide(self, m, kernel=self.kernel, stride=self.stride, padding=self.padding) for m in (h, w))
        return Grid(c, h, w)


# ------------------------------------------------------------------------------------------------------ at every position


@dataclass(frozen=True)
class Linear(Op):
    """The same dense layer at every position: a 1 x 1 convolution on a grid."""

    width: int
    bias: bool = True

    def out(self, s: Shape) -> Shape:
        return s._replace(c=self.width)

    def params(self, s: Shape) -> int:
        return (s.c + self.bias) * self.width

    def macs(self, s: Shape) -> int:
        return s.c * self.width * s.n


@dataclass(frozen=True)
class Norm(Op):
    """Normalises each channel over batch and positions ("batch"), or each position over its channels ("layer")."""

    kind: Literal["batch", "layer"]
    eps: float = 1e-5

    def params(self, s: Shape) -> int:
        return 2 * s.c


@dataclass(frozen=True)
class Act(Op):
    """A function of each number alone; "gelu" is the exact (erf) form."""

    kind: Literal["relu", "gelu", "silu", "tanh"]


@dataclass(frozen=True)
class Dropout(Op):
    """Zeroes a share of the numbers in training."""

    rate: float


# ------------------------------------------------------------------------------------------------------ sequences


@dataclass(frozen=True)
class Flatten(Op):
    """Grid to tokens, row by row."""

    def out(self, s: Shape) -> Tokens:
        return Tokens(*_grid(self, s))


@dataclass(frozen=True)
class ClassToken(Op):
    """Puts one learned token in front."""

    def out(self, s: Shape) -> Tokens:
        s = _tokens(self, s)
        return s._replace(extra=s.extra + 1)

    def params(self, s: Shape) -> int:
        return s.c


@dataclass(frozen=True)
class LearnedPosition(Op):
    """Adds a learned table, one row a token.

    `std` is that of its initial truncated normal; `resize` how the rows of the grid are carried to another grid.
    """

    std: float = 0.02
    resize: Literal["bilinear", "bicubic"] = "bicubic"

    def out(self, s: Shape) -> Tokens:
        return _tokens(self, s)

    def params(self, s: Shape) -> int:
        return s.c * s.n


@dataclass(frozen=True)
class SinePosition(Op):
    """Adds a fixed sinusoid of the token's place in the sequence, class token included (Vaswani et al. 2017, 3.5)."""

    def out(self, s: Shape) -> Tokens:
        return _tokens(self, s)


@dataclass(frozen=True)
class Attention(Op):
    """Multi-head self-attention over all positions: softmax(q k' / sqrt(head_dim)) v, then a projection to `width`."""

    heads: int
    head_dim: int
    width: int
    bias: bool = True
    dropout: float = 0.0

    @property
    def inner(self) -> int:
        """Width of q, of k and of v, all heads together."""
        return self.heads * self.head_dim

    def out(self, s: Shape) -> Shape:
        return _positions(self, s)._replace(c=self.width)

    def params(self, s: Shape) -> int:
        return 3 * self.inner * (s.c + self.bias) + (self.inner + 1) * self.width

    def macs(self, s: Shape) -> int:
        return s.n * self.inner * (3 * s.c + self.width) + self.product_macs(s)

    def product_macs(self, s: Shape) -> int:
        """Multiply-adds of the two products of activations with activations: q k' and the weighted sum of v."""
        return 2 * s.n**2 * self.inner


# ------------------------------------------------------------------------------------------------------ pooling to a vector


@dataclass(frozen=True)
class Mean(Op):
    """Average over positions."""

    def out(self, s: Shape) -> Vector:
        return Vector(_positions(self, s).c)


@dataclass(frozen=True)
class First(Op):
    """The class token alone."""

    def out(self, s: Shape) -> Vector:
        if not _tokens(self, s).extra:
            raise ShapeError(f"{self} reads the class token, and there is none; put ClassToken() in the stem")
        return Vector(s.c)


@dataclass(frozen=True)
class SequencePool(Op):
    """Mean of the tokens weighted by a softmax over a learned score of each (Compact Transformers, SeqPool)."""

    def out(self, s: Shape) -> Vector:
        return Vector(_tokens(self, s).c)

    def params(self, s: Shape) -> int:
        return s.c + 1

    def macs(self, s: Shape) -> int:
        return 2 * s.c * s.n


# ------------------------------------------------------------------------------------------------------ composition


@dataclass(frozen=True)
class Residual(Op):
    """shortcut(x) + branch(x); the empty shortcut is x itself. Stochastic depth drops the branch."""

    branch: Sentence
    shortcut: Sentence = ()

    def out(self, s: Shape) -> Shape:
        branch, shortcut = read(self.branch, s), read(self.shortcut, s)
        if branch != shortcut:
            raise ShapeError(f"the branch of a Residual leaves {branch} but its shortcut leaves {shortcut}")
        return branch

    def inside(self, s: Shape) -> tuple[tuple[str, Sentence, Shape], ...]:
        return ("branch", self.branch, s), ("shortcut", self.shortcut, s)


def read(sentence: Sentence, s: Shape) -> Shape:
    """The shape a sentence leaves behind."""
    for op in sentence:
        s = op.out(s)
    return s


def count_params(sentence: Sentence, s: Shape) -> int:
    """Learned weights of a sentence."""
    return sum(op.params(given) for _, op, given in steps(sentence, s))


def count_macs(sentence: Sentence, s: Shape) -> int:
    """Multiply-adds of a sentence."""
    return sum(op.macs(given) for _, op, given in steps(sentence, s))


def steps(sentence: Sentence, s: Shape) -> Iterator[tuple[str, Op, Shape]]:
    """Each op of a sentence with its name and the shape it is given.

    The name is the kind with its ordinal (norm1, linear1, class_token1): the key of the op's weights in a checkpoint.
    """
    seen: dict[str, int] = {}
    for op in sentence:
        kind = _snake(type(op).__name__)
        seen[kind] = seen.get(kind, 0) + 1
        yield f"{kind}{seen[kind]}", op, s
        s = op.out(s)


@cache
def _snake(name: str) -> str:
    return re.sub(r"(?<=.)([A-Z])", r"_\1", name).lower()


def leaves(sentence: Sentence, s: Shape, path: str = "") -> Iterator[tuple[str, Op, Shape]]:
    """Like `steps`, with composite ops opened: their own sentences' ops under dotted names, and not themselves."""
    for name, op, given in steps(sentence, s):
        inside = op.inside(given)
        if not inside:
            yield path + name, op, given
        for part, inner, at in inside:
            yield from leaves(inner, at, f"{path}{name}.{part}.")

"""The alphabet, ops that make sequences of tokens, place them, and pool them to one vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from glocal.design.op import Op, Sizes, grid_of, positions_of, tokens_of
from glocal.design.shapes import Grid, Shape, Tokens, Vector
from glocal.errors import ShapeError


@dataclass(frozen=True)
class Flatten(Op):
    """Grid to tokens, row by row."""

    def out(self, s: Shape) -> Tokens:
        return Tokens(*grid_of(self, s))


@dataclass(frozen=True)
class Unflatten(Op):
    """Tokens to the grid that they came from; there must be no class token."""

    sizes: ClassVar[Sizes] = "one"

    def out(self, s: Shape) -> Grid:
        if (s := tokens_of(self, s)).extra:
            raise ShapeError(f"{self} has no place on the grid for a class token; leave ClassToken() out of the stem")
        return Grid(s.c, s.h, s.w)


@dataclass(frozen=True)
class ClassToken(Op):
    """Puts one learned token in front."""

    def out(self, s: Shape) -> Tokens:
        s = tokens_of(self, s)
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

    sizes: ClassVar[Sizes] = "one"

    def out(self, s: Shape) -> Tokens:
        return tokens_of(self, s)

    def params(self, s: Shape) -> int:
        return s.c * s.n


@dataclass(frozen=True)
class SinePosition(Op):
    """Adds a fixed sinusoid of the token's place in the sequence, class token included (Vaswani et al. 2017, 3.5)."""

    sizes: ClassVar[Sizes] = "one"

    def out(self, s: Shape) -> Tokens:
        return tokens_of(self, s)


@dataclass(frozen=True)
class Mean(Op):
    """Average over positions."""

    def out(self, s: Shape) -> Vector:
        return Vector(positions_of(self, s).c)


@dataclass(frozen=True)
class First(Op):
    """The class token alone."""

    def out(self, s: Shape) -> Vector:
        if not tokens_of(self, s).extra:
            raise ShapeError(f"{self} reads the class token, and there is none; put ClassToken() in the stem")
        return Vector(s.c)


@dataclass(frozen=True)
class SequencePool(Op):
    """Mean of the tokens weighted by a softmax over a learned score of each (Compact Transformers, SeqPool)."""

    def out(self, s: Shape) -> Vector:
        return Vector(tokens_of(self, s).c)

    def params(self, s: Shape) -> int:
        return s.c + 1

    def macs(self, s: Shape) -> int:
        return 2 * s.c * s.n

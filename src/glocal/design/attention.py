"""The alphabet, ops in which positions look at one another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from glocal.design.op import Op, grid_of, positions_of, tokens_of
from glocal.design.shapes import Grid, Shape, Tokens
from glocal.errors import ShapeError


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
        return positions_of(self, s)._replace(c=self.width)

    def params(self, s: Shape) -> int:
        return 3 * self.inner * (s.c + self.bias) + (self.inner + 1) * self.width

    def macs(self, s: Shape) -> int:
        return s.n * self.inner * (3 * s.c + self.width) + self.product_macs(s)

    def product_macs(self, s: Shape) -> int:
        """Multiply-adds of the two products of activations with activations: q k' and the weighted sum of v."""
        return 2 * s.n**2 * self.inner


@dataclass(frozen=True)
class RelativeAttention(Attention):
    """Attention over a grid with a learned scalar for each head and offset between two positions (CoAtNet, Eq. 3).

    `merge` is where the scalar joins: "before" the softmax, to the logits (y_pre); "after" it, to the weights (y_post).
    The table is (heads, 2H - 1, 2W - 1) and belongs to the size of the grid.
    """

    merge: Literal["before", "after"] = "before"

    def out(self, s: Shape) -> Shape:
        return grid_of(self, s)._replace(c=self.width)

    def params(self, s: Shape) -> int:
        return super().params(s) + self.heads * _offsets(s)

    def product_macs(self, s: Shape) -> int:
        return (2 + (self.merge == "after")) * s.n**2 * self.inner


@dataclass(frozen=True)
class LogRelativeAttention(Attention):
    """Attention over a grid whose logits gain a bias that a perceptron makes of each offset's logarithm, sign kept.

    The perceptron is 2 -> `hidden` -> heads with a ReLU, so that a grid of any size has its bias (timm's RelPosMlp, from
    Swin V2). Its multiply-adds are spent once a batch, and counted here as for a batch of one picture.
    """

    hidden: int = 512

    def out(self, s: Shape) -> Shape:
        return grid_of(self, s)._replace(c=self.width)

    def params(self, s: Shape) -> int:
        return super().params(s) + (2 + 1) * self.hidden + (self.hidden + 1) * self.heads

    def macs(self, s: Shape) -> int:
        return super().macs(s) + _offsets(s) * self.hidden * (2 + self.heads)


@dataclass(frozen=True)
class AreaAttention(Attention):
    """Attention within areas of `rows` x `columns` patches that do not overlap; class tokens look at everything.

    Patches do not see the class token, so that nothing passes between areas (GLiT, Table 6).
    """

    rows: int = 1
    columns: int = 14

    def out(self, s: Shape) -> Tokens:
        s = tokens_of(self, s)
        if s.h % self.rows or s.w % self.columns:
            raise ShapeError(f"{self}: {s.h}x{s.w} patches do not divide into areas of {self.rows}x{self.columns}")
        return s._replace(c=self.width)

    def product_macs(self, s: Shape) -> int:
        s = tokens_of(self, s)
        return 2 * self.inner * (s.h * s.w * self.rows * self.columns + s.extra * s.n)


def _offsets(s: Shape) -> int:
    """How many offsets two positions of a grid can have."""
    assert isinstance(s, Grid)
    return (2 * s.h - 1) * (2 * s.w - 1)

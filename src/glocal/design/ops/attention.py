"""The alphabet, ops in which positions look at one another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from glocal.design.op import Op, Sizes, Window, grid_of, numbers, positions_of, tokens_of
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

    def window(self, s: Shape) -> Window | None:
        return None

    def memory(self, s: Shape) -> int:
        # q, k, v and what they gather, never the matrix of weights, which fused attention does not keep
        return max(4 * self.inner * s.n, self.inner * s.n + numbers(self.out(s)))


@dataclass(frozen=True)
class RelativeAttention(Attention):
    """Attention over a grid with a learned scalar for each head and offset between two positions (CoAtNet, Eq. 3).

    `merge` is where the scalar joins: "before" the softmax, to the logits (y_pre); "after" it, to the weights (y_post).
    The table is (heads, 2H - 1, 2W - 1) and belongs to the size of the grid.
    """

    merge: Literal["before", "after"] = "before"

    sizes: ClassVar[Sizes] = "resized"

    def out(self, s: Shape) -> Shape:
        return grid_of(self, s)._replace(c=self.width)

    def params(self, s: Shape) -> int:
        return super().params(s) + self.heads * _offsets(s)

    def product_macs(self, s: Shape) -> int:
        return (2 + (self.merge == "after")) * s.n**2 * self.inner

    def kept(self, s: Shape) -> int:
        return self.heads * (s.n**2 + _offsets(s))  # the bias, with a copy of the table


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

    sizes: ClassVar[Sizes] = "one"

    def out(self, s: Shape) -> Tokens:
        s = tokens_of(self, s)
        if s.h % self.rows or s.w % self.columns:
            raise ShapeError(f"{self}: {s.h}x{s.w} patches do not divide into areas of {self.rows}x{self.columns}")
        return s._replace(c=self.width)

    def product_macs(self, s: Shape) -> int:
        s = tokens_of(self, s)
        return 2 * self.inner * (s.h * s.w * self.rows * self.columns + s.extra * s.n)

    def window(self, s: Shape) -> Window:
        return Window(self.rows, self.columns)

    def memory(self, s: Shape) -> int:
        # q, k and v are copied when they are cut into areas
        return max(7 * self.inner * s.n, self.inner * s.n + numbers(self.out(s)))


def heads_in(width: int, *, head_dim: int) -> int:
    """How many heads of `head_dim` channels make a width; ShapeError where they do not."""
    if head_dim < 1 or width % head_dim:
        raise ShapeError(f"heads of {head_dim} do not divide the width {width}")
    return width // head_dim


def _offsets(s: Shape) -> int:
    """How many offsets two positions of a grid can have."""
    assert isinstance(s, Grid)
    return (2 * s.h - 1) * (2 * s.w - 1)

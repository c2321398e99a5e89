"""The alphabet, ops that do the same at every position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from glocal.design.op import Op, positions_of
from glocal.design.shapes import Shape
from glocal.errors import ShapeError


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
    """Normalises each channel over batch and positions ("batch"), or each position over its channels ("layer").

    "variance" divides each position by the root of its channels' variance and does not centre it (timm's SimpleNorm).
    """

    kind: Literal["batch", "layer", "variance"]
    eps: float = 1e-5

    def params(self, s: Shape) -> int:
        return s.c if self.kind == "variance" else 2 * s.c


@dataclass(frozen=True)
class Act(Op):
    """A function of each number alone; "gelu" is the exact (erf) form."""

    kind: Literal["relu", "gelu", "silu", "tanh"]


@dataclass(frozen=True)
class Dropout(Op):
    """Zeroes a share of the numbers in training."""

    rate: float


@dataclass(frozen=True)
class Gate(Op):
    """GLU: the first half of the channels, each times the sigmoid of its partner in the second half."""

    def out(self, s: Shape) -> Shape:
        if s.c % 2:
            raise ShapeError(f"{self} needs an even number of channels, not {s.c}")
        return s._replace(c=s.c // 2)


@dataclass(frozen=True)
class Scale(Op):
    """LayerScale: one learned factor a channel, `init` at first (Touvron et al. 2021)."""

    init: float

    def params(self, s: Shape) -> int:
        return s.c


@dataclass(frozen=True)
class SqueezeExcite(Op):
    """Weighs each channel by the sigmoid of a two-layer perceptron, `width` wide inside, on the channels' means."""

    width: int
    act: Literal["silu", "relu"] = "silu"

    def out(self, s: Shape) -> Shape:
        return positions_of(self, s)

    def params(self, s: Shape) -> int:
        return (2 * s.c + 1) * self.width + s.c

    def macs(self, s: Shape) -> int:
        return 2 * s.c * self.width

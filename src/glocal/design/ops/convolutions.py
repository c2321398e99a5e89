"""The alphabet, ops that look at a neighbourhood: convolutions and pooling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from glocal.design.op import Op, Window, grid_of, tokens_of
from glocal.design.shapes import Grid, Shape, Tokens
from glocal.errors import ArchitectureError, ShapeError

Padding = int | Literal["same"]


def _slide(op: Op, size: int, *, kernel: int, stride: int, padding: Padding) -> int:
    if padding != "same" and type(padding) is not int:
        raise ArchitectureError(f'{op}: padding is a number of pixels or "same"')
    total = kernel - 1 if padding == "same" else 2 * padding
    if size + total < kernel:
        raise ShapeError(f"{op} needs at least {kernel - total} pixels a side, not {size}; take a larger picture")
    return (size + total - kernel) // stride + 1


def _square(kernel: int, stride: int) -> Window:
    side = 1 + (kernel - 1) / stride
    return Window(side, side)


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
        c, h, w = grid_of(self, s)
        if c % self.groups or self.width % self.groups:
            raise ShapeError(f"{self}: {self.groups} groups do not divide {c} -> {self.width} channels")
        h, w = (_slide(self, m, kernel=self.kernel, stride=self.stride, padding=self.padding) for m in (h, w))
        return Grid(self.width, h, w)

    def params(self, s: Shape) -> int:
        return self.kernel**2 * s.c // self.groups * self.width + self.bias * self.width

    def macs(self, s: Shape) -> int:
        return self.kernel**2 * s.c // self.groups * self.width * self.out(s).n

    def window(self, s: Shape) -> Window:
        return _square(self.kernel, self.stride)


@dataclass(frozen=True)
class Depthwise(Op):
    """One k x k filter for each channel of a grid; padding "same" as in Conv."""

    kernel: int
    stride: int = 1
    bias: bool = True

    def out(self, s: Shape) -> Grid:
        c, h, w = grid_of(self, s)
        h, w = (_slide(self, m, kernel=self.kernel, stride=self.stride, padding="same") for m in (h, w))
        return Grid(c, h, w)

    def params(self, s: Shape) -> int:
        return s.c * (self.kernel**2 + self.bias)

    def macs(self, s: Shape) -> int:
        return s.c * self.kernel**2 * self.out(s).n

    def window(self, s: Shape) -> Window:
        return _square(self.kernel, self.stride)


@dataclass(frozen=True)
class Conv1d(Op):
    """Convolution over k neighbours in a sequence, class token included; the length stays.

    The ends are padded by zeros, floor(k / 2) before and floor((k - 1) / 2) after (GLiT's code; only odd k are in its paper).
    """

    width: int
    kernel: int = 1
    bias: bool = True

    def out(self, s: Shape) -> Tokens:
        return tokens_of(self, s)._replace(c=self.width)

    def params(self, s: Shape) -> int:
        return (self.kernel * s.c + self.bias) * self.width

    def macs(self, s: Shape) -> int:
        return self.kernel * s.c * self.width * s.n

    def window(self, s: Shape) -> Window:
        return Window(1, self.kernel)


@dataclass(frozen=True)
class Depthwise1d(Op):
    """One filter of k taps for each channel of a sequence, padded as in Conv1d."""

    kernel: int
    bias: bool = True

    def out(self, s: Shape) -> Tokens:
        return tokens_of(self, s)

    def params(self, s: Shape) -> int:
        return s.c * (self.kernel + self.bias)

    def macs(self, s: Shape) -> int:
        return s.c * self.kernel * s.n

    def window(self, s: Shape) -> Window:
        return Window(1, self.kernel)


@dataclass(frozen=True)
class Patches(Op):
    """Linear embedding of p x p patches that do not overlap; the picture must divide into whole patches (ViT, Eq. 1)."""

    width: int
    patch: int

    def out(self, s: Shape) -> Grid:
        _, h, w = grid_of(self, s)
        if h % self.patch or w % self.patch:
            raise ShapeError(f"{h}x{w} pixels do not divide into {self.patch}x{self.patch} patches")
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
        c, h, w = grid_of(self, s)
        if 2 * self.padding > self.kernel:
            raise ShapeError(f"{self}: padding is at most half the kernel, so that no window lies outside")
        h, w = (_slide(self, m, kernel=self.kernel, stride=self.stride, padding=self.padding) for m in (h, w))
        return Grid(c, h, w)

    def window(self, s: Shape) -> Window:
        return _square(self.kernel, self.stride)

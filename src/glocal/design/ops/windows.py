"""The alphabet, ops of Swin (Liu et al. 2021, arXiv:2103.14030): attention in shifted windows, and merging of patches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from glocal.design.op import Op, Window, grid_of
from glocal.design.ops.attention import Attention
from glocal.design.shapes import Grid, Shape


class Cut(NamedTuple):
    """How a grid is cut: sides of a window, positions by which the grid is rolled up and left, sides of the padded grid."""

    rows: int
    columns: int
    up: int
    left: int
    h: int
    w: int


@dataclass(frozen=True)
class WindowAttention(Attention):
    """Attention within windows of `window` x `window` positions of a grid, with a learned scalar for each head and offset
    (Eq. 4). With `shifted`, the windows lie half a window further down and to the right, and wrap around the edges, where
    positions from opposite edges do not see one another (Section 3.2).

    A side of the grid that fits into a window makes one window as it is, and is not shifted. Another side that windows do not
    divide is padded with zeros below or on the right; they are looked at too, as in the authors' code for detection.
    The table is (heads, 2 * window - 1, 2 * window - 1) whatever the grid, so that the same weights read every size; a
    smaller window reads its middle.
    """

    window_size: int = 7
    shifted: bool = False

    def cut(self, h: int, w: int) -> Cut:
        """The windows of an h x w grid."""
        rows, columns = min(self.window_size, h), min(self.window_size, w)
        up, left = (self.window_size // 2 if self.shifted and side > self.window_size else 0 for side in (h, w))
        return Cut(rows, columns, up, left, -(-h // rows) * rows, -(-w // columns) * columns)

    def out(self, s: Shape) -> Grid:
        return grid_of(self, s)._replace(c=self.width)

    def params(self, s: Shape) -> int:
        return super().params(s) + self.heads * (2 * self.window_size - 1) ** 2

    def macs(self, s: Shape) -> int:
        _, h, w = grid_of(self, s)
        cut = self.cut(h, w)
        return cut.h * cut.w * self.inner * (3 * s.c + self.width) + self.product_macs(s)

    def product_macs(self, s: Shape) -> int:
        _, h, w = grid_of(self, s)
        cut = self.cut(h, w)
        return 2 * cut.h * cut.w * cut.rows * cut.columns * self.inner

    def window(self, s: Shape) -> Window:
        _, h, w = grid_of(self, s)
        cut = self.cut(h, w)
        return Window(cut.rows, cut.columns)

    def memory(self, s: Shape) -> int:
        _, h, w = grid_of(self, s)
        cut = self.cut(h, w)
        # The rolled grid and its windows stay; then q, k, v and a copy of them; then the copy, the bias of every pair and what
        # is gathered; then that and what becomes of it.
        bias = self.heads * cut.rows * cut.columns
        then = max(6 * self.inner, 4 * self.inner + bias, self.inner + 2 * self.width)
        return cut.h * cut.w * (2 * s.c + then)


@dataclass(frozen=True)
class SpaceToDepth(Op):
    """Puts the channels of `by` x `by` neighbours side by side: by^2 times as many channels on a smaller grid.

    The neighbours are in order down the first column, then the second (Swin's patch merging). Sides that `by` does not divide
    are padded with zeros below or on the right.
    """

    by: int = 2

    def out(self, s: Shape) -> Grid:
        c, h, w = grid_of(self, s)
        return Grid(c * self.by**2, -(-h // self.by), -(-w // self.by))

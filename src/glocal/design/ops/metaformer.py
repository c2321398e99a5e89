"""The alphabet, ops of PoolFormer (Yu et al. 2022, arXiv:2111.11418): a token mixer without weights, and its norm."""

from __future__ import annotations

from dataclasses import dataclass

from glocal.design.op import Op, Window, grid_of, numbers
from glocal.design.shapes import Grid, Shape
from glocal.errors import ShapeError


@dataclass(frozen=True)
class PoolingMixer(Op):
    """The mean of the k x k neighbourhood of each position, minus the position itself (Eq. 4).

    The mean is over the positions that lie on the grid, so that zeros beyond its edge do not count.
    """

    kernel: int = 3

    def out(self, s: Shape) -> Grid:
        if self.kernel % 2 == 0:
            raise ShapeError(f"{self} has no middle; give it an odd kernel")
        return grid_of(self, s)

    def window(self, s: Shape) -> Window:
        return Window(self.kernel, self.kernel)

    def memory(self, s: Shape) -> int:
        return 2 * numbers(s)  # the mean, then the difference


@dataclass(frozen=True)
class GroupNorm(Op):
    """Normalises a picture over all its positions, in `groups` of channels at a time; a factor and a summand a channel."""

    groups: int = 1
    eps: float = 1e-5

    def out(self, s: Shape) -> Grid:
        if s.c % self.groups:
            raise ShapeError(f"{self}: {self.groups} groups do not divide {s.c} channels")
        return grid_of(self, s)

    def params(self, s: Shape) -> int:
        return 2 * s.c

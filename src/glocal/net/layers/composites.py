"""The layers that are made of sentences. Shape suffixes are those of the package."""

import torch
from torch import Tensor, nn


class Residual(nn.Module):
    """shortcut(x) + branch(x). In training the branch is dropped for a share `drop_path` of the pictures, and scaled up
    for the rest so that its mean stays (stochastic depth, Huang et al. 2016)."""

    def __init__(self, branch: nn.Sequential, shortcut: nn.Sequential) -> None:
        super().__init__()
        self.branch, self.shortcut, self.drop_path = branch, shortcut, 0.0

    def forward(self, x: Tensor) -> Tensor:
        """The shape that branch and shortcut leave."""
        y: Tensor = self.branch(x)
        if self.training and self.drop_path:
            keep = 1 - self.drop_path
            mask = y.new_empty(y.shape[0], *[1] * (y.ndim - 1)).bernoulli_(keep)
            y = y * (mask / keep)
        kept: Tensor = self.shortcut(x)
        return kept + y


class Split(nn.Module):
    """The first channels through one sentence, the others through another, side by side again."""

    def __init__(self, one: nn.Module, other: nn.Module, *, first: int) -> None:
        super().__init__()
        self.one, self.other, self.first = one, other, first

    def forward(self, x: Tensor) -> Tensor:
        """BCHW, BNC or BC."""
        c = 1 if x.ndim == 4 else -1
        one, other = x.split((self.first, x.shape[c] - self.first), c)
        return torch.cat((self.one(one), self.other(other)), c)

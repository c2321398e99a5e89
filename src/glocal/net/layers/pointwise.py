"""The layers that do the same at every position, and norms. Shape suffixes are those of the package."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from glocal.net.layers.convolutions import row, sequence


class LayerNorm2d(nn.LayerNorm):
    """LayerNorm over the channels of each position of a grid."""

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Same shape."""
        return super().forward(x_BCHW.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class BatchNormTokens(nn.BatchNorm2d):
    """BatchNorm over batch and tokens."""

    def forward(self, x_BNC: Tensor) -> Tensor:
        """Same shape."""
        return sequence(super().forward(row(x_BNC)))


class VarianceNorm(nn.Module):
    """Divides each position by the root of its channels' variance (C - 1 in the denominator), and scales each channel."""

    def __init__(self, c: int, *, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(c))

    def forward(self, x: Tensor) -> Tensor:
        """BCHW, BNC or BC; same shape."""
        c = 1 if x.ndim == 4 else -1
        weight = self.weight[:, None, None] if x.ndim == 4 else self.weight
        return x * (x.var(c, keepdim=True) + self.eps).rsqrt() * weight


class GELU2d(nn.GELU):
    """GELU on a grid, given to PyTorch as the plain row of numbers that it is in memory, for which there is faster code."""

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Same shape."""
        if x_BCHW.is_contiguous():
            return super().forward(x_BCHW)
        return super().forward(x_BCHW.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Gate(nn.Module):
    """GLU: the first half of the channels times the sigmoid of the second."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        """Half of the channels."""
        return functional.glu(x, self.axis)


class Scale(nn.Module):
    """One learned factor a channel."""

    def __init__(self, c: int, *, init: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((c,), init))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        return x * (self.weight[:, None, None] if x.ndim == 4 else self.weight).to(x.dtype)


class SqueezeExcite(nn.Module):
    """Weighs channels by a perceptron on their means."""

    def __init__(self, c: int, *, width: int, act: nn.Module) -> None:
        super().__init__()
        self.squeeze, self.act, self.excite = nn.Linear(c, width), act, nn.Linear(width, c)

    def forward(self, x: Tensor) -> Tensor:
        """BCHW or BNC; same shape."""
        mean_BC = x.mean((2, 3)) if x.ndim == 4 else x.mean(1)
        weight_BC: Tensor = self.excite(self.act(self.squeeze(mean_BC))).sigmoid()
        return x * (weight_BC[:, :, None, None] if x.ndim == 4 else weight_BC[:, None])

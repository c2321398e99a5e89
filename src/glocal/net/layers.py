"""The layers that PyTorch does not have, one for an op. Which op builds which layer is said in `build`.

Shape suffixes: B batch, C channels, H and W the sides of a grid, N tokens or positions, h heads, D channels of a head.
Grids are BCHW, tokens BNC, pooled pictures BC.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from glocal.errors import ShapeError, WeightError


class EvenConv2d(nn.Conv2d):
    """Convolution with an even kernel and "same" padding: one pixel less before than after."""

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """ceil(H / stride) x ceil(W / stride) positions."""
        before = (self.kernel_size[0] - 1) // 2
        after = self.kernel_size[0] - 1 - before
        return super().forward(functional.pad(x_BCHW, (before, after, before, after)))


class LayerNorm2d(nn.LayerNorm):
    """LayerNorm over the channels of each position of a grid."""

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Same shape."""
        return super().forward(x_BCHW.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class BatchNormTokens(nn.BatchNorm2d):
    """BatchNorm over batch and tokens."""

    def forward(self, x_BNC: Tensor) -> Tensor:
        """Same shape."""
        return _sequence(super().forward(_row(x_BNC)))


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


class Pointwise(nn.Linear):
    """The same dense layer at every position of a grid, or at every `stride`-th one: a 1 x 1 convolution."""

    def __init__(self, c: int, width: int, *, stride: int = 1, bias: bool = True) -> None:
        super().__init__(c, width, bias)
        self.stride = stride

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """BCHW -> B(width)H'W', H' = ceil(H / stride); a matrix product where positions lie side by side in memory."""
        if x_BCHW.is_contiguous():
            return functional.conv2d(x_BCHW, self.weight[:, :, None, None], self.bias, self.stride)
        x_BCHW = x_BCHW[:, :, :: self.stride, :: self.stride]
        return super().forward(x_BCHW.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Conv1d(nn.Conv1d):
    """Convolution along a sequence whose length stays; see the op for the padding."""

    def forward(self, x_BNC: Tensor) -> Tensor:
        """BNC -> BN(width)."""
        x_BC1N, after = _row(x_BNC), (self.kernel_size[0] - 1) // 2
        if self.kernel_size[0] % 2 == 0:
            x_BC1N = functional.pad(x_BC1N, (1, 0))
        weight = self.weight[:, :, None]
        return _sequence(functional.conv2d(x_BC1N, weight, self.bias, padding=(0, after), groups=self.groups))


def _row(x_BNC: Tensor) -> Tensor:
    """A sequence as a grid one position high, which is channels-last in memory without a copy."""
    return x_BNC.mT.unsqueeze(2)


def _sequence(x_BC1N: Tensor) -> Tensor:
    return x_BC1N.squeeze(2).mT


class GELU2d(nn.GELU):
    """GELU on a grid, given to PyTorch as the plain row of numbers that it is in memory, for which there is faster code."""

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Same shape."""
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
        weight_BC = self.excite(self.act(self.squeeze(mean_BC))).sigmoid()
        return x * (weight_BC[:, :, None, None] if x.ndim == 4 else weight_BC[:, None])


class Flatten(nn.Module):
    """Grid to tokens, row by row."""

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """BCHW -> BNC with N = H * W."""
        return x_BCHW.flatten(2).mT


class Unflatten(nn.Module):
    """Tokens to the h x w grid that they came from."""

    def __init__(self, h: int, w: int) -> None:
        super().__init__()
        self.h, self.w = h, w

    def forward(self, x_BNC: Tensor) -> Tensor:
        """BNC -> BCHW with H * W = N, laid out channels-last."""
        return x_BNC.mT.unflatten(2, (self.h, self.w))


class ClassToken(nn.Module):
    """One learned token in front of the others."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, c))

    def forward(self, x_BNC: Tensor) -> Tensor:
        """BNC -> B(N+1)C."""
        return torch.cat((self.token.to(x_BNC.dtype).expand(len(x_BNC), -1, -1), x_BNC), 1)


class Position(nn.Module):
    """Adds a table, one row a token: learned, or the fixed sinusoid, which is no part of a checkpoint."""

    table: Tensor

    def __init__(self, table_1NC: Tensor, *, learned: bool, grid: tuple[int, int], resize: str = "bilinear") -> None:
        super().__init__()
        self.grid, self.resize = grid, resize
        if learned:
            self.table = nn.Parameter(table_1NC)
        else:
            self.register_buffer("table", table_1NC, persistent=False)

    def carried(self, table_1NC: Tensor, grid: tuple[int, int] | None) -> Tensor:
        """A table on this layer's grid: rows of class tokens stay, the grid's are interpolated.

        `grid` is the table's; where it is None, a square if the number of places allows one, or else the layer's own.
        A table that already fits is returned as it is. Raises WeightError where its grid is unknown.
        """
        if table_1NC.ndim != 3 or table_1NC.shape[2] != self.table.shape[2]:
            return table_1NC
        extra = self.table.shape[1] - math.prod(self.grid)
        n = table_1NC.shape[1] - extra
        side = math.isqrt(n)
        h, w = grid or ((side, side) if side**2 == n else self.grid)
        if h * w != n:
            raise WeightError(f"there are positions for {n} places, which is no square grid; name it: grid=(h, w)")
        if (h, w) == self.grid:
            return table_1NC
        map_1CHW = table_1NC[:, extra:].mT.unflatten(2, (h, w))
        resized = functional.interpolate(map_1CHW.float(), self.grid, mode=self.resize, align_corners=False)
        return torch.cat((table_1NC[:, :extra], resized.flatten(2).mT.to(table_1NC.dtype)), 1)

    def forward(self, x_BNC: Tensor) -> Tensor:
        """Same shape; ShapeError for a number of tokens other than the table's."""
        if x_BNC.shape[1] != self.table.shape[1]:
            h, w = self.grid
            raise ShapeError(
                f"the positions are those of a {h}x{w} grid ({self.table.shape[1]} tokens), the picture gives "
                f"{x_BNC.shape[1]} tokens; build the model for its size: create_model(..., img_size=(height, width))"
            )
        return x_BNC + self.table.to(x_BNC.dtype)  # the cast keeps autocast's type


def sinusoid(n: int, c: int) -> Tensor:
    """(1, n, c) float32: sin for even, cos for odd channels of position / 10000^(2 floor(i / 2) / c)."""
    i_C = torch.arange(c)
    angle_NC = torch.arange(n, dtype=torch.float64)[:, None] / 10000.0 ** (2 * (i_C // 2) / c)
    angle_NC = angle_NC.float()  # the authors' table is rounded here, before the sine
    return torch.where(i_C % 2 == 0, angle_NC.sin(), angle_NC.cos())[None]


class Mean(nn.Module):
    """Average over the positions of a grid or the tokens of a sequence."""

    def forward(self, x: Tensor) -> Tensor:
        """BCHW or BNC -> BC."""
        return x.mean((2, 3)) if x.ndim == 4 else x.mean(1)


class First(nn.Module):
    """The class token alone."""

    def forward(self, x_BNC: Tensor) -> Tensor:
        """BNC -> BC."""
        return x_BNC[:, 0]


class SequencePool(nn.Module):
    """Mean of the tokens weighted by a softmax over a learned score of each."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.score = nn.Linear(c, 1)

    def weights(self, x_BNC: Tensor) -> Tensor:
        """(B, N) shares that are positive and sum to 1."""
        return self.score(x_BNC).squeeze(2).softmax(1)

    def forward(self, x_BNC: Tensor) -> Tensor:
        """BNC -> BC."""
        return (self.weights(x_BNC)[:, None] @ x_BNC).squeeze(1)


class Residual(nn.Module):
    """shortcut(x) + branch(x). In training the branch is dropped for a share `drop_path` of the pictures, and scaled up
    for the rest so that its mean stays (stochastic depth, Huang et al. 2016)."""

    def __init__(self, branch: nn.Sequential, shortcut: nn.Sequential) -> None:
        super().__init__()
        self.branch, self.shortcut, self.drop_path = branch, shortcut, 0.0

    def forward(self, x: Tensor) -> Tensor:
        """The shape that branch and shortcut leave."""
        y = self.branch(x)
        if self.training and self.drop_path:
            keep = 1 - self.drop_path
            mask = y.new_empty(len(y), *[1] * (y.ndim - 1)).bernoulli_(keep)
            y = y * (mask / keep)
        return self.shortcut(x) + y


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

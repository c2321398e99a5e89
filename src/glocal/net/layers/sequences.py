"""The layers that make sequences of tokens, place them, and pool them to one vector. Shape suffixes are those of the package."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from glocal.errors import ShapeError, WeightError


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
        x_BCHW: Tensor = x_BNC.mT.unflatten(2, (self.h, self.w))
        return x_BCHW


class ClassToken(nn.Module):
    """One learned token in front of the others."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, c))

    def forward(self, x_BNC: Tensor) -> Tensor:
        """BNC -> B(N+1)C."""
        return torch.cat((self.token.to(x_BNC.dtype).expand(x_BNC.shape[0], -1, -1), x_BNC), 1)


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
        share_BN: Tensor = self.score(x_BNC).squeeze(2).softmax(1)
        return share_BN

    def forward(self, x_BNC: Tensor) -> Tensor:
        """BNC -> BC."""
        return (self.weights(x_BNC)[:, None] @ x_BNC).squeeze(1)

"""The layers that PyTorch does not have, one for an op. Which op builds which layer is said in `build`.

Shape suffixes: B batch, C channels, H and W the sides of a grid, N tokens or positions, h heads, D channels of a head.
Grids are BCHW, tokens BNC, pooled pictures BC.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from glocal.errors import ShapeError


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


class BatchNormTokens(nn.BatchNorm1d):
    """BatchNorm over batch and tokens."""

    def forward(self, x_BNC: Tensor) -> Tensor:
        """Same shape."""
        return super().forward(x_BNC.mT).mT


class Flatten(nn.Module):
    """Grid to tokens, row by row."""

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """BCHW -> BNC with N = H * W."""
        return x_BCHW.flatten(2).mT


class Attention(nn.Module):
    """Multi-head self-attention; the 3 * heads * head_dim rows of `qkv` are q, k, v in turn, each head by head."""

    def __init__(self, c: int, *, heads: int, head_dim: int, width: int, bias: bool, dropout: float) -> None:
        super().__init__()
        self.heads, self.head_dim, self.dropout = heads, head_dim, dropout
        self.qkv = nn.Linear(c, 3 * heads * head_dim, bias=bias)
        self.project = nn.Linear(heads * head_dim, width)

    def forward(self, x_BNC: Tensor) -> Tensor:
        """BNC -> BN(width)."""
        b, n, _ = x_BNC.shape
        q_BhND, k_BhND, v_BhND = self.qkv(x_BNC).view(b, n, 3, self.heads, self.head_dim).permute(2, 0, 3, 1, 4)
        dropout = self.dropout if self.training else 0.0
        x_BhND = functional.scaled_dot_product_attention(q_BhND, k_BhND, v_BhND, dropout_p=dropout)
        return self.project(x_BhND.transpose(1, 2).reshape(b, n, -1))


class GridAttention(Attention):
    """Attention over the positions of a grid."""

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """BCHW -> B(width)HW."""
        h, w = x_BCHW.shape[2:]
        return super().forward(x_BCHW.flatten(2).mT).mT.unflatten(2, (h, w))


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

    def __init__(self, branch: nn.Module, shortcut: nn.Module) -> None:
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

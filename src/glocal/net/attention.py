"""Self-attention: over tokens, over a grid, with a bias for each offset, within areas. One class for an op.

A layer is made of its op and the shape that it is given. Shape suffixes are those of `layers`; U and V are the sides of a
table of offsets, 2H - 1 and 2W - 1.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from glocal import design
from glocal.design import Grid, Shape, Tokens

Size = tuple[int, int]


class Attention(nn.Module):
    """Multi-head self-attention; the 3 * heads * head_dim rows of `qkv` are q, k, v in turn, each head by head.

    of_offsets: the parameters that make a bias of the offsets between positions. Weight decay spares them, as in the code of
    CoAtNet and of Swin.
    """

    of_offsets: ClassVar[tuple[str, ...]] = ()

    def __init__(self, op: design.Attention, s: Shape) -> None:
        super().__init__()
        self.heads, self.head_dim, self.dropout = op.heads, op.head_dim, op.dropout
        self.qkv = nn.Linear(s.c, 3 * op.inner, bias=op.bias)
        self.project = nn.Linear(op.inner, op.width)

    def heads_of(self, x_BNC: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """q, k and v, each BhND."""
        b, n, _ = x_BNC.shape
        q_BhND, k_BhND, v_BhND = self.qkv(x_BNC).view(b, n, 3, self.heads, self.head_dim).permute(2, 0, 3, 1, 4)
        return q_BhND, k_BhND, v_BhND

    def look(self, q_BhND: Tensor, k_BhND: Tensor, v_BhND: Tensor, bias_hNN: Tensor | None = None) -> Tensor:
        """softmax(q k' / sqrt(D) + bias) v."""
        dropout = self.dropout if self.training else 0.0
        mask = None if bias_hNN is None else bias_hNN.to(q_BhND.dtype)[None]
        return functional.scaled_dot_product_attention(q_BhND, k_BhND, v_BhND, mask, dropout_p=dropout)

    def joined(self, x_BhND: Tensor) -> Tensor:
        """The heads side by side, projected: BN(width)."""
        y_BNC: Tensor = self.project(x_BhND.transpose(1, 2).flatten(2))
        return y_BNC

    def forward(self, x_BNC: Tensor) -> Tensor:
        """BNC -> BN(width)."""
        return self.joined(self.look(*self.heads_of(x_BNC)))


class GridAttention(Attention):
    """Attention over the positions of a grid."""

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """BCHW -> B(width)HW."""
        h, w = x_BCHW.shape[2:]
        return on_grid(super().forward(x_BCHW.flatten(2).mT), (h, w))


class RelativeAttention(Attention):
    """Attention over a grid with a bias read from a table of offsets (CoAtNet, Eq. 3).

    `form` reads the bias from the table: `gathered_bias`, or `einsum_bias` for hardware whose gathers are slow (the paper's
    TPUs). On the CPU, where the gather costs something, evaluation without gradients keeps the bias while the table stays
    the same to the bit; training mode and another device or type let it go. It is no part of a checkpoint.
    """

    of_offsets = ("table",)
    frozen: Tensor | None

    def __init__(self, op: design.RelativeAttention, s: Grid) -> None:
        super().__init__(op, s)
        self.grid, self.merge, self.form = (s.h, s.w), op.merge, gathered_bias
        self.table = nn.Parameter(torch.zeros(op.heads, 2 * s.h - 1, 2 * s.w - 1))
        self._kept: tuple[Size, Tensor, Tensor] | None = None
        self.register_buffer("frozen", None, persistent=False)

    def carried(self, table_hUV: Tensor, grid: Size | None = None) -> Tensor:
        """A table of another grid on this layer's, bilinearly; one that already fits is returned as it is."""
        if table_hUV.ndim != 3 or len(table_hUV) != self.heads:
            return table_hUV
        return resized_table(table_hUV, self.grid)

    def bias(self, grid: Size) -> Tensor:
        """(heads, N, N) for the N positions of a grid, row by row; of another grid than the layer's from a resized table."""
        if self.frozen is not None and grid == self.grid:
            return self.frozen
        learning = self.training or (torch.is_grad_enabled() and self.table.requires_grad)
        if learning or not self.table.is_cpu or torch.compiler.is_compiling():
            return self._read(grid)
        if self._kept is None or self._kept[0] != grid or not torch.equal(self._kept[1], self.table):
            with torch.inference_mode(mode=False), torch.no_grad():  # so that it can be used outside inference mode too
                self._kept = grid, self.table.clone(), self._read(grid)
        return self._kept[2]

    def freeze(self) -> None:
        """Keeps the bias for good, whatever becomes of the table."""
        with torch.no_grad():
            self.frozen = self._read(self.grid)

    def _read(self, grid: Size) -> Tensor:
        return self.form(resized_table(self.table, grid), *grid)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """BCHW -> B(width)HW."""
        h, w = x_BCHW.shape[2:]
        q_BhND, k_BhND, v_BhND = self.heads_of(x_BCHW.flatten(2).mT)
        bias_hNN = self.bias((h, w))
        if self.merge == "before":
            x_BhND = self.look(q_BhND, k_BhND, v_BhND, bias_hNN)
        else:
            x_BhND = self.look(q_BhND, k_BhND, v_BhND) + bias_hNN.to(v_BhND.dtype) @ v_BhND
        return on_grid(self.joined(x_BhND), (h, w))

    def train(self, mode: bool = True) -> "RelativeAttention":
        """Lets the kept bias go."""
        self._kept = None
        return super().train(mode)

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        self._kept = None
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call]


class LogRelativeAttention(Attention):
    """Attention over a grid with a bias that a perceptron makes of each offset's logarithm (timm's RelPosMlp)."""

    of_offsets = ("inner.weight", "inner.bias", "outer.weight", "outer.bias")

    def __init__(self, op: design.LogRelativeAttention, s: Grid) -> None:
        super().__init__(op, s)
        self.inner, self.outer = nn.Linear(2, op.hidden), nn.Linear(op.hidden, op.heads)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """BCHW -> B(width)HW."""
        h, w = x_BCHW.shape[2:]
        table_UVh = self.outer(functional.relu(self.inner(log_offsets(h, w).to(self.inner.weight))))
        bias_hNN = gathered_bias(table_UVh.permute(2, 0, 1), h, w)
        x_BhND = self.look(*self.heads_of(x_BCHW.flatten(2).mT), bias_hNN)
        return on_grid(self.joined(x_BhND), (h, w))


class AreaAttention(Attention):
    """Patches attend within their area of rows x columns; class tokens, which stand in front, to all tokens."""

    def __init__(self, op: design.AreaAttention, s: Tokens) -> None:
        super().__init__(op, s)
        self.extra, self.grid, self.area = s.extra, (s.h, s.w), (op.rows, op.columns)

    def forward(self, x_BNC: Tensor) -> Tensor:
        """BNC -> BN(width)."""
        (h, w), (r, c) = self.grid, self.area
        q_BhND, k_BhND, v_BhND = self.heads_of(x_BNC)

        def cut(t_BhND: Tensor) -> Tensor:  # one short sequence an area, the areas among the heads
            t: Tensor = t_BhND[:, :, self.extra :].unflatten(2, (h // r, r, w // c, c))
            return t.transpose(3, 4).flatten(4, 5).flatten(1, 3)

        near = self.look(cut(q_BhND), cut(k_BhND), cut(v_BhND))
        near = near.unflatten(1, (self.heads, h // r, w // c)).unflatten(4, (r, c)).transpose(3, 4).flatten(2, 5)
        far = self.look(q_BhND[:, :, : self.extra], k_BhND, v_BhND)
        return self.joined(torch.cat((far, near), 2))


def on_grid(x_BNC: Tensor, grid: Size) -> Tensor:
    """BNC -> BCHW, laid out channels-last."""
    x_BCHW: Tensor = x_BNC.mT.unflatten(2, grid)
    return x_BCHW


def gathered_bias(table_hUV: Tensor, h: int, w: int) -> Tensor:
    """The bias of every pair of positions of an h x w grid, read from a table of their offsets: (heads, h*w, h*w).

    Entry [i, j] is at (row of i - row of j + h - 1, column of i - column of j + w - 1), so that it depends only on position i
    minus position j: attention that reads its bias through it looks alike everywhere (CoAtNet, Eq. 3). The rows of a query
    are a window of the table, read backwards; no index is needed.
    """
    return table_hUV.unfold(1, h, 1).unfold(2, w, 1).flip(3, 4).flatten(3).flatten(1, 2)


def einsum_bias(table_hUV: Tensor, h: int, w: int) -> Tensor:
    """The bias by two contractions with one-hot matrices instead of a gather: the same numbers, (heads, h*w, h*w)."""
    rows, columns = (
        functional.one_hot(torch.arange(n)[:, None] - torch.arange(n) + n - 1, 2 * n - 1).to(table_hUV) for n in (h, w)
    )
    return torch.einsum("huv,iju,klv->hikjl", table_hUV, rows, columns).reshape(-1, h * w, h * w)


def resized_table(table_hUV: Tensor, grid: Size) -> Tensor:
    """A table of offsets for another grid, by bilinear interpolation without aligned corners; in place where it fits."""
    size = (2 * grid[0] - 1, 2 * grid[1] - 1)
    if table_hUV.shape[1:] == size:
        return table_hUV
    resized = functional.interpolate(table_hUV.float()[None], size, mode="bilinear", align_corners=False)
    return resized[0].to(table_hUV.dtype)


def log_offsets(h: int, w: int) -> Tensor:
    """(2h-1, 2w-1, 2): sign(d) log(1 + |d|) of the row and column offsets d."""
    d = torch.meshgrid(torch.arange(1 - h, h), torch.arange(1 - w, w), indexing="ij")
    d_UV2 = torch.stack(d, -1).float()
    return d_UV2.sign() * (1 + d_UV2.abs()).log()

"""The layers of Swin's ops. Shape suffixes are those of `layers`; W counts the windows of a picture, V those of a batch,
N the positions of one window."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from glocal import design
from glocal.design import Grid
from glocal.design.ops.windows import Cut
from glocal.net.attention import Attention, gathered_bias


class WindowAttention(Attention):
    """Attention within windows of a grid of any size; see the op for what becomes of its edges."""

    of_offsets = ("offsets",)

    def __init__(self, op: design.WindowAttention, s: Grid) -> None:
        super().__init__(op, s)
        self.op = op
        side = 2 * op.window_size - 1
        self.offsets = nn.Parameter(torch.empty(op.heads, side, side))
        nn.init.trunc_normal_(self.offsets, std=0.02)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """BCHW -> B(width)HW."""
        b, _, h, w = x_BCHW.shape
        cut = self.op.cut(h, w)
        padding = 0, 0, 0, cut.w - w, 0, cut.h - h
        rolled_BHWC = functional.pad(x_BCHW.permute(0, 2, 3, 1), padding).roll((-cut.up, -cut.left), (1, 2))
        x_VNC = windows_of(rolled_BHWC, cut).flatten(0, 1)
        # The windows of a picture stand among the heads, since each pair of window and head has a bias of its own.
        seen_BhND = self.look(*self._windows_as_heads(b, x_VNC), attention_bias(self, cut).flatten(0, 1))
        y_VNC = self.joined(seen_BhND.unflatten(1, (-1, self.heads)).flatten(0, 1))
        y_BHWC = _grid(y_VNC.unflatten(0, (b, -1)), cut).roll((cut.up, cut.left), (1, 2))
        return y_BHWC[:, :h, :w].permute(0, 3, 1, 2)

    def _windows_as_heads(self, b: int, x_VNC: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """q, k and v of b pictures, each B(W h)ND."""
        q, k, v = (t.unflatten(0, (b, -1)).flatten(1, 2) for t in self.heads_of(x_VNC))
        return q, k, v


def attention_bias(layer: WindowAttention, cut: Cut) -> Tensor:
    """(W, heads, N, N), what is added to the logits: the scalar of the offset, and minus infinity between opposite edges."""
    middle = layer.op.window_size
    rows = slice(middle - cut.rows, middle + cut.rows - 1)
    columns = slice(middle - cut.columns, middle + cut.columns - 1)
    bias_hNN = gathered_bias(layer.offsets[:, rows, columns], cut.rows, cut.columns)
    apart_WNN = _apart(cut, layer.offsets.device)
    return bias_hNN.masked_fill(apart_WNN[:, None], -torch.inf)


def _apart(cut: Cut, device: torch.device) -> Tensor:
    """(W, N, N) bool: the pairs of a window that were at opposite edges before the grid was rolled."""
    wrapped_H = torch.arange(cut.h, device=device) >= cut.h - cut.up
    wrapped_W = torch.arange(cut.w, device=device) >= cut.w - cut.left
    place_1HW1 = (2 * wrapped_H[:, None] + wrapped_W.long())[None, :, :, None]
    place_WN = windows_of(place_1HW1, cut)[0, :, :, 0]
    return place_WN[:, :, None] != place_WN[:, None]


def windows_of(x_BHWC: Tensor, cut: Cut) -> Tensor:
    """BHWC -> BWNC, windows and their positions row by row."""
    x: Tensor = x_BHWC.unflatten(2, (-1, cut.columns)).unflatten(1, (-1, cut.rows))
    return x.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def _grid(x_BWNC: Tensor, cut: Cut) -> Tensor:
    """BWNC -> BHWC, the reverse of `windows_of`."""
    x: Tensor = x_BWNC.unflatten(2, (cut.rows, cut.columns)).unflatten(1, (cut.h // cut.rows, cut.w // cut.columns))
    return x.transpose(2, 3).flatten(3, 4).flatten(1, 2)


class SpaceToDepth(nn.Module):
    """The channels of neighbours side by side."""

    def __init__(self, op: design.SpaceToDepth, s: Grid) -> None:
        super().__init__()
        self.by = op.by

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """BCHW -> B(by by C)H'W', H' = ceil(H / by)."""
        h, w = x_BCHW.shape[2:]
        x = functional.pad(x_BCHW, (0, -w % self.by, 0, -h % self.by))
        x_BCHrWc: Tensor = x.unflatten(3, (-1, self.by)).unflatten(2, (-1, self.by))
        return x_BCHrWc.permute(0, 5, 3, 1, 2, 4).flatten(1, 3)

"""The layers of PoolFormer's ops. Shape suffixes are those of `layers`."""

from torch import Tensor, nn

from glocal import design
from glocal.design import Grid


class PoolingMixer(nn.Module):
    """The mean of each position's neighbourhood, minus the position."""

    def __init__(self, op: design.PoolingMixer, s: Grid) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(op.kernel, 1, op.kernel // 2, count_include_pad=False)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Same shape."""
        pooled_BCHW: Tensor = self.pool(x_BCHW)
        return pooled_BCHW - x_BCHW

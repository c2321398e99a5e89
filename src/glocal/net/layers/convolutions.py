"""The layers that look at a neighbourhood, and the 1 x 1 convolution. Shape suffixes are those of the package."""

from torch import Tensor, nn
from torch.nn import functional

FEW, WIDE = 16, 15
"""Channels and kernel at which a depthwise convolution along a row never ends in bfloat16: on processors with AVX-512 bf16,
oneDNN generates code for it without end (torch 2.15, and OpenVINO 2026.4 with its own copy). Down a column it ends, and training
takes as long."""


class EvenConv2d(nn.Conv2d):
    """Convolution with an even kernel and "same" padding: one pixel less before than after."""

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """ceil(H / stride) x ceil(W / stride) positions."""
        before = (self.kernel_size[0] - 1) // 2
        after = self.kernel_size[0] - 1 - before
        return super().forward(functional.pad(x_BCHW, (before, after, before, after)))


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
        k = self.kernel_size[0]
        column = self.groups > 1 and self.out_channels <= FEW and k >= WIDE
        axis, before, after = 3 if column else 2, (k - 1) % 2, (k - 1) // 2
        x_BCHW = x_BNC.mT.unsqueeze(axis)
        if before:
            x_BCHW = functional.pad(x_BCHW, (0, 0, before, 0) if column else (before, 0))
        weight, padding = self.weight.unsqueeze(axis), (after, 0) if column else (0, after)
        return functional.conv2d(x_BCHW, weight, self.bias, padding=padding, groups=self.groups).squeeze(axis).mT


def row(x_BNC: Tensor) -> Tensor:
    """A sequence as a grid one position high, which is channels-last in memory without a copy."""
    return x_BNC.mT.unsqueeze(2)


def sequence(x_BC1N: Tensor) -> Tensor:
    """The reverse of `row`."""
    return x_BC1N.squeeze(2).mT

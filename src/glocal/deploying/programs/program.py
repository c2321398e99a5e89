"""The network as it is deployed: from pictures of the right size in uint8 to calibrated probabilities."""

import torch
from torch import Tensor, nn

from glocal.data.batches.preprocess import Preprocess
from glocal.weights import Model

LUMA = (19595, 38470, 7471)  # 65536 times ITU-R 601's weights of red, green and blue, as Pillow rounds them


class Deployed(nn.Module):
    """Normalises, computes logits, divides them by the temperature, and gives probabilities.

    The input is uint8 (batch, channels, height, width) of the size in `preprocess`, the output float32 (batch, classes).
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, model: Model, preprocess: Preprocess) -> None:
        super().__init__()
        self.network, self.temperature, self.multi_label = network, model.temperature, model.multi_label
        mean, std = torch.tensor(preprocess.mean), torch.tensor(preprocess.std)
        self.register_buffer("mean", 255 * mean[:, None, None])
        self.register_buffer("std", 255 * std[:, None, None])

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Probabilities of all classes."""
        logits_BK = self.network((x_BCHW.float() - self.mean) / self.std).float() / self.temperature
        probabilities_BK: Tensor = logits_BK.sigmoid() if self.multi_label else logits_BK.softmax(1)
        return probabilities_BK


class FixedSize(nn.Module):
    """A `Deployed` that takes RGB as pictures lie in memory: uint8 (batch, height, width, 3). Grey is made of the colours."""

    def __init__(self, deployed: Deployed, *, channels: int) -> None:
        super().__init__()
        self.deployed, self.channels = deployed, channels

    def forward(self, x_BHWC: Tensor) -> Tensor:
        """Probabilities of all classes."""
        x_BCHW = x_BHWC.permute(0, 3, 1, 2)
        if self.channels == 1:
            red, green, blue = x_BCHW.int().split(1, 1)
            x_BCHW = ((LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue + 32768) // 65536).to(torch.uint8)
        probabilities_BK: Tensor = self.deployed(x_BCHW)
        return probabilities_BK

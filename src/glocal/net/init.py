"""Initial values, by the papers' schemes. `Architecture.init` names one; what it leaves alone keeps PyTorch's defaults."""

from torch import nn

from glocal.design import Attention, ClassToken, Conv, LearnedPosition, Linear, Op, Patches, SequencePool
from glocal.net import layers


def initialise(op: Op, layer: nn.Module, *, scheme: str) -> None:
    """Draws the weights of one layer from torch's global generator.

    "torch": PyTorch's defaults (ConvMixer). "vit": truncated normal of 0.02 for dense layers and class token, biases 0
    (DeiT, Section 6). "compact": the same for dense layers, the class token 0, convolutions Kaiming-normal by fan-in, the
    patch embedding's bias left uniform (authors' code).
    """
    if isinstance(op, LearnedPosition) and isinstance(layer, layers.Position):
        nn.init.trunc_normal_(layer.table, std=op.std)
    if scheme == "torch":
        return
    if isinstance(op, Linear | Attention | SequencePool):
        for dense in (m for m in layer.modules() if isinstance(m, nn.Linear | nn.Conv2d)):
            nn.init.trunc_normal_(dense.weight, std=0.02)
            if dense.bias is not None:
                nn.init.zeros_(dense.bias)
    elif isinstance(op, ClassToken) and isinstance(layer, layers.ClassToken) and scheme == "vit":
        nn.init.trunc_normal_(layer.token, std=0.02)
    elif isinstance(op, Conv | Patches) and isinstance(layer, nn.Conv2d) and scheme == "compact":
        nn.init.kaiming_normal_(layer.weight)

"""Initial values, by the papers' schemes. `Architecture.init` names one; what it leaves alone keeps PyTorch's defaults."""

from collections.abc import Callable

from torch import nn

from glocal.design import Attention, ClassToken, Conv, LearnedPosition, Linear, Op, Part, Patches, SequencePool
from glocal.design.op import leaves
from glocal.net import layers
from glocal.net.attention import RelativeAttention
from glocal.net.build import build


def initialised(part: Part, *, scheme: str) -> nn.Sequential:
    """The layers of a part with first values."""
    built = build(part.sentence, part.given)
    for path, op, _ in leaves(part.sentence, part.given):
        initialise(op, built.get_submodule(path), scheme=scheme)
    return built


def initialise(op: Op, layer: nn.Module, *, scheme: str) -> None:
    """Draws the weights of one layer from torch's global generator.

    "torch": PyTorch's defaults (ConvMixer). "vit": truncated normal of 0.02 for dense layers and class token, biases 0
    (DeiT, Section 6; GLiT's code, which leaves convolutions alone). "compact": the same for dense layers, the class token
    0, convolutions Kaiming-normal by fan-in, the patch embedding's bias left uniform (authors' code). "normal": normal of
    0.02 for all dense layers and convolutions, biases 0 (ConvNeXt's code, whose truncation at 2 cuts nothing; what CoAtNet's
    paper leaves unsaid, as in the code of MaxViT, its successor). "resnet": convolutions Kaiming-normal by fan-out
    (torchvision).
    """
    if isinstance(op, LearnedPosition) and isinstance(layer, layers.Position):
        nn.init.trunc_normal_(layer.table, std=op.std)
    if isinstance(layer, RelativeAttention):
        nn.init.normal_(layer.table, std=0.02)
    dense = [m for m in layer.modules() if isinstance(m, nn.Linear | nn.Conv1d | nn.Conv2d)]
    if scheme == "normal":
        for m in dense:
            _draw(m, nn.init.normal_)
    elif scheme == "resnet":
        for m in dense:
            if isinstance(m, nn.Conv2d | layers.Pointwise):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
    elif scheme in ("vit", "compact") and isinstance(op, Linear | Attention | SequencePool):
        for m in dense:
            _draw(m, nn.init.trunc_normal_)
    elif isinstance(op, ClassToken) and isinstance(layer, layers.ClassToken) and scheme == "vit":
        nn.init.trunc_normal_(layer.token, std=0.02)
    elif isinstance(op, Conv | Patches) and isinstance(layer, nn.Conv2d) and scheme == "compact":
        nn.init.kaiming_normal_(layer.weight)


def _draw(layer: nn.Linear | nn.Conv1d | nn.Conv2d, distribution: Callable[..., object]) -> None:
    distribution(layer.weight, std=0.02)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)

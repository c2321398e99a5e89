"""Which parameters timm's optimisers treat alike: the layers that rates decay over, and what weight decay spares."""

from collections.abc import Iterator
from typing import Any

from torch import nn

from glocal.net.attention import Attention
from glocal.net.layers import ClassToken, Position

_WITH_THE_LAST_BLOCK = (99999,)  # timm's MATCH_PREV_GROUP: no group of its own


def group_matcher(before_pooling: list[str], *, coarse: bool) -> dict[str, Any]:
    """timm's patterns: the stem, each block (or each stage, where coarse) with the downsampling before it, then the head.

    before_pooling: the names of the head's layers before it pools, which belong to the last block as timm's final norms do.
    """
    blocks: list[tuple[str, tuple[int, ...] | None]] = [(r"^stages\.(\d+)", None)]
    if not coarse:
        blocks = [(r"^stages\.(\d+)\.downsample", (0,)), (r"^stages\.(\d+)\.blocks\.(\d+)", None)]
    if before_pooling:
        blocks.append((rf"^head\.(?:{'|'.join(before_pooling)})(?:\.|$)", _WITH_THE_LAST_BLOCK))
    return {"stem": r"^stem", "blocks": blocks}


def no_weight_decay(network: nn.Module) -> Iterator[str]:
    """The names of learned positions, class tokens and tables of offsets with what makes them, which decay would pull to 0.

    Norms and biases are not listed: timm spares all parameters of one axis by itself.
    """
    for path, module in network.named_modules():
        if isinstance(module, Position | ClassToken):
            yield from (f"{path}.{name}" for name, _ in module.named_parameters(recurse=False))
        if isinstance(module, Attention):
            yield from (f"{path}.{name}" for name in module.of_offsets)

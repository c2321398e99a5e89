"""The attention of timm's VisionTransformer and SwinTransformer, as their layers compute it.

With `fused_attn` off, these layers pass their probabilities through a dropout, which in evaluation is the identity: what
arrives there is what the values are multiplied by. Nothing is computed again, so that norms of queries and keys, biases and
masks are in it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from glocal.explaining.attention.places import AttentionPlace, Heads, Positions, joined
from glocal.explaining.subject import Subject


def unreadable(network: nn.Module) -> str:
    """Why the attention of a network of timm is not read; an empty string where it is."""
    from timm.models.swin_transformer import SwinTransformer
    from timm.models.vision_transformer import VisionTransformer

    name = type(network).__name__
    if not isinstance(network, VisionTransformer | SwinTransformer):
        return f"attention of timm's {name} is not read, only that of its VisionTransformer and SwinTransformer"
    layers = {
        module
        for path, module in network.named_modules()
        if hasattr(module, "fused_attn") and not path.startswith("attn_pool")
    }
    if layers != {block.attn for _, block in _blocks(network)}:
        return f"this {name} of timm has layers of attention of another kind, whose probabilities are not known"
    return ""


def unknown_pooling(network: nn.Module) -> str:
    """Why the weight of each position in what a network of timm pools is not known; an empty string where it is."""
    pool = getattr(network, "global_pool", "") or "nothing"
    if pool in ("token", "avg"):
        return ""
    return f"it pools by {pool!r}, and rollout follows the class token ('token') or the mean ('avg')"


def _blocks(network: nn.Module) -> list[tuple[str, Any]]:
    """The blocks that add their attention to the stream, by path, in forward order."""
    from timm.layers import Attention
    from timm.models.swin_transformer import SwinTransformerBlock, WindowAttention
    from timm.models.vision_transformer import Block

    known = {Block: Attention, SwinTransformerBlock: WindowAttention}
    return [
        (path, module)
        for path, module in network.named_modules()
        if type(module) in known and type(module.attn) is known[type(module)]
    ]


def timm_attention(subject: Subject, x_BCHW: Tensor, *, heads: Heads = "each") -> list[tuple[AttentionPlace, Tensor]]:
    """The probabilities (B, heads, N, N) of every block, in forward order. Pairs in other windows have zero; rows of windows that
    are padded sum to less than one, as those of glocal's layers."""
    found: list[tuple[AttentionPlace, Tensor]] = []
    given: dict[str, tuple[int, ...]] = {}
    blocks = _blocks(subject.network)
    grids = {place.path: place for place in subject.places}

    def read(path: str, block: Any, shares: Tensor) -> None:
        shares = joined(shares, heads=heads)
        if hasattr(block, "window_size"):
            _, h, w, _ = given[path]
            positions, dense = Positions(h, w), _whole(block, shares, h, w)
        else:
            place = grids[path]
            positions, dense = Positions(place.h, place.w, place.extra), shares
        found.append((AttentionPlace(f"{path}.attn", positions, 1.0, residual=True), dense))

    hooks = []
    try:
        for path, block in blocks:
            hooks.append(block.register_forward_pre_hook(lambda _, x, path=path: given.update({path: x[0].shape})))
            hooks.append(
                block.attn.attn_drop.register_forward_pre_hook(
                    lambda _, x, path=path, block=block: read(path, block, x[0].detach())
                )
            )
        with _unfused([block.attn for _, block in blocks]):
            subject.network(x_BCHW)
    finally:
        for hook in hooks:
            hook.remove()
    return found


@contextmanager
def _unfused(layers: list[Any]) -> Iterator[None]:
    before = [layer.fused_attn for layer in layers]
    for layer in layers:
        layer.fused_attn = False
    try:
        yield
    finally:
        for layer, fused in zip(layers, before, strict=True):
            layer.fused_attn = fused


def _whole(block: Any, shares_WhNN: Tensor, h: int, w: int) -> Tensor:
    """Probabilities within windows, (B * windows, heads, n, n), as (B, heads, h * w, h * w)."""
    from timm.models.swin_transformer import window_partition

    rows, columns = block.window_size
    place_1HW1 = torch.arange(h * w).view(1, h, w, 1).roll((-block.shift_size[0], -block.shift_size[1]), (1, 2))
    sides = 0, 0, 0, -w % columns, 0, -h % rows
    padded = functional.pad(place_1HW1, sides, value=h * w)  # after the shift, as the block does
    place_WN = window_partition(padded, (rows, columns)).flatten(1)
    shares_BWhNN = shares_WhNN.unflatten(0, (-1, len(place_WN)))
    dense = shares_WhNN.new_zeros(len(shares_BWhNN), shares_WhNN.shape[1], h * w + 1, h * w + 1)
    dense[:, :, place_WN[:, :, None], place_WN[:, None]] = shares_BWhNN.transpose(1, 2)
    return dense[:, :, :-1, :-1]


def timm_pooling(network: nn.Module, positions: Positions) -> Tensor:
    """The weight (N,) of each position in what the head pools: one for the class token, or equal ones."""
    if getattr(network, "global_pool", "") == "token":
        return functional.one_hot(torch.tensor(0), positions.n).float()
    start = 0 if getattr(network, "pool_include_prefix", False) else positions.extra
    weights = torch.zeros(positions.n)
    weights[start:] = 1 / (positions.n - start)
    return weights

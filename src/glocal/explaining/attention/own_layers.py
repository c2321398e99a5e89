"""The attention of glocal's layers, computed again from their inputs.

The layers themselves keep to `scaled_dot_product_attention`, which returns no probabilities. Shape suffixes are those of
`net.attention`; probabilities are BhNN, from the position that reads (row) to the position that is read (column).
"""

import torch
from torch import Tensor
from torch.nn import functional

from glocal.explaining.attention.places import AttentionPlace, Heads, attention_places, joined
from glocal.explaining.subject import Subject
from glocal.net.attention import (
    AreaAttention,
    Attention,
    LogRelativeAttention,
    RelativeAttention,
    gathered_bias,
    log_offsets,
)
from glocal.net.layers.windows import WindowAttention, attention_bias, windows_of


def own_attention(subject: Subject, x_BCHW: Tensor, *, heads: Heads = "each") -> list[tuple[AttentionPlace, Tensor]]:
    """The probabilities of every attention layer of a network of glocal, in forward order."""
    assert subject.arch is not None
    places, inputs = attention_places(subject.arch), dict[str, Tensor]()
    hooks = [
        subject.network.get_submodule(place.path).register_forward_pre_hook(
            lambda _, given, path=place.path: inputs.update({path: given[0]})
        )
        for place in places
    ]
    try:
        subject.network(x_BCHW)
    finally:
        for hook in hooks:
            hook.remove()
    found = []
    for place in places:
        layer = subject.network.get_submodule(place.path)
        assert isinstance(layer, Attention)
        found.append((place, probabilities(layer, inputs[place.path], heads=heads)))
    return found


def probabilities(layer: Attention, x: Tensor, *, heads: Heads = "each") -> Tensor:
    """The probabilities (B, heads, N, N) with which an attention layer weighs its input, as its own forward pass does.

    Pairs that the layer never compares, in other windows or areas, have zero. Rows of windows that are padded sum to less than
    one; the rest of their attention is on the padding. With the mean of the heads, (B, 1, N, N).
    """
    if isinstance(layer, WindowAttention):
        return _of_windows(layer, x, heads=heads)
    q_BhND, k_BhND, _ = layer.heads_of(x.flatten(2).mT if x.ndim == 4 else x)
    logits_BhNN = q_BhND @ k_BhND.mT / layer.head_dim**0.5
    if isinstance(layer, RelativeAttention) and layer.merge == "before":
        logits_BhNN = logits_BhNN + layer.bias((x.shape[2], x.shape[3]))
    elif isinstance(layer, LogRelativeAttention):
        logits_BhNN = logits_BhNN + gathered_bias(offset_table(layer, x.shape[2], x.shape[3]), *x.shape[2:])
    elif isinstance(layer, AreaAttention):
        logits_BhNN = logits_BhNN.masked_fill(_outside_area(layer), -torch.inf)
    return joined(logits_BhNN.softmax(-1), heads=heads)


def offset_table(layer: LogRelativeAttention, h: int, w: int) -> Tensor:
    """The bias of each offset of an h x w grid: (heads, 2h - 1, 2w - 1)."""
    hidden = functional.relu(layer.inner(log_offsets(h, w).to(layer.inner.weight)))
    table_hUV: Tensor = layer.outer(hidden).permute(2, 0, 1)
    return table_hUV


def _outside_area(layer: AreaAttention) -> Tensor:
    """(N, N) bool: the pairs of patches of different areas, and what class tokens are to patches."""
    (h, w), (r, c) = layer.grid, layer.area
    area_N = (torch.arange(h)[:, None] // r * (w // c) + torch.arange(w) // c).flatten()
    outside_NN = torch.ones(layer.extra + h * w, layer.extra + h * w, dtype=torch.bool)
    outside_NN[: layer.extra] = False
    outside_NN[layer.extra :, layer.extra :] = area_N[:, None] != area_N
    return outside_NN


def _of_windows(layer: WindowAttention, x_BCHW: Tensor, *, heads: Heads) -> Tensor:
    b, _, h, w = x_BCHW.shape
    cut = layer.op.cut(h, w)
    padded_BHWC = functional.pad(x_BCHW.permute(0, 2, 3, 1), (0, 0, 0, cut.w - w, 0, cut.h - h))
    place_1HW1 = torch.arange(cut.h * cut.w).view(1, cut.h, cut.w, 1)
    x_BWNC, place_1WN1 = (windows_of(t.roll((-cut.up, -cut.left), (1, 2)), cut) for t in (padded_BHWC, place_1HW1))
    place_WN = place_1WN1[0, :, :, 0]
    q, k, _ = layer.heads_of(x_BWNC.flatten(0, 1))
    logits_BWhNN = (q @ k.mT / layer.head_dim**0.5).unflatten(0, (b, -1)) + attention_bias(layer, cut)
    n = cut.h * cut.w
    shares_BhWNN = joined(logits_BWhNN.softmax(-1).transpose(1, 2), heads=heads)
    dense: Tensor = logits_BWhNN.new_zeros(b, shares_BhWNN.shape[1], n, n)
    dense[:, :, place_WN[:, :, None], place_WN[:, None]] = shares_BhWNN
    if (cut.h, cut.w) == (h, w):  # nothing is padded; the copies below take longer than the network
        return dense
    real = torch.arange(n).view(cut.h, cut.w)[:h, :w].flatten()
    shares: Tensor = dense[:, :, real][:, :, :, real]
    return shares

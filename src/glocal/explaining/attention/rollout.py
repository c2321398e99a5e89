"""The attention of a whole network, of glocal or timm, and what follows from it: rollout."""

import torch
from torch import Tensor

from glocal.explaining.attention.own_layers import own_attention
from glocal.explaining.attention.places import AttentionPlace, Heads, Positions, attention_places, carry
from glocal.explaining.attention.pooling import pooled_positions, pooling_input, pooling_weights
from glocal.explaining.attention.timm_layers import timm_attention, timm_pooling, unknown_pooling, unreadable
from glocal.explaining.subject import Subject


def why_no_attention(subject: Subject) -> str:
    """Why there is no attention to read; an empty string where there is some."""
    if subject.arch is None:
        return unreadable(subject.network)
    return "" if attention_places(subject.arch) else "it has no layer of attention"


def why_no_rollout(subject: Subject) -> str:
    """Why rollout cannot be computed; an empty string where it can."""
    pooling = unknown_pooling(subject.network) if subject.arch is None else ""
    return why_no_attention(subject) or pooling


@torch.no_grad()
def attention_of(subject: Subject, x_BCHW: Tensor, *, heads: Heads = "each") -> list[tuple[AttentionPlace, Tensor]]:
    """The probabilities (B, heads, N, N) of every attention layer on these pictures, in forward order; none of a network whose
    attention cannot be read. With the mean of the heads, (B, 1, N, N)."""
    if why_no_attention(subject):
        return []
    of_network = own_attention if subject.arch is not None else timm_attention
    return of_network(subject, x_BCHW, heads=heads)


def rollout(subject: Subject, x_BCHW: Tensor) -> Tensor:
    """How much what the network pools takes from each position of its first attention layer: (B, h, w).

    Attention rollout (Abnar and Zuidema 2020, arXiv:2005.00928): the product of all layers' matrices, each the mean over the
    heads, half and half with the identity where the layer has a residual; where only some channels attend, with a half
    of their share. Between layers of different grids, positions are averaged by area. Convolutions between them count as the
    identity. The last factor is how the head pools: the class token's row, SeqPool's weights, or the mean.
    """
    layers_, at, read_BN = _attention_and_pooling(subject, x_BCHW)
    read_B1N = read_BN[:, None]
    # From the last layer to the first, a row of weights passes through each matrix: no product of two matrices is needed.
    for place, shares_B1NN in reversed(layers_):
        read_B1N = read_B1N @ carry(place.positions, at)
        weight, at = place.share * (0.5 if place.residual else 1.0), place.positions
        read_B1N = weight * (read_B1N @ shares_B1NN[:, 0]) + (1 - weight) * read_B1N
    map_BHW: Tensor = read_B1N[:, 0, at.extra :].unflatten(1, (at.h, at.w))
    return map_BHW


def _attention_and_pooling(
    subject: Subject, x_BCHW: Tensor
) -> tuple[list[tuple[AttentionPlace, Tensor]], Positions, Tensor]:
    """The layers, the positions that the head pools, and the weight of each, (B, N)."""
    if subject.arch is None:
        found = attention_of(subject, x_BCHW, heads="mean")
        end = found[-1][0].positions
        return found, end, timm_pooling(subject.network, end).expand(len(x_BCHW), -1)
    with pooling_input(subject) as pooled:
        found = attention_of(subject, x_BCHW, heads="mean")
    end = pooled_positions(subject.arch)
    return found, end, pooling_weights(subject, pooled[-1], end)

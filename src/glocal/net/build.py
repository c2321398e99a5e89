"""Which layer computes which op: one torch module an op, named by the op's path.

Those paths (`stages.0.blocks.3.residual1.branch.attention1.qkv.weight`) are the keys of checkpoints: a change of
`design.ops.steps` or of a layer's attributes breaks published weights.
"""

from collections import OrderedDict
from functools import singledispatch
from itertools import pairwise

import torch
from torch import nn

from glocal.design import ops
from glocal.design.ops import Op, Sentence, steps
from glocal.design.shapes import Grid, Shape, Tokens
from glocal.errors import ArchitectureError
from glocal.net import layers

ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh}


def build(sentence: Sentence, s: Shape) -> nn.Sequential:
    """The layers of a sentence that is given shape s, each under its op's name."""
    made = [(name, op, layer(op, given)) for name, op, given in steps(sentence, s)]
    for i, ((_, op, _), (_, after, _)) in enumerate(pairwise(made)):
        # The two commute, since rectifying keeps the order of numbers; pooled first, fewer are left to rectify.
        if isinstance(op, ops.Act) and op.kind == "relu" and isinstance(after, ops.Pool) and after.kind == "max":
            made[i], made[i + 1] = made[i + 1], made[i]
    return nn.Sequential(OrderedDict((name, module) for name, _, module in made))


@singledispatch
def layer(op: Op, s: Shape) -> nn.Module:
    """The layer that computes an op on shape s."""
    raise ArchitectureError(f"no layer computes {op}")


def _convolve(
    c: int, width: int, *, kernel: int, stride: int, padding: ops.Padding, groups: int, bias: bool
) -> nn.Module:
    if padding == "same" and kernel % 2 == 0:
        return layers.EvenConv2d(c, width, kernel, stride, groups=groups, bias=bias)
    return nn.Conv2d(c, width, kernel, stride, kernel // 2 if padding == "same" else padding, groups=groups, bias=bias)


@layer.register
def _(op: ops.Conv, s: Shape) -> nn.Module:
    return _convolve(
        s.c, op.width, kernel=op.kernel, stride=op.stride, padding=op.padding, groups=op.groups, bias=op.bias
    )


@layer.register
def _(op: ops.Depthwise, s: Shape) -> nn.Module:
    return _convolve(s.c, s.c, kernel=op.kernel, stride=op.stride, padding="same", groups=s.c, bias=op.bias)


@layer.register
def _(op: ops.Patches, s: Shape) -> nn.Module:
    return nn.Conv2d(s.c, op.width, op.patch, op.patch)


@layer.register
def _(op: ops.Linear, s: Shape) -> nn.Module:
    return nn.Conv2d(s.c, op.width, 1, bias=op.bias) if isinstance(s, Grid) else nn.Linear(s.c, op.width, op.bias)


@layer.register
def _(op: ops.Norm, s: Shape) -> nn.Module:
    if op.kind == "layer":
        return (layers.LayerNorm2d if isinstance(s, Grid) else nn.LayerNorm)(s.c, eps=op.eps)
    batch = {Grid: nn.BatchNorm2d, Tokens: layers.BatchNormTokens}.get(type(s), nn.BatchNorm1d)
    return batch(s.c, eps=op.eps)


@layer.register
def _(op: ops.Act, s: Shape) -> nn.Module:
    return ACTIVATIONS[op.kind]()


@layer.register
def _(op: ops.Dropout, s: Shape) -> nn.Module:
    return nn.Dropout(op.rate)


@layer.register
def _(op: ops.Pool, s: Shape) -> nn.Module:
    return (nn.MaxPool2d if op.kind == "max" else nn.AvgPool2d)(op.kernel, op.stride, op.padding)


@layer.register
def _(op: ops.Flatten, s: Shape) -> nn.Module:
    return layers.Flatten()


@layer.register
def _(op: ops.ClassToken, s: Shape) -> nn.Module:
    return layers.ClassToken(s.c)


@layer.register
def _(op: ops.LearnedPosition, s: Tokens) -> nn.Module:
    return layers.Position(torch.empty(1, s.n, s.c), learned=True, grid=(s.h, s.w), resize=op.resize)


@layer.register
def _(op: ops.SinePosition, s: Tokens) -> nn.Module:
    return layers.Position(layers.sinusoid(s.n, s.c), learned=False, grid=(s.h, s.w))


@layer.register
def _(op: ops.Attention, s: Shape) -> nn.Module:
    attention = layers.GridAttention if isinstance(s, Grid) else layers.Attention
    return attention(s.c, heads=op.heads, head_dim=op.head_dim, width=op.width, bias=op.bias, dropout=op.dropout)


@layer.register
def _(op: ops.Mean, s: Shape) -> nn.Module:
    return layers.Mean()


@layer.register
def _(op: ops.First, s: Shape) -> nn.Module:
    return layers.First()


@layer.register
def _(op: ops.SequencePool, s: Shape) -> nn.Module:
    return layers.SequencePool(s.c)


@layer.register
def _(op: ops.Residual, s: Shape) -> nn.Module:
    return layers.Residual(build(op.branch, s), build(op.shortcut, s))

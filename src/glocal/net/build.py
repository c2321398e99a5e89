"""Which layer computes which op: one torch module an op, named by the op's path.

Those paths (`stages.0.blocks.3.residual1.branch.attention1.qkv.weight`) are the keys of checkpoints: a change of
`design.op.steps` or of a layer's attributes breaks published weights.
"""

from collections import OrderedDict
from functools import singledispatch
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from glocal import design
from glocal.design import Grid, Op, Sentence, Shape, Tokens
from glocal.design.op import steps
from glocal.errors import ArchitectureError
from glocal.net import attention, layers

ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh}


def build(sentence: Sentence, s: Shape) -> nn.Sequential:
    """The layers of a sentence that is given shape s, each under its op's name."""
    made = [(name, op, layer(op, given)) for name, op, given in steps(sentence, s)]
    for i, ((_, op, _), (_, after, _)) in enumerate(pairwise(made)):
        # The two commute, since rectifying keeps the order of numbers; pooled first, fewer are left to rectify.
        if isinstance(op, design.Act) and op.kind == "relu" and isinstance(after, design.Pool) and after.kind == "max":
            made[i], made[i + 1] = made[i + 1], made[i]
    for (_, before, _), (_, _, module) in pairwise(made):
        # in place where the layer before has no use for what it made
        if isinstance(module, nn.ReLU) and isinstance(
            before, design.Conv | design.Depthwise | design.Linear | design.Norm
        ):
            module.inplace = True
    return nn.Sequential(OrderedDict((name, module) for name, _, module in made))


@singledispatch
def layer(op: Op, s: Shape) -> nn.Module:
    """The layer that computes an op on shape s."""
    raise ArchitectureError(f"no layer computes {op}")


def _convolve(
    c: int, width: int, *, kernel: int, stride: int, padding: design.Padding, groups: int, bias: bool
) -> nn.Module:
    if kernel == groups == 1 and padding in ("same", 0):
        return layers.Pointwise(c, width, stride=stride, bias=bias)
    if padding == "same" and kernel % 2 == 0:
        return layers.EvenConv2d(c, width, kernel, stride, groups=groups, bias=bias)
    return nn.Conv2d(c, width, kernel, stride, kernel // 2 if padding == "same" else padding, groups=groups, bias=bias)


@layer.register
def _(op: design.Conv, s: Shape) -> nn.Module:
    return _convolve(
        s.c, op.width, kernel=op.kernel, stride=op.stride, padding=op.padding, groups=op.groups, bias=op.bias
    )


@layer.register
def _(op: design.Depthwise, s: Shape) -> nn.Module:
    return _convolve(s.c, s.c, kernel=op.kernel, stride=op.stride, padding="same", groups=s.c, bias=op.bias)


@layer.register
def _(op: design.Conv1d, s: Tokens) -> nn.Module:
    if op.kernel == 1:
        return nn.Linear(s.c, op.width, op.bias)
    return layers.Conv1d(s.c, op.width, op.kernel, bias=op.bias)


@layer.register
def _(op: design.Depthwise1d, s: Tokens) -> nn.Module:
    return layers.Conv1d(s.c, s.c, op.kernel, groups=s.c, bias=op.bias)


@layer.register
def _(op: design.Patches, s: Shape) -> nn.Module:
    return nn.Conv2d(s.c, op.width, op.patch, op.patch)


@layer.register
def _(op: design.Linear, s: Shape) -> nn.Module:
    return (layers.Pointwise if isinstance(s, Grid) else nn.Linear)(s.c, op.width, bias=op.bias)


@layer.register
def _(op: design.Norm, s: Shape) -> nn.Module:
    if op.kind == "layer":
        return (layers.LayerNorm2d if isinstance(s, Grid) else nn.LayerNorm)(s.c, eps=op.eps)
    if op.kind == "variance":
        return layers.VarianceNorm(s.c, eps=op.eps)
    batch = {Grid: nn.BatchNorm2d, Tokens: layers.BatchNormTokens}.get(type(s), nn.BatchNorm1d)
    return batch(s.c, eps=op.eps)


@layer.register
def _(op: design.Act, s: Shape) -> nn.Module:
    return layers.GELU2d() if op.kind == "gelu" and isinstance(s, Grid) else ACTIVATIONS[op.kind]()


@layer.register
def _(op: design.Gate, s: Shape) -> nn.Module:
    return layers.Gate(1 if isinstance(s, Grid) else -1)


@layer.register
def _(op: design.Scale, s: Shape) -> nn.Module:
    return layers.Scale(s.c, init=op.init)


@layer.register
def _(op: design.SqueezeExcite, s: Shape) -> nn.Module:
    return layers.SqueezeExcite(s.c, width=op.width, act=ACTIVATIONS[op.act]())


@layer.register
def _(op: design.Dropout, s: Shape) -> nn.Module:
    return nn.Dropout(op.rate)


@layer.register
def _(op: design.Pool, s: Shape) -> nn.Module:
    return (nn.MaxPool2d if op.kind == "max" else nn.AvgPool2d)(op.kernel, op.stride, op.padding)


@layer.register
def _(op: design.Flatten, s: Shape) -> nn.Module:
    return layers.Flatten()


@layer.register
def _(op: design.Unflatten, s: Tokens) -> nn.Module:
    return layers.Unflatten(s.h, s.w)


@layer.register
def _(op: design.ClassToken, s: Shape) -> nn.Module:
    return layers.ClassToken(s.c)


@layer.register
def _(op: design.LearnedPosition, s: Tokens) -> nn.Module:
    return layers.Position(torch.empty(1, s.n, s.c), learned=True, grid=(s.h, s.w), resize=op.resize)


@layer.register
def _(op: design.SinePosition, s: Tokens) -> nn.Module:
    return layers.Position(layers.sinusoid(s.n, s.c), learned=False, grid=(s.h, s.w))


def _heads(op: design.Attention) -> dict[str, Any]:
    return {"heads": op.heads, "head_dim": op.head_dim, "width": op.width, "bias": op.bias, "dropout": op.dropout}


@layer.register
def _(op: design.Attention, s: Shape) -> nn.Module:
    return (attention.GridAttention if isinstance(s, Grid) else attention.Attention)(s.c, **_heads(op))


@layer.register
def _(op: design.RelativeAttention, s: Grid) -> nn.Module:
    return attention.RelativeAttention(s.c, grid=(s.h, s.w), merge=op.merge, **_heads(op))


@layer.register
def _(op: design.LogRelativeAttention, s: Grid) -> nn.Module:
    return attention.LogRelativeAttention(s.c, hidden=op.hidden, **_heads(op))


@layer.register
def _(op: design.AreaAttention, s: Tokens) -> nn.Module:
    area = (op.rows, op.columns)
    return attention.AreaAttention(s.c, extra=s.extra, grid=(s.h, s.w), area=area, **_heads(op))


@layer.register
def _(op: design.Mean, s: Shape) -> nn.Module:
    return layers.Mean()


@layer.register
def _(op: design.First, s: Shape) -> nn.Module:
    return layers.First()


@layer.register
def _(op: design.SequencePool, s: Shape) -> nn.Module:
    return layers.SequencePool(s.c)


@layer.register
def _(op: design.Residual, s: Shape) -> nn.Module:
    return layers.Residual(build(op.branch, s), build(op.shortcut, s))


@layer.register
def _(op: design.Split, s: Shape) -> nn.Module:
    one, other = (build(sentence, given) for _, sentence, given in op.inside(s))
    return layers.Split(one, other, first=op.first)

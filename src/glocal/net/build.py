"""Which layer computes which op: one torch module an op, named by the op's path.

Those paths (`stages.0.blocks.3.residual1.branch.attention1.qkv.weight`) are the keys of checkpoints: a change of
`design.op.steps` or of a layer's attributes breaks published weights.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Protocol, runtime_checkable

import torch
from torch import nn

from glocal import design
from glocal.design import Grid, Op, Sentence, Shape, Tokens
from glocal.design.op import steps
from glocal.errors import ArchitectureError
from glocal.net import attention, layers
from glocal.net.layers import metaformer, windows

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


@runtime_checkable
class BringsLayer(Protocol):
    """An op outside of glocal's own alphabet, which makes its layer itself."""

    def layer(self, s: Shape) -> nn.Module:
        """The layer that computes the op on shape s."""
        ...


def layer(op: Op, s: Shape) -> nn.Module:
    """The layer that computes an op on shape s; ArchitectureError where there is none."""
    if (make := LAYERS.get(type(op))) is not None:
        return make(op, s)
    if isinstance(op, BringsLayer):
        return op.layer(s)
    raise ArchitectureError(f"no layer computes {op}; give {type(op).__name__} a method layer(self, s) that makes one")


def _convolve(
    c: int, width: int, *, kernel: int, stride: int, padding: design.Padding, groups: int, bias: bool
) -> nn.Module:
    if kernel == groups == 1 and padding in ("same", 0):
        return layers.Pointwise(c, width, stride=stride, bias=bias)
    if padding == "same" and kernel % 2 == 0:
        return layers.EvenConv2d(c, width, kernel, stride, groups=groups, bias=bias)
    return nn.Conv2d(c, width, kernel, stride, kernel // 2 if padding == "same" else padding, groups=groups, bias=bias)


def _conv(op: design.Conv, s: Shape) -> nn.Module:
    return _convolve(
        s.c, op.width, kernel=op.kernel, stride=op.stride, padding=op.padding, groups=op.groups, bias=op.bias
    )


def _depthwise(op: design.Depthwise, s: Shape) -> nn.Module:
    return _convolve(s.c, s.c, kernel=op.kernel, stride=op.stride, padding="same", groups=s.c, bias=op.bias)


def _conv1d(op: design.Conv1d, s: Tokens) -> nn.Module:
    if op.kernel == 1:
        return nn.Linear(s.c, op.width, op.bias)
    return layers.Conv1d(s.c, op.width, op.kernel, bias=op.bias)


def _linear(op: design.Linear, s: Shape) -> nn.Module:
    return (layers.Pointwise if isinstance(s, Grid) else nn.Linear)(s.c, op.width, bias=op.bias)


def _norm(op: design.Norm, s: Shape) -> nn.Module:
    if op.kind == "layer":
        return (layers.LayerNorm2d if isinstance(s, Grid) else nn.LayerNorm)(s.c, eps=op.eps)
    if op.kind == "variance":
        return layers.VarianceNorm(s.c, eps=op.eps)
    if isinstance(s, Grid):
        return nn.BatchNorm2d(s.c, eps=op.eps)
    return (layers.BatchNormTokens if isinstance(s, Tokens) else nn.BatchNorm1d)(s.c, eps=op.eps)


def _act(op: design.Act, s: Shape) -> nn.Module:
    return layers.GELU2d() if op.kind == "gelu" and isinstance(s, Grid) else ACTIVATIONS[op.kind]()


def _pool(op: design.Pool, s: Shape) -> nn.Module:
    return (nn.MaxPool2d if op.kind == "max" else nn.AvgPool2d)(op.kernel, op.stride, op.padding)


def _learned_position(op: design.LearnedPosition, s: Tokens) -> nn.Module:
    return layers.Position(torch.empty(1, s.n, s.c), learned=True, grid=(s.h, s.w), resize=op.resize)


def _sine_position(op: design.SinePosition, s: Tokens) -> nn.Module:
    return layers.Position(layers.sinusoid(s.n, s.c), learned=False, grid=(s.h, s.w))


def _attention(op: design.Attention, s: Shape) -> nn.Module:
    return (attention.GridAttention if isinstance(s, Grid) else attention.Attention)(op, s)


def _residual(op: design.Residual, s: Shape) -> nn.Module:
    return layers.Residual(build(op.branch, s), build(op.shortcut, s))


def _split(op: design.Split, s: Shape) -> nn.Module:
    one, other = (build(sentence, given) for _, sentence, given in op.inside(s))
    return layers.Split(one, other, first=op.first)


# What makes the layer of each op of the alphabet. A class whose constructor takes the op and the shape that it is given can
# stand here itself, so that a new op is one more line.
LAYERS: Mapping[type[Op], Callable[..., nn.Module]] = {
    design.Act: _act,
    design.AreaAttention: attention.AreaAttention,
    design.Attention: _attention,
    design.ClassToken: lambda op, s: layers.ClassToken(s.c),
    design.Conv: _conv,
    design.Conv1d: _conv1d,
    design.Depthwise: _depthwise,
    design.Depthwise1d: lambda op, s: layers.Conv1d(s.c, s.c, op.kernel, groups=s.c, bias=op.bias),
    design.Dropout: lambda op, s: nn.Dropout(op.rate),
    design.First: lambda op, s: layers.First(),
    design.Flatten: lambda op, s: layers.Flatten(),
    design.Gate: lambda op, s: layers.Gate(1 if isinstance(s, Grid) else -1),
    design.GroupNorm: lambda op, s: nn.GroupNorm(op.groups, s.c, op.eps),
    design.LearnedPosition: _learned_position,
    design.Linear: _linear,
    design.LogRelativeAttention: attention.LogRelativeAttention,
    design.Mean: lambda op, s: layers.Mean(),
    design.Norm: _norm,
    design.Patches: lambda op, s: nn.Conv2d(s.c, op.width, op.patch, op.patch),
    design.Pool: _pool,
    design.PoolingMixer: metaformer.PoolingMixer,
    design.RelativeAttention: attention.RelativeAttention,
    design.Residual: _residual,
    design.Scale: lambda op, s: layers.Scale(s.c, init=op.init),
    design.SequencePool: lambda op, s: layers.SequencePool(s.c),
    design.SinePosition: _sine_position,
    design.SpaceToDepth: windows.SpaceToDepth,
    design.Split: _split,
    design.SqueezeExcite: lambda op, s: layers.SqueezeExcite(s.c, width=op.width, act=ACTIVATIONS[op.act]()),
    design.Unflatten: lambda op, s: layers.Unflatten(s.h, s.w),
    design.WindowAttention: windows.WindowAttention,
}

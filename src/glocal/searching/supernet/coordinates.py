"""The coordinates of the weights of a sentence: what each index along each axis means. No torch.

The axes of a weight are products of coordinates: the rows of a packed query, key and value are (which of the three) x (head)
x (channel of the head). Where the name and the coordinates agree, two parts have the same weight, whatever its place in memory.
"""

from collections import Counter
from collections.abc import Iterator
from functools import singledispatch
from math import prod
from typing import NamedTuple

from glocal import design
from glocal.design import Sentence, Shape
from glocal.design.op import Op, Residual, Split, read, steps

Axis = tuple[range, ...]  # one axis of a tensor: the product of these
_MAKERS = design.Linear, design.Conv, design.Conv1d, design.Patches, design.Attention


class Weight(NamedTuple):
    """A weight of a sentence: its layer, its name there, its name among the parts of a position, and its axes."""

    module: str
    name: str
    shared: str
    axes: tuple[Axis, ...]


def coordinates(sentence: Sentence, s: Shape) -> Iterator[Weight]:
    """The weights whose coordinates are known. Of other weights (squeeze-and-excitation, perceptrons of offset tables), parts
    share the beginning of each axis.

    A layer inside a Split gets the name that it would have outside, so that the same heads have one name in every block.
    """
    return _walk(sentence, s, (range(s.c),), ends=None, path="", shared="", seen=Counter())


def _walk(
    sentence: Sentence, s: Shape, channels: Axis, *, ends: Axis | None, path: str, shared: str, seen: Counter[type]
) -> Iterator[Weight]:
    """`channels` are the coordinates of the input's channels, `ends` those of the output's, where they are known."""
    ops = list(steps(sentence, s))
    last = max((i for i, (_, op, _) in enumerate(ops) if isinstance(op, (*_MAKERS, Residual, Split))), default=-1)
    for i, (name, op, given) in enumerate(ops):
        seen[type(op)] += 1
        known = f"{shared}{type(op).__name__}{seen[type(op)]}"
        c, end = op.out(given).c, ends if i == last else None
        left = channels
        if isinstance(op, Residual):
            left = end or (channels if c == given.c else (range(c),))
            for part, inner, at in op.inside(given):
                here, there = f"{path}{name}.{part}.", f"{known}.{part}."
                yield from _walk(inner, at, channels, ends=left, path=here, shared=there, seen=Counter())
        elif isinstance(op, Split):
            kept = [read(inner, at).c == at.c for _, inner, at in op.inside(given)]
            left = end or (channels if all(kept) else (range(c),))
            dealt = zip(op.inside(given), _divided(channels, op.first), kept, strict=True)
            for (part, inner, at), mine, keeps in dealt:
                here = f"{path}{name}.{part}."
                yield from _walk(inner, at, mine, ends=mine if keeps else None, path=here, shared=shared, seen=seen)
        else:
            if isinstance(op, design.Gate):
                left = channels[1:] if channels[0] == range(2) else (range(c),)
            elif isinstance(op, _MAKERS):
                gated = i + 1 < len(ops) and isinstance(ops[i + 1][1], design.Gate)
                left = end or _new_channels(c, channels, gated=gated)
            elif c != given.c:
                left = _new_channels(c, channels, gated=False)
            for key, axes in _weights(op, given, channels, left).items():
                module, _, parameter = f"{path}{name}.{key}".rpartition(".")
                yield Weight(module, parameter, f"{known}.{key}", axes)
        channels = left


def _divided(channels: Axis, first: int) -> tuple[Axis, Axis]:
    """The channels of the two sentences of a Split: the first ones belong to the first heads, the last to the last.

    Where a channel has several coordinates, its place among all takes their stead: a Split may cut anywhere.
    """
    every = channels[0] if len(channels) == 1 else range(prod(map(len, channels)))
    return (every[:first],), (every[first:],)


def _new_channels(c: int, channels: Axis, *, gated: bool) -> Axis:
    """New channels: a whole number for each of the old ones, where possible. In front of a gate, each has a value and a gate."""
    if gated:
        return range(2), *_new_channels(c // 2, channels, gated=False)
    times, rest = divmod(c, prod(map(len, channels)))
    return (range(times), *channels) if times and not rest else (range(c),)


def _taps(kernel: int, *, before: int) -> Axis:
    """Offsets of a kernel's taps, counted from the tap at the position itself."""
    return (range(-before, kernel - before),)


@singledispatch
def _weights(op: Op, s: Shape, channels: Axis, left: Axis) -> dict[str, tuple[Axis, ...]]:
    """The axes of an op's weights, from the coordinates of its input channels and of those it leaves."""
    return {}


@_weights.register
def _(op: design.Linear, s: Shape, channels: Axis, left: Axis) -> dict[str, tuple[Axis, ...]]:
    return {"weight": (left, channels), "bias": (left,)}


@_weights.register
def _(op: design.Conv, s: Shape, channels: Axis, left: Axis) -> dict[str, tuple[Axis, ...]]:
    if op.groups > 1:
        return {}
    if op.kernel == 1 and op.padding in ("same", 0):
        return {"weight": (left, channels), "bias": (left,)}
    taps = _taps(op.kernel, before=(op.kernel - 1) // 2 if op.padding == "same" else 0)
    return {"weight": (left, channels, taps, taps), "bias": (left,)}


@_weights.register
def _(op: design.Conv1d, s: Shape, channels: Axis, left: Axis) -> dict[str, tuple[Axis, ...]]:
    taps = (_taps(op.kernel, before=op.kernel // 2),) if op.kernel > 1 else ()
    return {"weight": (left, channels, *taps), "bias": (left,)}


@_weights.register
def _(op: design.Patches, s: Shape, channels: Axis, left: Axis) -> dict[str, tuple[Axis, ...]]:
    return {"weight": (left, channels, (range(op.patch),), (range(op.patch),)), "bias": (left,)}


@_weights.register
def _(op: design.Depthwise, s: Shape, channels: Axis, left: Axis) -> dict[str, tuple[Axis, ...]]:
    taps = _taps(op.kernel, before=(op.kernel - 1) // 2)
    return {"weight": (channels, (range(1),), taps, taps), "bias": (channels,)}


@_weights.register
def _(op: design.Depthwise1d, s: Shape, channels: Axis, left: Axis) -> dict[str, tuple[Axis, ...]]:
    return {"weight": (channels, (range(1),), _taps(op.kernel, before=op.kernel // 2)), "bias": (channels,)}


@_weights.register(design.Norm)
@_weights.register(design.Scale)
def _(op: Op, s: Shape, channels: Axis, left: Axis) -> dict[str, tuple[Axis, ...]]:
    return {"weight": (channels,), "bias": (channels,)}


@_weights.register
def _(op: design.Attention, s: Shape, channels: Axis, left: Axis) -> dict[str, tuple[Axis, ...]]:
    size = s.c // op.heads
    first = channels[0].start // size if len(channels) == 1 and size else 0
    inner = range(first, first + op.heads), range(op.head_dim)
    table = {"table": ((inner[0],), (range(2 * s.h - 1),), (range(2 * s.w - 1),))} if isinstance(s, design.Grid) else {}
    return {
        "qkv.weight": ((range(3), *inner), channels),
        "qkv.bias": ((range(3), *inner),),
        "project.weight": (left, inner),
        "project.bias": (left,),
        **table,
    }


@_weights.register
def _(op: design.ClassToken, s: Shape, channels: Axis, left: Axis) -> dict[str, tuple[Axis, ...]]:
    return {"token": ((range(1),), (range(1),), channels)}


@_weights.register
def _(op: design.LearnedPosition, s: Shape, channels: Axis, left: Axis) -> dict[str, tuple[Axis, ...]]:
    return {"table": ((range(1),), (range(s.n),), channels)}

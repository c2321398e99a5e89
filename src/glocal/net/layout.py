"""How the numbers of a grid lie in memory, which decides how fast a layer runs and the last bits of what it gives.

"plain" is channel by channel, as PyTorch and timm have pictures. "channels_last" is position by position: on some processors 1.5
times as fast for networks of convolutions, on others 0.6 times, so that it is taken only where it was asked for,
or measured (docs/log.md).
"""

import copy
import statistics
from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from glocal.design import (
    Attention,
    Flatten,
    Norm,
    Op,
    Part,
    Residual,
    Sentence,
    Shape,
    SpaceToDepth,
    Split,
    Unflatten,
)
from glocal.design.op import steps
from glocal.net.timing.latency import measure_calls

Layout = Literal["plain", "channels_last"]
FORMATS: Mapping[Layout, torch.memory_format] = {
    "plain": torch.contiguous_format,
    "channels_last": torch.channels_last,
}
GAIN = 1.05  # a layout other than the plain one must be so many times as fast, more than the noise of a quiet machine


def laid_out(x_BCHW: Tensor, layout: Layout) -> Tensor:
    """Pictures in a layout; copied only where they lie otherwise."""
    return x_BCHW.contiguous(memory_format=FORMATS[layout])


def measure_layouts(
    step: Callable[[nn.Module, Layout], object], network: nn.Module, *, device: torch.device, rounds: int = 6
) -> dict[Layout, float]:
    """Milliseconds of a step in each layout, medians in turns. The network is copied, so that its weights and statistics stay;
    random numbers that the steps draw are given back.

    step: computes a pass, or a pass and its gradients, with the copy it is given, in a layout.
    """
    tried = copy.deepcopy(network)
    calls = {layout: partial(step, tried, layout) for layout in FORMATS}
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        taken = measure_calls(calls, device=device, rounds=rounds, warmup=2, bf16=False)
    return {layout: statistics.median(ms) for layout, ms in taken.items()}


def faster_layout(ms: Mapping[Layout, float]) -> Layout:
    """The plain layout, unless another is faster by more than `GAIN`."""
    best = min(ms, key=lambda layout: ms[layout])
    return best if ms["plain"] > GAIN * ms[best] else "plain"


def leaves_channels_last(part: Part, channels_last: bool) -> bool:
    """Whether the grid that a part leaves lies position by position, given how the one before it does."""
    return _left(part.sentence, part.given, channels_last)


def _left(sentence: Sentence, s: Shape, channels_last: bool) -> bool:
    for _, op, given in steps(sentence, s):
        channels_last = _left_by(op, given, channels_last)
    return channels_last


def _left_by(op: Op, s: Shape, channels_last: bool) -> bool:
    if isinstance(op, Residual):  # a sum lies as its first summand does
        return _left(op.shortcut, s, channels_last)
    if isinstance(op, Split):
        return all(_left(sentence, given, channels_last) for _, sentence, given in op.inside(s))
    if isinstance(op, Attention | Unflatten) or (isinstance(op, Norm) and op.kind == "layer"):
        return True
    return channels_last and not isinstance(op, SpaceToDepth | Flatten)

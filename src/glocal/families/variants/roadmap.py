"""The road from ResNet-50 to ConvNeXt-T, and from ResNet-200 to ConvNeXt-B (Liu et al. 2022, Section 2, Figure 2).

Each step is an edit of the one before. Tables 10 and 11 of the paper print its multiply-adds, which all steps here
reproduce but two: the last two rows of Table 10. Row 11 prints 4.46 G, which is the count of row 12 (its twin in Table 11
repeats the row before, as exchanging norms must); row 12 prints 4.49 G where ConvNeXt-T has 4.456 G, which
Table 1 of the paper rounds to 4.5. What the paper leaves open is decided in docs/decisions/0007-roadmap.md.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from glocal.design import Architecture, Conv, Linear, Mean, Sentence
from glocal.families import convnext, resnet
from glocal.families.family import Family
from glocal.families.resnet import BN, BOTTLENECK, ResidualBlock


class Regime(NamedTuple):
    """Where a road starts and ends: names, depths before and after step 1, inner widths until step 0, 3 and 11."""

    end: str
    depths: tuple[int, ...]
    widths: tuple[int, int, int]


REGIMES = {
    "resnet50": Regime("convnext_tiny", (3, 3, 9, 3), (64, 64, 96)),
    "resnet200": Regime("convnext_base", (3, 3, 27, 3), (64, 84, 128)),
}
STEPS = (
    "the ResNet",
    "stage ratio",
    "patchify stem",
    "depthwise convolution",
    "increased width",
    "inverted bottleneck",
    "depthwise convolution moved up",
    "kernel size 7",
    "ReLU to GELU",
    "fewer activations",
    "fewer norms",
    "BN to LN",
    "separate downsampling: the ConvNeXt",
)
KERNELS = (5, 9, 11)
NAMES = tuple(
    f"{start}_step_{step}{kernel}"
    for start in REGIMES
    for step in range(len(STEPS))
    for kernel in ("", *(f"_k{k}" for k in KERNELS if step == 7))
)
# with the enhanced recipe and without EMA (Tables 10 and 11)
TOP1 = {
    f"{start}_step_{step}": (top1, f"ConvNeXt, Table {table}")
    for start, table, column in (
        ("resnet50", 10, (78.82, 79.36, 79.51, 78.28, 80.50, 80.64, 79.92, 80.57, 80.62, 81.27, 81.41, 81.47, 81.97)),
        ("resnet200", 11, (81.14, 81.33, 81.59, 80.54, 81.85, 82.64, 82.04, 82.30, 82.19, 82.71, 83.17, 83.35, 83.60)),
    )
    for step, top1 in enumerate(column)
}
TOP1 |= {f"resnet50_step_7_k{k}": (top1, "ConvNeXt, Table 10") for k, top1 in ((5, 80.35), (9, 80.57), (11, 80.47))}
TOP1 |= {f"resnet200_step_7_k{k}": (top1, "ConvNeXt, Table 11") for k, top1 in ((5, 82.32), (9, 82.27), (11, 82.18))}


@dataclass(frozen=True)
class _Draft:
    """A step before it has a name. `width` is that of the first stage's blocks, from end to end."""

    stem: Sentence
    block: ResidualBlock
    depths: tuple[int, ...]
    width: int


def _edits(start: str) -> Iterator[_Draft]:
    _, depths, (narrow, ratio, wide) = REGIMES[start]
    draft = _Draft(resnet.stem(narrow), BOTTLENECK, resnet.DEPTHS[start], 4 * narrow)
    yield draft
    draft = replace(draft, stem=resnet.stem(ratio), depths=depths, width=4 * ratio)
    yield draft
    draft = replace(draft, stem=(Conv(ratio, 4, 4, padding=0, bias=False), BN))
    yield draft
    draft = replace(draft, block=draft.block.edited("3x3/4", "d3x3"))
    yield draft
    draft = replace(draft, stem=(Conv(wide, 4, 4, padding=0, bias=False), BN), width=4 * wide)
    yield draft
    draft = replace(draft, block=draft.block.edited("1x1/4", "1x1*4"), width=wide)
    yield draft
    draft = replace(draft, block=draft.block.edited("1x1*4 bn relu d3x3 bn relu", "d3x3 bn relu 1x1*4 bn relu"))
    yield draft
    draft = replace(draft, block=draft.block.edited("d3x3", "d7x7"))
    yield draft
    draft = replace(draft, block=draft.block.edited("relu", "gelu", after="gelu"))
    yield draft
    draft = replace(draft, block=draft.block.edited("d7x7 bn gelu", "d7x7 bn", after=""))
    yield draft
    draft = replace(draft, block=draft.block.edited("1x1*4 bn gelu 1x1 bn", "1x1*4 gelu 1x1"))
    yield draft
    ln = draft.block.edited("bn", "ln", shortcut="ln")
    yield replace(draft, stem=(Conv(wide, 4, 4, padding=0), convnext.LN), block=ln)


def roadmap(start: str, *, layer_scale: bool = False) -> tuple[Architecture, ...]:
    """The thirteen networks from `resnet50` or `resnet200` to the ConvNeXt, in the paper's order.

    `layer_scale` puts LayerScale into every step, which Table 5 read literally asks for; without it step 0 is the ResNet
    and the last step alone has it.
    """
    last = convnext.named(REGIMES[start].end)
    assert last is not None
    steps = [_network(draft, last.drop_path, layer_scale=layer_scale) for draft in _edits(start)]
    return tuple(replace(arch, name=f"{start}_step_{i}") for i, arch in enumerate((*steps, last)))


def _network(draft: _Draft, drop_path: float, *, layer_scale: bool) -> Architecture:
    block = replace(draft.block, branch=f"{draft.block.branch} scale") if layer_scale else draft.block
    stages = resnet.stages(block, draft.depths, draft.width)
    return Architecture("", draft.stem, stages, (Mean(), Linear(1000)), init="normal", drop_path=drop_path)


def named(name: str) -> Architecture | None:
    """The architecture of `resnet50_step_0` to `resnet200_step_12`; `resnet50_step_7_k5` has another kernel (3 to 11)."""
    m = re.fullmatch(rf"({'|'.join(REGIMES)})_step_(\d|1[012])(?:_k(3|5|7|9|11))?", name)
    if not m or (m[3] and int(m[2]) < 6):
        return None
    arch = roadmap(m[1])[int(m[2])]
    return replace(_with_kernel(arch, int(m[3])), name=name) if m[3] else arch


def _with_kernel(arch: Architecture, kernel: int) -> Architecture:
    def edited(block: object) -> ResidualBlock | convnext.ConvNeXtBlock:
        if isinstance(block, ResidualBlock):
            return replace(block, branch=re.sub(r"d\d+x\d+", f"d{kernel}x{kernel}", block.branch))
        assert isinstance(block, convnext.ConvNeXtBlock)
        return replace(block, kernel=kernel)

    return replace(arch, stages=tuple(replace(s, blocks=tuple(map(edited, s.blocks))) for s in arch.stages))


FAMILY = Family(words=(), names=NAMES, named=named, top1=TOP1)

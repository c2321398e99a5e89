"""The same network, smaller: how a paper's network becomes one that two cores train in minutes, by one stated rule.

What a study compares (a kernel, a norm, where attention begins) stays; sizes shrink alike in all arms. docs/studies.md has the
rules as a table.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from glocal.comparing.study import Scale
from glocal.design import Architecture, Stage, adapt
from glocal.design.architecture import Word, parts
from glocal.design.op import Op, Sentence
from glocal.design.shapes import Grid, Tokens
from glocal.errors import ComparisonError
from glocal.families.convmixer import ConvMixerLayer
from glocal.families.glit import GLiTAreaBlock, GLiTGridBlock

T = TypeVar("T")


@dataclass(frozen=True)
class Rule:
    """How sizes shrink.

    pyramid, tokens: factors on widths, of networks of several stages (and ConvMixer) and of those of one. head_dim: factor on
    the channels of an attention head. depth: factor on the blocks of a stage, at least one. unit: widths of pyramids are
    multiples of it.
    """

    image: int
    pyramid: float
    tokens: float
    head_dim: float
    depth: float
    unit: int


RULES: dict[Scale, Rule] = {
    "cifar": Rule(image=32, pyramid=1 / 4, tokens=1 / 2, head_dim=1 / 2, depth=1 / 2, unit=32),
    "tiny": Rule(image=32, pyramid=1 / 8, tokens=1 / 4, head_dim=1 / 4, depth=1 / 3, unit=16),
}

GRID = 8 / 14  # patches a side at these scales (32 / 4), over those of the papers (224 / 16)


def scaled(arch: Architecture, scale: Scale) -> Architecture:
    """The network at a scale: of pictures of 32 pixels, shallower and narrower, without stochastic depth and attention dropout.

    Pictures that are 32 pixels or smaller in the paper keep their size and patches. ComparisonError for an unknown scale.
    """
    if scale == "paper":
        return arch
    if scale not in RULES:
        raise ComparisonError(f"--scale {scale}: the scales are paper, {', '.join(RULES)}")
    rule = RULES[scale]
    classes = arch.head[-1]
    body, mixer = adapt(arch, classes=0), isinstance(arch.stages[0].blocks[0], ConvMixerLayer)
    pyramid = len(arch.stages) > 1
    width = _pyramid_width(rule) if pyramid or mixer else _token_width(rule)
    stages = tuple(
        replace(stage, width=width(stage.width), blocks=tuple(_word(b, rule) for b in _fewer(stage.blocks, rule.depth)))
        for stage in body.stages
    )
    small = arch.image.h <= rule.image
    stem = (
        edited_widths(body.stem, width)
        if small
        else _shrunk_stem(edited_widths(body.stem, width), coarser=2 if pyramid else 7 / 4 if mixer else 4)
    )
    image = arch.image if small else Grid(arch.image.c, rule.image, rule.image)
    found = replace(
        arch,
        name=f"{arch.name}@{scale}",
        stem=stem,
        stages=stages,
        head=(*edited_widths(body.head, width), classes)
        if classes not in body.head
        else edited_widths(body.head, width),
        image=image,
        drop_path=0.0,
    )
    return found if small else _with_fitting_kernels(found, before=arch)


def _pyramid_width(rule: Rule) -> Any:
    return lambda width: max(1, round(width * rule.pyramid / rule.unit)) * rule.unit


def _token_width(rule: Rule) -> Any:
    return lambda width: max(8, int(width * rule.tokens))


def _fewer(blocks: Sequence[T], factor: float) -> tuple[T, ...]:
    """Fewer blocks of a stage: of a pattern of two in turn, whole pairs; of others, evenly spaced ones from first to last."""
    n = max(1, round(len(blocks) * factor))
    pairs = len(blocks) > 1 and blocks[0] != blocks[1] and tuple(blocks) == (*blocks[:2],) * (len(blocks) // 2)
    if pairs:
        return tuple(blocks[: 2 * math.ceil(n / 2)])
    return tuple(blocks[round(i * (len(blocks) - 1) / max(1, n - 1))] for i in range(n))


def _word(word: Word, rule: Rule) -> Any:
    """A block with smaller heads and areas, and without attention dropout; what it is made of stays."""
    if hasattr(word, "attention_dropout"):
        word = replace(word, attention_dropout=0.0)  # type: ignore[type-var]
    if isinstance(word, GLiTAreaBlock):
        return replace(word, rows=math.ceil(word.rows * GRID), columns=math.ceil(word.columns * GRID))
    if hasattr(word, "head_dim"):
        return replace(word, head_dim=max(8, int(word.head_dim * rule.head_dim)))  # type: ignore[type-var]
    return word


def edited_widths(sentence: Sentence, width: Any) -> Sentence:
    """Ops with their widths scaled."""

    def edited(op: Any) -> Any:
        return replace(op, width=width(op.width)) if "width" in {f.name for f in fields(op)} else op

    return tuple(map(edited, sentence))


def _shrunk_stem(stem: Sentence, *, coarser: float) -> Sentence:
    """A stem for pictures a seventh as wide: its first stride (or patch) divided by `coarser`, to the nearest power of two."""
    ops = list(stem)
    for i, op in enumerate(ops):
        step = getattr(op, "stride", getattr(op, "patch", 1))
        if step > 1:
            ops[i] = _with_step(op, 2 ** round(math.log2(max(1, step / coarser))))
            break
    return tuple(ops)


def _with_step(op: Op, step: int) -> Any:
    """A convolution or patches of another stride; its kernel shrinks with it, and patches stay patches."""
    names = {f.name for f in fields(op)}
    if "patch" in names:
        return replace(op, patch=step)  # type: ignore[call-arg]
    kernel, stride = op.kernel, op.stride  # type: ignore[attr-defined]
    if kernel == stride:
        return replace(op, kernel=step, stride=step)  # type: ignore[call-arg]
    changes: dict[str, Any] = {"kernel": min(kernel, 3), "stride": step}
    if "padding" in names and op.padding not in ("same", 0):  # type: ignore[attr-defined]
        changes["padding"] = "same"
    return replace(op, **changes)


def _with_fitting_kernels(arch: Architecture, *, before: Architecture) -> Architecture:
    """Kernels that follow the grid: none is wider than 2 x grid - 1, beyond which it reads padding alone; those along tokens
    shrink as the number of tokens does; windows are as large as they were, or the next smaller size that divides the grid."""
    given = {path: part.given for path, part in parts(arch)}
    tokens_before = max((part.given.n for _, part in parts(before) if isinstance(part.given, Tokens)), default=1)
    stages = []
    for i, stage in enumerate(arch.stages):
        blocks = []
        for j, block in enumerate(stage.blocks):
            shape = given[f"stages.{i}.blocks.{j}"]
            if isinstance(shape, Grid):
                most = (
                    2 * max(1, min(shape.h, shape.w) // (stage.stride if j == 0 and stage.downsample is None else 1))
                    - 1
                )
                blocks.append(_at_most(block, most))
            else:
                blocks.append(_along_tokens(block, shape.n / tokens_before))
        stages.append(Stage(stage.width, tuple(blocks), stage.stride, stage.downsample))
    return replace(arch, stages=tuple(stages))


def _at_most(block: Any, most: int) -> Any:
    if isinstance(getattr(block, "kernel", None), int) and block.kernel > most:
        return replace(block, kernel=most)
    if isinstance(getattr(block, "branch", None), str):  # a ResidualBlock spells its kernels: "d7x7"
        smaller = re.sub(r"d(\d+)x\d+", lambda m: "d{0}x{0}".format(min(int(m[1]), most)), block.branch)
        return replace(block, branch=smaller)
    if isinstance(getattr(block, "window", None), int):
        grid = (most + 1) // 2
        return replace(block, window=max(w for w in range(1, min(block.window, grid) + 1) if grid % w == 0))
    return block


def _along_tokens(block: Any, share: float) -> Any:
    """A block of tokens of which there are only `share`: its 1-D kernel is as large a share of them as before."""
    if share >= 1 or isinstance(block, GLiTGridBlock):  # whose kernel is of the grid, and small
        return block
    if isinstance(getattr(block, "kernel", None), int):
        return replace(block, kernel=max(3, 2 * round(block.kernel * share / 2 - 0.5) + 1))
    return block

"""The design space as data: ops, words, architectures, their costs, spaces of them, and their text. No torch."""

from glocal.design.adapt import adapt
from glocal.design.architecture import Architecture, Part, Stage, Word, keeps, parts
from glocal.design.cost import Cost, cost
from glocal.design.op import Op, Residual, Sentence, Split
from glocal.design.ops.attention import AreaAttention, Attention, LogRelativeAttention, RelativeAttention
from glocal.design.ops.convolutions import Conv, Conv1d, Depthwise, Depthwise1d, Padding, Patches, Pool
from glocal.design.ops.metaformer import GroupNorm, PoolingMixer
from glocal.design.ops.pointwise import Act, Dropout, Gate, Linear, Norm, Scale, SqueezeExcite
from glocal.design.ops.sequences import (
    ClassToken,
    First,
    Flatten,
    LearnedPosition,
    Mean,
    SequencePool,
    SinePosition,
    Unflatten,
)
from glocal.design.ops.windows import SpaceToDepth, WindowAttention
from glocal.design.shapes import Grid, Shape, Tokens, Vector
from glocal.design.space import OneOf, decide, questions, sample, vary
from glocal.design.text import dump, load, python, show, spell

__all__ = [
    "Act",
    "Architecture",
    "AreaAttention",
    "Attention",
    "ClassToken",
    "Conv",
    "Conv1d",
    "Cost",
    "Depthwise",
    "Depthwise1d",
    "Dropout",
    "First",
    "Flatten",
    "Gate",
    "Grid",
    "GroupNorm",
    "LearnedPosition",
    "Linear",
    "LogRelativeAttention",
    "Mean",
    "Norm",
    "OneOf",
    "Op",
    "Padding",
    "Part",
    "Patches",
    "Pool",
    "PoolingMixer",
    "RelativeAttention",
    "Residual",
    "Scale",
    "Sentence",
    "SequencePool",
    "Shape",
    "SinePosition",
    "SpaceToDepth",
    "Split",
    "SqueezeExcite",
    "Stage",
    "Tokens",
    "Unflatten",
    "Vector",
    "WindowAttention",
    "Word",
    "adapt",
    "cost",
    "decide",
    "dump",
    "keeps",
    "load",
    "parts",
    "python",
    "questions",
    "sample",
    "show",
    "spell",
    "vary",
]

"""The layers that PyTorch does not have, one for an op. Which op builds which layer is said in `glocal.net.build`.

Shape suffixes: B batch, C channels, H and W the sides of a grid, N tokens or positions, h heads, D channels of a head.
Grids are BCHW, tokens BNC, pooled pictures BC.
"""

from glocal.net.layers.composites import Residual, Split
from glocal.net.layers.convolutions import Conv1d, EvenConv2d, Pointwise
from glocal.net.layers.pointwise import BatchNormTokens, Gate, GELU2d, LayerNorm2d, Scale, SqueezeExcite, VarianceNorm
from glocal.net.layers.sequences import ClassToken, First, Flatten, Mean, Position, SequencePool, Unflatten, sinusoid

__all__ = [
    "BatchNormTokens",
    "ClassToken",
    "Conv1d",
    "EvenConv2d",
    "First",
    "Flatten",
    "GELU2d",
    "Gate",
    "LayerNorm2d",
    "Mean",
    "Pointwise",
    "Position",
    "Residual",
    "Scale",
    "SequencePool",
    "Split",
    "SqueezeExcite",
    "Unflatten",
    "VarianceNorm",
    "sinusoid",
]

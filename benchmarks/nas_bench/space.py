"""The space of the bench: 125 hybrids of three blocks, each of five kinds between convolution and attention."""

from collections.abc import Iterator
from itertools import product

from glocal.design import Architecture, Conv, Linear, Mean, Norm, OneOf, Stage, questions
from glocal.design.shapes import Grid
from glocal.design.space import Answers
from glocal.families.coatnet import MBConv, RelativeTransformer
from glocal.families.convmixer import ConvMixerLayer
from glocal.families.convnext import ConvNeXtBlock, Downsample
from glocal.families.vit import TransformerLayer

KINDS = ("ConvMixer", "ConvNeXt", "MBConv", "relative attention", "attention")  # in the order of the options
LOCAL, GLOBAL = (0, 1, 2), (3, 4)
_HEAD = 16
_LN = Norm("layer", 1e-6)


def bench_space(widths: tuple[int, int] = (16, 32), *, size: int = 32, classes: int = 10) -> Architecture:
    """One block on a grid of 8 x 8, and two on 4 x 4 at twice the width. Attention has heads of 16 channels, and
    hidden layers are twice as wide as their block: these are our choices, so that an epoch takes a second of one core."""
    first, second = widths
    stages = (
        Stage(first, (_words(first),)),
        Stage(second, (_words(second),) * 2, stride=2, downsample=Downsample()),
    )
    stem = Conv(first, 4, 4, padding=0), _LN
    return Architecture("nas_bench", stem, stages, (Mean(), _LN, Linear(classes)), Grid(3, size, size))


def every(space: Architecture) -> Iterator[Answers]:
    """The answers of all networks."""
    yield from product(*(range(len(question.options)) for question in questions(space)))


def _words(width: int) -> OneOf:
    """A block of each kind. ConvNeXt's has no LayerScale: at 1e-6 a block that is trained for a few steps would do nothing."""
    return OneOf(
        (
            ConvMixerLayer(3),
            ConvNeXtBlock(5, 2.0, scale=0.0),
            MBConv(2),
            RelativeTransformer(_HEAD, 2.0),
            TransformerLayer(width // _HEAD, 2.0),
        )
    )

"""The plain convolutional network that trains fastest on CIFAR-10: airbench (Jordan 2024, arXiv:2404.00498), at any widths.

Its first layer is learned like all others here; the paper's is whitened from the pictures and frozen. A baseline of ours for
small pictures on small machines; no paper of the five.
"""

import re
from dataclasses import dataclass

from glocal.design.architecture import Architecture, Stage
from glocal.design.op import Sentence
from glocal.design.ops.convolutions import Conv, Pool
from glocal.design.ops.pointwise import Act, Linear, Norm
from glocal.design.ops.sequences import Mean
from glocal.design.shapes import Grid
from glocal.errors import ShapeError
from glocal.families.family import Family

NAMES = ("airbench_32_128_256", "airbench_64_256_256")  # the second has the paper's widths


@dataclass(frozen=True)
class ConvGroup:
    """3 x 3, max-pooling of stride 2, batch norm, GELU, 3 x 3, batch norm, GELU."""

    def spell(self, width_in: int, width: int, stride: int) -> Sentence:
        """The block's ops; ShapeError where it is not the one block of a stage of stride 2."""
        if stride != 2:
            raise ShapeError(f"{self} halves the size: it is the first and only block of a Stage of stride 2")
        bn, gelu = Norm("batch"), Act("gelu")
        return Conv(width, 3, bias=False), Pool("max", 2, 2), bn, gelu, Conv(width, 3, bias=False), bn, gelu


def named(name: str) -> Architecture | None:
    """The architecture of `airbench_<width>_<width>_<width>`; None for any other name."""
    if not re.fullmatch(r"airbench_\d+_\d+_\d+", name):
        return None
    widths = [int(width) for width in name.split("_")[1:]]
    return Architecture(
        name,
        stem=(Conv(24, 2, padding=0), Act("gelu")),
        stages=tuple(Stage(width, (ConvGroup(),), 2) for width in widths),
        head=(Pool("max", 3, 3), Mean(), Linear(10)),
        image=Grid(3, 32, 32),
    )


FAMILY = Family(words=(ConvGroup,), names=NAMES, named=named)

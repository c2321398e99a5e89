"""MobileNetV4 (Qin et al. 2024, arXiv:2404.10518): the universal inverted bottleneck, and the smallest network of it.

The numbers are those of the authors' code (tensorflow/models, official/vision/modeling/backbones/mobilenet.py), whose padding
of strided convolutions is TensorFlow's. Here it is symmetric, as in timm.
"""

from dataclasses import dataclass
from typing import Literal

from glocal.design.architecture import Architecture, Stage
from glocal.design.op import Residual, Sentence
from glocal.design.ops.convolutions import Conv, Depthwise
from glocal.design.ops.pointwise import Act, Linear, Norm
from glocal.design.ops.sequences import Mean
from glocal.errors import ArchitectureError, ShapeError
from glocal.families.family import Family

BN, RELU = Norm("batch"), Act("relu")


@dataclass(frozen=True)
class UIB:
    """The universal inverted bottleneck: depthwise, widening 1 x 1, depthwise, narrowing 1 x 1.

    `start` and `middle` are the kernels of the two depthwise convolutions, and 0 leaves one out; which of them are there
    gives the paper's four blocks (`kind`). The middle one carries the stride, or else the first. The inner width is a
    multiple of 8. Where width and size stay, the input is added.
    """

    start: int = 0
    middle: int = 3
    expansion: float = 4.0

    def __post_init__(self) -> None:
        if self.start < 0 or self.middle < 0:
            raise ArchitectureError(f"{self}: a kernel is a number of positions, or 0 for no depthwise convolution")

    @property
    def kind(self) -> Literal["IB", "ConvNext", "ExtraDW", "FFN"]:
        """The paper's name of the block."""
        if self.start and self.middle:
            return "ExtraDW"
        return "IB" if self.middle else "ConvNext" if self.start else "FFN"

    def spell(self, width_in: int, width: int, stride: int) -> Sentence:
        if stride > 1 and self.kind == "FFN":
            raise ShapeError(f"{self} has no depthwise convolution that could stride by {stride}")
        inner = eighths(self.expansion * width_in)
        first, second = (1, stride) if self.middle else (stride, 1)
        start = (Depthwise(self.start, first, bias=False), BN) if self.start else ()
        middle = (Depthwise(self.middle, second, bias=False), BN, RELU) if self.middle else ()
        branch = (*start, Linear(inner, bias=False), BN, RELU, *middle, Linear(width, bias=False), BN)
        return (Residual(branch),) if (width_in, stride) == (width, 1) else branch


@dataclass(frozen=True)
class ConvPair:
    """A k x k convolution that strides and widens, then a 1 x 1, each with batch norm and ReLU: two of the code's `convbn`."""

    kernel: int = 3
    expansion: float = 1.0

    def spell(self, width_in: int, width: int, stride: int) -> Sentence:
        inner = eighths(self.expansion * width_in)
        return Conv(inner, self.kernel, stride, bias=False), BN, RELU, Linear(width, bias=False), BN, RELU


def eighths(width: float) -> int:
    """The multiple of 8 next to a width, the one above where that is more than a tenth less (MobileNetV2's code)."""
    near = max(8, int(width + 4) // 8 * 8)
    return near if near >= 0.9 * width else near + 8


# MNV4ConvSmall_BLOCK_SPECS of the authors' code; each stage halves the picture.
CONV_SMALL = (
    Stage(32, (ConvPair(),), 2),
    Stage(64, (ConvPair(expansion=3.0),), 2),
    Stage(96, (UIB(5, 5, 3.0), *(UIB(0, 3, 2.0),) * 4, UIB(3, 0)), 2),
    Stage(128, (UIB(3, 3, 6.0), UIB(5, 5), UIB(0, 5), UIB(0, 5, 3.0), UIB(0, 3), UIB(0, 3)), 2),
)


def named(name: str) -> Architecture | None:
    """The architecture of `mobilenetv4_conv_small`; None for any other name."""
    if name != "mobilenetv4_conv_small":
        return None
    return Architecture(
        name,
        stem=(Conv(32, 3, 2, bias=False), BN, RELU),
        stages=CONV_SMALL,
        head=(Linear(960, bias=False), BN, RELU, Mean(), Linear(1280, bias=False), BN, RELU, Linear(1000)),
        init="resnet",
    )


def _rows() -> dict[str, str]:
    """timm's name of each layer; what a depthwise convolution is called depends on its block."""
    rows = {"stem.conv1": "conv_stem", "stem.norm1": "bn1"}
    rows |= {"head.linear1": "blocks.4.0.conv|1x1", "head.norm1": "blocks.4.0.bn1"}
    rows |= {"head.linear2": "conv_head|1x1", "head.norm2": "norm_head", "head.linear3": "classifier"}
    for i, stage in enumerate(CONV_SMALL):
        for j, block in enumerate(stage.blocks):
            ours, theirs = f"stages.{i}.blocks.{j}", f"blocks.{i}.{j}"
            if isinstance(block, UIB):
                rows |= _rows_of(block, ours if j == 0 else f"{ours}.residual1.branch", theirs)
            else:
                rows |= {f"{ours}.conv1": f"blocks.{i}.0.conv", f"{ours}.norm1": f"blocks.{i}.0.bn1"}
                rows |= {f"{ours}.linear1": f"blocks.{i}.1.conv|1x1", f"{ours}.norm2": f"blocks.{i}.1.bn1"}
    return rows


def _rows_of(block: UIB, ours: str, theirs: str) -> dict[str, str]:
    layers = [("depthwise", "dw_start")] * bool(block.start) + [("linear", "pw_exp")]
    layers += [("depthwise", "dw_mid")] * bool(block.middle) + [("linear", "pw_proj")]
    rows, seen = dict[str, str](), {"depthwise": 0, "linear": 0}
    for k, (kind, name) in enumerate(layers):
        seen[kind] += 1
        rows[f"{ours}.{kind}{seen[kind]}"] = f"{theirs}.{name}.conv{'|1x1' if kind == 'linear' else ''}"
        rows[f"{ours}.norm{k + 1}"] = f"{theirs}.{name}.bn"
    return rows


FAMILY = Family(
    words=(UIB, ConvPair),
    names=("mobilenetv4_conv_small",),
    named=named,
    timm={"mobilenetv4_conv_small": {"model_name": "mobilenetv4_conv_small"}},
    weights={"timm (MobileNetV4)": _rows()},
)

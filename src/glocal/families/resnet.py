"""ResNet (He et al. 2016, arXiv:1512.03385), with the stride on the 3 x 3 as torchvision has it: where ConvNeXt's roadmap
starts, and a baseline."""

import re
from dataclasses import dataclass, replace
from typing import Literal

from glocal.design.architecture import Architecture, Stage
from glocal.design.op import Op, Residual, Sentence
from glocal.design.ops.convolutions import Conv, Depthwise, Pool
from glocal.design.ops.pointwise import Act, Linear, Norm, Scale
from glocal.design.ops.sequences import Mean
from glocal.errors import ArchitectureError
from glocal.families.family import Family

BN, RELU = Norm("batch"), Act("relu")
DEPTHS = {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3), "resnet200": (3, 24, 36, 3)}
NAMES = tuple(DEPTHS)
TIMM = {name: {"model_name": name} for name in NAMES}
TOP1 = {"resnet50": (76.13, "ConvNeXt, Table 10"), "resnet200": (78.20, "ConvNeXt, Table 11")}

# what a layer of a ResidualBlock may be called, convolutions aside
LAYERS: dict[str, Op] = {
    "bn": BN,
    "ln": Norm("layer", 1e-6),
    "relu": RELU,
    "gelu": Act("gelu"),
    "scale": Scale(1e-6),
}
_CONVOLUTION = re.compile(r"(d?)([1-9]\d*)x\2(?:([*/])([1-9]\d*))?")


@dataclass(frozen=True)
class ResidualBlock:
    """A residual block as the figures of papers write it: "1x1/4 bn relu  3x3/4 bn relu  1x1 bn".

    kxk is a convolution and dkxk a depthwise one; *4 and /4 are its width in terms of the block's. The first layer with
    k > 1 carries the stride. A convolution has a bias unless a batch norm follows. Where width or size change, the
    shortcut is a strided 1x1 and the norm named by `shortcut`; `after` is the activation of the sum.
    """

    branch: str
    shortcut: Literal["bn", "ln"] = "bn"
    after: Literal["relu", "gelu", ""] = ""

    def spell(self, width_in: int, width: int, stride: int) -> Sentence:
        branch: list[Op] = []
        strides = iter((stride,))
        said = self.branch.split()
        for layer, following in zip(said, (*said[1:], ""), strict=True):
            bias = following != "bn"
            if layer in LAYERS:
                branch.append(LAYERS[layer])
            elif m := _CONVOLUTION.fullmatch(layer):
                kernel, times = int(m[2]), int(m[4] or 1)
                inner = width // times if m[3] == "/" else width * times
                by = next(strides, 1) if kernel > 1 else 1
                if m[1]:
                    branch.append(Depthwise(kernel, by, bias))
                else:
                    branch.append(Linear(inner, bias) if kernel == 1 else Conv(inner, kernel, by, bias=bias))
            else:
                raise ArchitectureError(f"{self}: {layer!r} is no layer; write 3x3, d7x7, 1x1*4 or {', '.join(LAYERS)}")
        project: Sentence = ()
        if (width_in, stride) != (width, 1):
            project = Conv(width, 1, stride, bias=self.shortcut != "bn"), LAYERS[self.shortcut]
        return Residual(tuple(branch), project), *((Act(self.after),) if self.after else ())

    def edited(self, old: str, new: str, **fields: str) -> "ResidualBlock":
        """The same block with every `old` of its branch, a run of layers, written as `new`."""
        padded = f" {self.branch} "
        assert f" {old} " in padded, (self, old)
        return replace(self, branch=padded.replace(f" {old} ", f" {new} ").strip(), **fields)  # type: ignore[arg-type]


BOTTLENECK = ResidualBlock("1x1/4 bn relu 3x3/4 bn relu 1x1 bn", after="relu")


def stem(width: int) -> Sentence:
    """7 x 7 of stride 2, then 3 x 3 max-pooling of stride 2 (Table 1)."""
    return Conv(width, 7, 2, bias=False), BN, RELU, Pool("max", 3, 2, 1)


def stages(block: ResidualBlock, depths: tuple[int, ...], width: int) -> tuple[Stage, ...]:
    """Stages of one block each, twice as wide and half as large as the one before."""
    return tuple(Stage(width * 2**i, (block,) * depth, 1 if i == 0 else 2) for i, depth in enumerate(depths))


def named(name: str) -> Architecture | None:
    """The architecture of `resnet50`, `resnet101` or `resnet200`; None for any other name."""
    if name not in DEPTHS:
        return None
    return Architecture(
        name, stem(64), stages(BOTTLENECK, DEPTHS[name], 256), head=(Mean(), Linear(1000)), init="resnet"
    )


FAMILY = Family(words=(ResidualBlock,), names=NAMES, named=named, timm=TIMM, top1=TOP1)

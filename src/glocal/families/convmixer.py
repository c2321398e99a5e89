"""ConvMixer (Trockman & Kolter 2022, arXiv:2201.09792), "Patches Are All You Need?": convolution alone, at one resolution."""

import re
from dataclasses import dataclass
from typing import Literal

from glocal.design.architecture import Architecture, Stage, keeps
from glocal.design.op import Residual, Sentence
from glocal.design.ops.convolutions import Conv, Depthwise
from glocal.design.ops.pointwise import Act, Linear, Norm
from glocal.design.ops.sequences import Mean
from glocal.design.shapes import Grid
from glocal.families.family import Family

BN, LN = Norm("batch"), Norm("layer", 1e-6)

# Published under short names; 768/32 was trained with ReLU, which its weights do not tell (authors' release).
SHORT = {
    "convmixer_1536_20": "convmixer_1536_20_p7_k9",
    "convmixer_768_32": "convmixer_768_32_p7_k7_relu",
    "convmixer_1024_20": "convmixer_1024_20_p14_k9",
}
# timm's name, and the name of the ReLU variant by its activation alone
ALIASES = {"convmixer_1024_20_ks9_p14": "convmixer_1024_20", "convmixer_768_32_relu": "convmixer_768_32"}
TIMM = {
    "convmixer_1536_20": {"model_name": "convmixer_1536_20"},
    "convmixer_768_32": {"model_name": "convmixer_768_32"},
    "convmixer_1024_20": {"model_name": "convmixer_1024_20_ks9_p14"},
}
TOP1 = {
    "convmixer_1536_20": (81.37, "the paper"),
    "convmixer_768_32": (80.16, "the paper"),
    "convmixer_1024_20": (76.94, "timm"),
}
NAMES = (
    *SHORT,
    "convmixer_1536_20_p14_k9",
    "convmixer_1536_24_p14_k9",
    "convmixer_1536_20_p7_k3",
    "convmixer_1024_16_p7_k9",
    "convmixer_1024_12_p7_k8",
    "convmixer_512_16_p7_k8",
    "convmixer_512_12_p7_k8",
    "convmixer_256_8_p2_k5_32",  # the authors' CIFAR-10 script
    "convmixer_256_8_p1_k9_32",  # the paper's CIFAR-10 network of 0.7 M weights
    "convmixer_256_8_p2_k9_32",
    "convmixer_256_8_p1_k5_32",
    "convmixer_256_16_p1_k8_32",
    "convmixer_128_8_p1_k9_32",
    "convmixer_128_4_p1_k8_32",
    "convmixer_512_8_p1_k9_32",
)


@dataclass(frozen=True)
class ConvMixerLayer:
    """Eqs. 2-3: z' = BN(act(depthwise z)) + z, then z = BN(act(pointwise z')); the norm follows the activation.

    The paper's ablations change `norm`, and which of the two convolutions have a residual connection.
    """

    kernel: int
    act: Literal["gelu", "relu"] = "gelu"
    norm: Literal["batch", "layer"] = "batch"
    residual: Literal["depthwise", "both", "none"] = "depthwise"

    def spell(self, width_in: int, width: int, stride: int) -> Sentence:
        keeps(self, width_in=width_in, width=width, stride=stride)
        act, norm = Act(self.act), BN if self.norm == "batch" else LN
        spatial, pointwise = (Depthwise(self.kernel), act, norm), (Linear(width), act, norm)
        first = spatial if self.residual == "none" else (Residual(spatial),)
        return *first, *((Residual(pointwise),) if self.residual == "both" else pointwise)


def convmixer(
    name: str,
    *,
    width: int,
    depth: int,
    kernel: int,
    patch: int,
    act: Literal["gelu", "relu"] = "gelu",
    size: int = 224,
    classes: int = 1000,
) -> Architecture:
    """ConvMixer-width/depth (the paper's h and d), patch embedding as Eq. 1; rows that fill no patch are dropped."""
    return Architecture(
        name,
        stem=(Conv(width, patch, patch, padding=0), Act(act), BN),
        stages=(Stage(width, (ConvMixerLayer(kernel, act),) * depth),),
        head=(Mean(), Linear(classes)),
        image=Grid(3, size, size),
    )


def named(name: str) -> Architecture | None:
    """The architecture of `convmixer_<h>_<d>_p<p>_k<k>[_relu][_32]` or a published short name; None for any other.

    `_32` is the CIFAR size: 32 x 32 pictures, 10 classes. The activation is GELU unless the name says ReLU.
    """
    name = ALIASES.get(name, name)
    m = re.fullmatch(r"convmixer_([1-9]\d*)_([1-9]\d*)_p([1-9]\d*)_k([1-9]\d*)(_relu)?(_32)?", SHORT.get(name, name))
    if not m:
        return None
    width, depth, patch, kernel = map(int, m.groups()[:4])
    size, classes = (32, 10) if m[6] else (224, 1000)
    return convmixer(
        next((short for short, full in SHORT.items() if full == name), name),
        width=width,
        depth=depth,
        kernel=kernel,
        patch=patch,
        act="relu" if m[5] else "gelu",
        size=size,
        classes=classes,
    )


FAMILY = Family(words=(ConvMixerLayer,), names=NAMES, named=named, timm=TIMM, top1=TOP1)

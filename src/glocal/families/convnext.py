"""ConvNeXt (Liu et al. 2022, arXiv:2201.03545), "A ConvNet for the 2020s": a convolutional network in a transformer's clothes.

How one gets there from a ResNet is in `roadmap`.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

from glocal.design.architecture import Architecture, Stage, keeps
from glocal.design.op import Residual, Sentence
from glocal.design.ops.convolutions import Conv, Depthwise
from glocal.design.ops.pointwise import Act, Linear, Norm, Scale
from glocal.design.ops.sequences import Mean
from glocal.families.family import Family

LN = Norm("layer", 1e-6)


@dataclass(frozen=True)
class ConvNeXtBlock:
    """d7x7, LN, 1x1 four times as wide, GELU, 1x1, LayerScale, and the sum (Figure 4).

    `scale` is the initial value of LayerScale, 0 for none; `norm` another than the paper's, for timm's networks.
    """

    kernel: int = 7
    expansion: float = 4.0
    scale: float = 1e-6
    norm: Norm = LN

    def spell(self, width_in: int, width: int, stride: int) -> Sentence:
        keeps(self, width_in=width_in, width=width, stride=stride)
        scale = (Scale(self.scale),) if self.scale else ()
        mlp = Linear(int(self.expansion * width)), Act("gelu"), Linear(width)
        return (Residual((Depthwise(self.kernel), self.norm, *mlp, *scale)),)


@dataclass(frozen=True)
class Downsample:
    """LN, then a convolution whose windows do not overlap: the separate downsampling layer of Section 2.6."""

    norm: Norm = LN

    def spell(self, width_in: int, width: int, stride: int) -> Sentence:
        return self.norm, Conv(width, stride, stride, padding=0)


class Size(NamedTuple):
    """Depths, width of the first stage, stochastic depth from scratch on ImageNet-1K and on 22K (Table 5)."""

    depths: tuple[int, ...]
    width: int
    drop_path: float = 0.0
    drop_path_22k: float = 0.0


SIZES = {
    "tiny": Size((3, 3, 9, 3), 96, 0.1),
    "small": Size((3, 3, 27, 3), 96, 0.4),
    "base": Size((3, 3, 27, 3), 128, 0.5, 0.1),
    "large": Size((3, 3, 27, 3), 192, 0.5, 0.1),
    "xlarge": Size((3, 3, 27, 3), 256, drop_path_22k=0.2),
    # timm's
    "zepto": Size((2, 2, 4, 2), 32),
    "atto": Size((2, 2, 6, 2), 40),
    "femto": Size((2, 2, 6, 2), 48),
    "pico": Size((2, 2, 6, 2), 64),
    "nano": Size((2, 2, 8, 2), 80),
    "xxlarge": Size((3, 4, 30, 3), 384),
}
ISOTROPIC = {"small": (384, 18, 0.1, 0.0), "base": (768, 18, 0.2, 0.0), "large": (1024, 36, 0.5, 1e-6)}
PAPERS = ("tiny", "small", "base", "large", "xlarge")
NAMES = (
    *(f"convnext_{size}" for size in PAPERS),
    *(f"convnext_{size}_22k" for size in PAPERS),
    *(f"convnext_isotropic_{size}" for size in ISOTROPIC),
    *("convnext_zepto_rms", "convnext_atto", "convnext_femto", "convnext_pico", "convnext_nano", "convnext_xxlarge"),
    *("convnext_atto_ols", "convnext_femto_ols", "convnext_pico_ols", "convnext_nano_ols", "convnext_tiny_hnf"),
)
TIMM = {name: {"model_name": name} for name in NAMES if "isotropic" not in name and "22k" not in name}
TOP1 = {
    "convnext_tiny": (82.1, "the paper"),
    "convnext_small": (83.1, "the paper"),
    "convnext_base": (83.8, "the paper"),
    "convnext_large": (84.3, "the paper"),
    "convnext_isotropic_small": (79.7, "Table 2"),
    "convnext_isotropic_base": (82.0, "Table 2"),
    "convnext_isotropic_large": (82.6, "Table 2"),
}


def convnext(
    name: str,
    depths: tuple[int, ...],
    width: int,
    *,
    classes: int = 1000,
    drop_path: float = 0.0,
    stem: Sentence | None = None,
    norm: Norm = LN,
    norm_first: bool = False,
) -> Architecture:
    """Four stages, each twice as wide as the one before, at 1/4 to 1/32 of the picture (Section 2, Figure 4).

    `stem` takes the place of the patches of 4 x 4 with their norm; `norm_first` puts the head's norm before its pooling
    (timm's hnf).
    """
    block, between = ConvNeXtBlock(norm=norm), Downsample(norm)
    first, *later = (Stage(width * 2**i, (block,) * depth, 2, between) for i, depth in enumerate(depths))
    return Architecture(
        name,
        stem=stem or (Conv(width, 4, 4, padding=0), norm),
        stages=(Stage(first.width, first.blocks), *later),
        head=(norm, Mean(), Linear(classes)) if norm_first else (Mean(), norm, Linear(classes)),
        init="normal",
        drop_path=drop_path,
    )


def isotropic(name: str, width: int, depth: int, *, drop_path: float, scale: float) -> Architecture:
    """ConvNeXt blocks at 1/16 of the picture throughout, as ViT's layers are (Section 3.3)."""
    return Architecture(
        name,
        stem=(Conv(width, 16, 16, padding=0),),
        stages=(Stage(width, (ConvNeXtBlock(scale=scale),) * depth),),
        head=(Mean(), LN, Linear(1000)),
        init="normal",
        drop_path=drop_path,
    )


def named(name: str) -> Architecture | None:
    """The architecture of `convnext_<size>`, then `_22k` (21,841 classes), `_hnf` (norm before pooling) or `_ols`
    (overlapping stem of two 3 x 3); `convnext_isotropic_<size>`; None for any other name."""
    if m := re.fullmatch(r"convnext_isotropic_(small|base|large)", name):
        width, depth, drop_path, scale = ISOTROPIC[m[1]]
        return isotropic(name, width, depth, drop_path=drop_path, scale=scale)
    m = re.fullmatch(rf"convnext_({'|'.join(SIZES)})(_rms)?(_22k)?(_hnf)?(_ols)?", name)
    if not m or (m[1] == "zepto") != bool(m[2]):
        return None
    depths, width, drop_path, drop_path_22k = SIZES[m[1]]
    norm = Norm("variance", 1e-6) if m[2] else Norm("layer", 1e-5) if m[1] == "xxlarge" else LN
    inner = width if m[1] == "nano" else (width // 2 + 4) // 8 * 8  # half the width, to the nearest multiple of 8
    overlapping = (Conv(inner, 3, 2), Conv(width, 3, 2), norm) if m[5] else None
    return convnext(
        name,
        depths,
        width,
        classes=21841 if m[3] else 1000,
        drop_path=drop_path_22k if m[3] else drop_path,
        stem=overlapping,
        norm=norm,
        norm_first=bool(m[4]),
    )


FAMILY = Family(words=(ConvNeXtBlock, Downsample), names=NAMES, named=named, timm=TIMM, top1=TOP1)

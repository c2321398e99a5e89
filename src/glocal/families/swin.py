"""Swin Transformer (Liu et al. 2021, arXiv:2103.14030): attention within windows, which every second block shifts."""

import re
from dataclasses import dataclass
from typing import NamedTuple

from glocal.design.architecture import Architecture, Stage, keeps
from glocal.design.op import Residual, Sentence
from glocal.design.ops.attention import heads_in
from glocal.design.ops.convolutions import Conv
from glocal.design.ops.pointwise import Linear, Norm
from glocal.design.ops.sequences import Mean
from glocal.design.ops.windows import SpaceToDepth, WindowAttention
from glocal.design.shapes import Grid
from glocal.families.family import Family
from glocal.families.vit import mlp

LN = Norm("layer")


@dataclass(frozen=True)
class SwinBlock:
    """x <- x + (S)W-MSA(LN(x)); x <- x + MLP(LN(x)) (Eq. 3). In the paper, blocks are shifted in turn."""

    shifted: bool = False
    window: int = 7
    head_dim: int = 32
    expansion: float = 4.0
    attention_dropout: float = 0.0

    def spell(self, width_in: int, width: int, stride: int) -> Sentence:
        keeps(self, width_in=width_in, width=width, stride=stride)
        heads = heads_in(width, head_dim=self.head_dim)
        attend = WindowAttention(heads, self.head_dim, width, True, self.attention_dropout, self.window, self.shifted)
        return Residual((LN, attend)), Residual((LN, *mlp(width, self.expansion)))


@dataclass(frozen=True)
class PatchMerging:
    """The channels of stride x stride neighbours side by side, LN, and a dense layer (Section 3.1)."""

    def spell(self, width_in: int, width: int, stride: int) -> Sentence:
        merge = (SpaceToDepth(stride),) if stride > 1 else ()
        return *merge, LN, Linear(width, bias=False)


class Size(NamedTuple):
    """Blocks of the stages and width of the first (Section 3.3), stochastic depth (Appendix A2.1)."""

    depths: tuple[int, int, int, int]
    width: int
    drop_path: float


SIZES = {
    "tiny": Size((2, 2, 6, 2), 96, 0.2),
    "small": Size((2, 2, 18, 2), 96, 0.3),
    "base": Size((2, 2, 18, 2), 128, 0.5),
}
NAMES = tuple(f"swin_{size}" for size in SIZES)
_BLOCK, _THEIRS = "stages.{i}.blocks.{j}", "layers.{i}.blocks.{j}"
WEIGHTS = {
    "timm (Swin)": {
        "stem.conv1": "patch_embed.proj",
        "stem.norm1": "patch_embed.norm",
        "stages.{i}.downsample.norm1": "layers.{i}.downsample.norm",
        "stages.{i}.downsample.linear1": "layers.{i}.downsample.reduction",
        f"{_BLOCK}.residual1.branch.norm1": f"{_THEIRS}.norm1",
        f"{_BLOCK}.residual1.branch.window_attention1.qkv": f"{_THEIRS}.attn.qkv",
        f"{_BLOCK}.residual1.branch.window_attention1.project": f"{_THEIRS}.attn.proj",
        f"{_BLOCK}.residual1.branch.window_attention1.offsets": f"{_THEIRS}.attn.relative_position_bias_table|offsets",
        f"{_BLOCK}.residual2.branch.norm1": f"{_THEIRS}.norm2",
        **{f"{_BLOCK}.residual2.branch.linear{k}": f"{_THEIRS}.mlp.fc{k}" for k in (1, 2)},
        "head.norm1": "norm",
        "head.linear1": "head.fc",
    }
}


def swin(name: str, size: Size, *, window: int = 7, image: int = 224) -> Architecture:
    """Patches of 4 x 4, then four stages, each twice as wide and half as large as the one before (Figure 3)."""
    pair = SwinBlock(window=window), SwinBlock(shifted=True, window=window)
    first, *later = (
        Stage(size.width * 2**i, pair * (depth // 2), 2, PatchMerging()) for i, depth in enumerate(size.depths)
    )
    return Architecture(
        name,
        stem=(Conv(size.width, 4, 4, padding=0), LN),
        stages=(Stage(first.width, first.blocks), *later),
        head=(LN, Mean(), Linear(1000)),
        image=Grid(3, image, image),
        init="vit",
        drop_path=size.drop_path,
    )


def named(name: str) -> Architecture | None:
    """The architecture of `swin_<tiny, small, base>`, or timm's `swin_tiny_patch4_window7_224`; None for any other name."""
    m = re.fullmatch(rf"swin_({'|'.join(SIZES)})(?:_patch4_window7_224)?", name)
    return swin(f"swin_{m[1]}", SIZES[m[1]]) if m else None


FAMILY = Family(
    words=(SwinBlock, PatchMerging),
    names=NAMES,
    named=named,
    timm={name: {"model_name": f"{name}_patch4_window7_224"} for name in NAMES},
    top1={name: (top1, "authors' README") for name, top1 in zip(NAMES, (81.2, 83.2, 83.5), strict=True)},
    weights=WEIGHTS,
)

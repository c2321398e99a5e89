"""PoolFormer (Yu et al. 2022, "MetaFormer Is Actually What You Need for Vision", arXiv:2111.11418): a transformer whose token
mixer is a pooling.

timm's `poolformer_*` are other networks: they pool before the last norm, which is a LayerNorm there. They have the suffix
`_timm` here, since the same weights make another function.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

from glocal.design.architecture import Architecture, Stage, keeps
from glocal.design.op import Residual, Sentence
from glocal.design.ops.convolutions import Conv
from glocal.design.ops.metaformer import GroupNorm, PoolingMixer
from glocal.design.ops.pointwise import Linear, Norm, Scale
from glocal.design.ops.sequences import Mean
from glocal.families.family import Family
from glocal.families.vit import mlp


@dataclass(frozen=True)
class PoolFormerBlock:
    """x <- x + LayerScale(Pooling(GN(x))); x <- x + LayerScale(MLP(GN(x))) (Eqs. 1 to 4, Figure 2).

    `scale` is the initial value of LayerScale, 0 for none.
    """

    kernel: int = 3
    expansion: float = 4.0
    scale: float = 1e-5

    def spell(self, width_in: int, width: int, stride: int) -> Sentence:
        keeps(self, width_in=width_in, width=width, stride=stride)
        scale = (Scale(self.scale),) if self.scale else ()
        mix = Residual((GroupNorm(), PoolingMixer(self.kernel), *scale))
        return mix, Residual((GroupNorm(), *mlp(width, self.expansion), *scale))


@dataclass(frozen=True)
class PatchEmbedding:
    """A strided convolution whose windows overlap, without a norm: what leads from one stage to the next (Table 1)."""

    kernel: int = 3

    def spell(self, width_in: int, width: int, stride: int) -> Sentence:
        return (Conv(width, self.kernel, stride),)


class Size(NamedTuple):
    """Blocks and widths of the stages (Table 1), LayerScale (authors' code) and stochastic depth (authors' README)."""

    depths: tuple[int, int, int, int]
    widths: tuple[int, int, int, int]
    scale: float
    drop_path: float


SIZES = {
    "s12": Size((2, 2, 6, 2), (64, 128, 320, 512), 1e-5, 0.1),
    "s24": Size((4, 4, 12, 4), (64, 128, 320, 512), 1e-5, 0.1),
    "s36": Size((6, 6, 18, 6), (64, 128, 320, 512), 1e-6, 0.2),
    "m36": Size((6, 6, 18, 6), (96, 192, 384, 768), 1e-6, 0.3),
    "m48": Size((8, 8, 24, 8), (96, 192, 384, 768), 1e-6, 0.4),
}
_BLOCK = "stages.{i}.blocks.{j}"


def _rows(block: str, *, scale: str) -> dict[str, str]:
    """The names of a block's weights under those of `block`."""
    return {
        **{f"{_BLOCK}.residual{k}.branch.group_norm1": f"{block}.norm{k}" for k in (1, 2)},
        **{f"{_BLOCK}.residual{k}.branch.scale1.weight": f"{block}.{scale.format(k)}" for k in (1, 2)},
        **{f"{_BLOCK}.residual2.branch.linear{k}": f"{block}.mlp.fc{k}|1x1" for k in (1, 2)},
    }


WEIGHTS = {
    "sail-sg/poolformer": {
        "stem.conv1": "patch_embed.proj",
        "stages.{i}.downsample.conv1": "network.{2*i-1}.proj",
        **_rows("network.{2*i}.{j}", scale="layer_scale_{}"),
        "head.group_norm1": "norm",
        "head.linear1": "head",
    },
    "timm (PoolFormer)": {
        "stem.conv1": "stem.conv",
        "stages.{i}.downsample.conv1": "stages.{i}.downsample.conv",
        **_rows(_BLOCK, scale="layer_scale{}.scale"),
        "head.norm1": "head.norm",
        "head.linear1": "head.fc",
    },
}


def poolformer(name: str, size: Size, *, head: Sentence) -> Architecture:
    """Four stages at 1/4 to 1/32 of the picture, each after a convolution that halves it (Figure 2, Table 1)."""
    first, *later = (
        Stage(width, (PoolFormerBlock(scale=size.scale),) * depth, 2, PatchEmbedding())
        for width, depth in zip(size.widths, size.depths, strict=True)
    )
    return Architecture(
        name,
        stem=(Conv(first.width, 7, 4, padding=2),),
        stages=(Stage(first.width, first.blocks), *later),
        head=head,
        init="vit",
        drop_path=size.drop_path,
    )


def named(name: str) -> Architecture | None:
    """The architecture of `poolformer_<s12, s24, s36, m36, m48>`, with `_timm` timm's network of that name; else None."""
    if not (m := re.fullmatch(rf"poolformer_({'|'.join(SIZES)})(_timm)?", name)):
        return None
    head = (Mean(), Norm("layer", 1e-6), Linear(1000)) if m[2] else (GroupNorm(), Mean(), Linear(1000))
    return poolformer(name, SIZES[m[1]], head=head)


FAMILY = Family(
    words=(PoolFormerBlock, PatchEmbedding),
    names=(*(f"poolformer_{size}" for size in SIZES), *(f"poolformer_{size}_timm" for size in SIZES)),
    named=named,
    timm={f"poolformer_{size}_timm": {"model_name": f"poolformer_{size}"} for size in SIZES},
    top1={
        f"poolformer_{size}": (top1, "authors' README")
        for size, top1 in zip(SIZES, (77.2, 80.3, 81.4, 82.1, 82.5), strict=True)
    },
    weights=WEIGHTS,
)

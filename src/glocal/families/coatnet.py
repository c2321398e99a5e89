"""CoAtNet (Dai et al. 2021, arXiv:2106.04803): depthwise convolution first, then attention that knows offsets.

No code or weights of the authors exist. What the paper leaves open (the head, what squeeze-excite is a quarter of, the kind
of pooling) is settled by the weights and multiply-adds it prints: docs/decisions/0008-coatnet.md. timm's `coatnet_0_224` is
another network (average pooling, the stride on the depthwise convolution) and keeps its name here.
"""

import re
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from glocal.design.architecture import Architecture, Stage, Word
from glocal.design.op import Op, Residual, Sentence
from glocal.design.ops.attention import Attention, RelativeAttention, heads_in
from glocal.design.ops.convolutions import Conv, Depthwise, Pool
from glocal.design.ops.pointwise import Act, Linear, Norm, SqueezeExcite
from glocal.design.ops.sequences import Mean
from glocal.families.family import Family
from glocal.families.vit import mlp

BN, LN, GELU = Norm("batch"), Norm("layer", 1e-6), Act("gelu")

Pooling = Literal["max", "average"]


def _shortcut(width_in: int, width: int, stride: int, pool: Pooling) -> Sentence:
    """Proj(Pool(x)) of Eqs. 4 and 5; the projection only where the width changes."""
    pooled = (Pool(pool, stride, stride),) if stride > 1 else ()
    return (*pooled, *((Linear(width),) if width_in != width else ()))


@dataclass(frozen=True)
class MBConv:
    """x <- Proj(Pool(x)) + Conv(DepthConv(Conv(Norm(x), stride = 2))), with squeeze-excite (Eq. 5, Appendix A.1).

    `stride_on` "depthwise" is Table 9's Strided DConv; `norm` is Table 8's; `squeeze` is in terms of the block's width.
    """

    expansion: int = 4
    squeeze: float = 0.25
    kernel: int = 3
    stride_on: Literal["expansion", "depthwise"] = "expansion"
    norm: Literal["batch", "layer"] = "batch"
    pool: Pooling = "max"

    def spell(self, width_in: int, width: int, stride: int) -> Sentence:
        norm = BN if self.norm == "batch" else LN
        first, second = (stride, 1) if self.stride_on == "expansion" else (1, stride)
        branch = (
            norm,
            Conv(self.expansion * width, 1, first, bias=False),
            norm,
            GELU,
            Depthwise(self.kernel, second, bias=False),
            norm,
            GELU,
            SqueezeExcite(max(1, int(self.squeeze * width))),
            Linear(width),
        )
        return (Residual(branch, _shortcut(width_in, width, stride, self.pool)),)


@dataclass(frozen=True)
class RelativeTransformer:
    """x <- Proj(Pool(x)) + Attention(Pool(Norm(x))); x <- x + FFN(Norm(x)) (Eq. 4, Appendix A.1).

    `offsets` says where the learned scalar of each offset joins: "before" the softmax (y_pre of Eq. 3), "after" it (y_post),
    or nowhere (Table 6's plain attention). The first block of a stage attends at the new width.
    """

    head_dim: int = 32
    expansion: float = 4.0
    offsets: Literal["before", "after", "none"] = "before"
    pool: Pooling = "max"
    attention_dropout: float = 0.0

    def spell(self, width_in: int, width: int, stride: int) -> Sentence:
        heads = heads_in(width, head_dim=self.head_dim)
        pooled = (Pool(self.pool, stride, stride),) if stride > 1 else ()
        attend: Op = Attention(heads, self.head_dim, width, dropout=self.attention_dropout)
        if self.offsets != "none":
            attend = RelativeAttention(heads, self.head_dim, width, True, self.attention_dropout, self.offsets)
        shortcut = _shortcut(width_in, width, stride, self.pool)
        return Residual((LN, *pooled, attend), shortcut), Residual((LN, *mlp(width, self.expansion)))


class Size(NamedTuple):
    """Blocks and widths of S0 to S4, head size, stochastic depth (Tables 3, 11 and 10)."""

    depths: tuple[int, int, int, int]
    widths: tuple[int, int, int, int, int]
    head_dim: int = 32
    drop_path: float = 0.0


# Stochastic depth: ImageNet-1K for 0 to 3, ImageNet-21K for 4, fine-tuning after JFT for 5; none is given for 6 and 7.
SIZES = {
    "0": Size((2, 3, 5, 2), (64, 96, 192, 384, 768), drop_path=0.2),
    "1": Size((2, 6, 14, 2), (64, 96, 192, 384, 768), drop_path=0.3),
    "2": Size((2, 6, 14, 2), (128, 128, 256, 512, 1024), drop_path=0.5),
    "3": Size((2, 6, 14, 2), (192, 192, 384, 768, 1536), drop_path=0.7),
    "4": Size((2, 12, 28, 2), (192, 192, 384, 768, 1536), drop_path=0.7),
    "5": Size((2, 12, 28, 2), (192, 256, 512, 1280, 2048), head_dim=64, drop_path=0.2),
}
# Table 12: two thirds of S2's blocks move into S3 at twice the width, before its transformer. (MBConv of S1, S2, S3;
# transformers of S3, S4; widths of S0, S1, S2, MBConv and transformers of S3, S4.) The table prints 2048 for the last width
# of CoAtNet-6, and 1.47 B weights, which 3072 has and 2048 has not.
MIXED = {
    "6": ((2, 4, 8, 42, 2), (192, 192, 384, 768, 1536, 3072)),
    "6_2048": ((2, 4, 8, 42, 2), (192, 192, 384, 768, 1536, 2048)),
    "7": ((2, 4, 8, 42, 2), (192, 256, 512, 1024, 2048, 3072)),
}
# Table 7: S2's blocks moved to S3 (V1), S3's to S2 (V2)
SPLITS = {("2", "v1"): (2, 2, 18, 2), ("2", "v2"): (2, 8, 12, 2), ("3", "v1"): (2, 2, 18, 2)}
# Section 2.2's vertical layouts. The paper gives no sizes; these cost what CoAtNet-0's C-C-T-T does, within 3 %, except
# ViT_REL, which cannot match both weights and multiply-adds (docs/coatnet.md).
LAYOUTS = {"cccc": (2, 5, 7, 2), "ccct": (2, 6, 5, 2), "cctt": (2, 3, 5, 2), "cttt": (2, 1, 5, 2)}

NAMES = (
    *(f"coatnet_{size}" for size in (*SIZES, *MIXED)),
    *(f"coatnet_{size}_dw" for size in SIZES),
    *(f"coatnet_{size}_{version}" for size, version in SPLITS),
    *(f"coatnet_2_{variant}" for variant in ("after", "none", "head64", "ln")),
    *("coatnet_0_after", "coatnet_0_none"),
    *(f"coatnet_layout_{layout}" for layout in LAYOUTS),
    "vit_rel",
    *(f"coatnet_{size}_224" for size in SIZES),  # timm's
)
_OVERRIDES = {"conv_stride_mode": "1x1", "conv_pool_type": "max2", "transformer_pool_type": "max2"}
TIMM: dict[str, dict[str, object]] = {
    **{f"coatnet_{size}": {"model_name": f"coatnet_{size}_224", **_OVERRIDES} for size in SIZES},
    **{f"coatnet_{size}_224": {"model_name": f"coatnet_{size}_224"} for size in SIZES},
}
TIMM["coatnet_5"]["transformer_dim_head"] = 64
TOP1 = {
    **{f"coatnet_{size}": (top1, "Table 4") for size, top1 in zip("0123", (81.6, 83.3, 84.1, 84.5), strict=True)},
    **{f"coatnet_{size}_dw": (top1, "Table 9") for size, top1 in zip("012", (82.0, 83.5, 84.1), strict=True)},
    "coatnet_2_none": (83.8, "Table 6"),
    "coatnet_2_v1": (83.4, "Table 7"),
    "coatnet_2_v2": (84.0, "Table 7"),
    "coatnet_2_head64": (83.9, "Table 8"),
    "coatnet_2_ln": (84.1, "Table 8"),
}


def stem(width: int) -> Sentence:
    """S0: two 3 x 3 convolutions, the first of stride 2; no norm after the second, since a block begins with one."""
    return Conv(width, 3, 2, bias=False), BN, GELU, Conv(width, 3, bias=False)


def head(width: int, classes: int = 1000) -> Sentence:
    """Mean, LN, a tanh layer as wide as S4, and the classifier."""
    return Mean(), LN, Linear(width), Act("tanh"), Linear(classes)


def coatnet(
    name: str,
    depths: tuple[int, ...],
    widths: tuple[int, ...],
    *,
    layout: str = "CCTT",
    conv: MBConv = MBConv(),
    transformer: RelativeTransformer = RelativeTransformer(),
    drop_path: float = 0.0,
) -> Architecture:
    """S0 to S4, each at half the resolution of the one before; `layout` has a letter a stage, C or T (Section 2.2)."""
    words: dict[str, Word] = {"C": conv, "T": transformer}
    stages = tuple(
        Stage(w, (words[kind],) * depth, 2) for kind, depth, w in zip(layout, depths, widths[1:], strict=True)
    )
    return Architecture(name, stem(widths[0]), stages, head(widths[-1]), init="normal", drop_path=drop_path)


def mixed(name: str, depths: tuple[int, ...], widths: tuple[int, ...]) -> Architecture:
    """CoAtNet-6 and 7, whose S3 is two stages at one resolution: MBConv, then transformers of twice the width."""
    words: tuple[Word, ...] = MBConv(), MBConv(), MBConv(), RelativeTransformer(128), RelativeTransformer(128)
    strides = 2, 2, 2, 1, 2
    stages = tuple(
        Stage(w, (word,) * depth, stride)
        for w, word, depth, stride in zip(widths[1:], words, depths, strides, strict=True)
    )
    return Architecture(name, stem(widths[0]), stages, head(widths[-1]), init="normal")


def vit_rel() -> Architecture:
    """ViT_REL of Section 2.2: patches of 16 x 16, then 16 relative transformers 352 wide."""
    stem = (Conv(352, 16, 16, padding=0),)
    stages = (Stage(352, (RelativeTransformer(),) * 16),)
    return Architecture("vit_rel", stem, stages, (Mean(), LN, Linear(1000)), init="normal")


_NAME = re.compile(
    r"coatnet_(?P<size>[0-5])(?:_(?P<version>v1|v2))?(?P<dw>_dw)?(?:_(?P<offsets>after|none))?"
    r"(?:_head(?P<head>\d+))?(?P<ln>_ln)?"
)


def named(name: str) -> Architecture | None:
    """The architecture of `coatnet_<0 to 7>`, `coatnet_layout_<cctt, ...>` or `vit_rel`; None for any other name.

    0 to 5 take, in this order: `_v1`, `_v2` (Table 7), `_dw` (Table 9's strided depthwise convolution), `_after`, `_none`
    (where offsets join; Table 6), `_head64`, `_ln` (Table 8). `coatnet_0_224` is timm's network of that name.
    """
    if name == "vit_rel":
        return vit_rel()
    if m := re.fullmatch(r"coatnet_(6|6_2048|7)", name):
        return mixed(name, *MIXED[m[1]])
    if m := re.fullmatch(rf"coatnet_layout_({'|'.join(LAYOUTS)})", name):
        arch = coatnet(name, LAYOUTS[m[1]], SIZES["0"].widths, layout=m[1].upper())
        return replace(arch, head=(Mean(), LN, Linear(1000)))
    if m := re.fullmatch(r"coatnet_([0-5])_224", name):
        size = SIZES[m[1]]
        words = MBConv(stride_on="depthwise", pool="average"), RelativeTransformer(pool="average")
        return coatnet(name, size.depths, size.widths, conv=words[0], transformer=words[1], drop_path=size.drop_path)
    m = _NAME.fullmatch(name)
    if not m or (m["version"] and (m["size"], m["version"]) not in SPLITS):
        return None
    size = SIZES[m["size"]]
    return coatnet(
        name,
        SPLITS.get((m["size"], m["version"]), size.depths),
        size.widths,
        conv=MBConv(
            stride_on="depthwise" if m["dw"] else "expansion",
            norm="layer" if m["ln"] else "batch",
        ),
        transformer=RelativeTransformer(
            int(m["head"] or size.head_dim),
            offsets=m["offsets"] or "before",  # type: ignore[arg-type]
        ),
        drop_path=size.drop_path,
    )


FAMILY = Family(words=(MBConv, RelativeTransformer), names=NAMES, named=named, timm=TIMM, top1=TOP1)

"""Compact Transformers (Hassani et al. 2021, arXiv:2104.05704): ViT-Lite, CVT and CCT.

The three share one encoder. ViT-Lite reads patches and a class token; CVT pools the sequence instead (SeqPool); CCT also
replaces the patches by a convolutional tokenizer. CVT is not Microsoft's CvT.
"""

import re
from dataclasses import dataclass
from typing import Literal

from glocal.design.architecture import Architecture, Stage, Word, keeps
from glocal.design.cost import cost, ops
from glocal.design.op import Residual, Sentence
from glocal.design.ops.attention import Attention
from glocal.design.ops.convolutions import Conv, Patches, Pool
from glocal.design.ops.pointwise import Act, Linear, Norm
from glocal.design.ops.sequences import ClassToken, First, Flatten, LearnedPosition, Mean, SequencePool, SinePosition
from glocal.design.shapes import Grid
from glocal.families.family import Family
from glocal.families.vit import TransformerLayer, attention, mlp

LN = Norm("layer")


@dataclass(frozen=True)
class CompactLayer:
    """The authors' encoder layer: u = x + Attention(LN(x)); v = LN(u); y = v + MLP(v).

    The second norm lies on the stream itself, so that the skip around the MLP carries normalised tokens. The paper
    describes the pre-norm layer (`TransformerLayer`), whose weights have the same names and shapes; every published
    number and checkpoint is of this one (docs/decisions/0002-compact-norm-order.md).
    """

    heads: int
    expansion: float
    dropout: float = 0.0
    attention_dropout: float = 0.1  # the "tuned" setting of v3, Table 8

    def spell(self, width_in: int, width: int, stride: int) -> Sentence:
        keeps(self, width_in=width_in, width=width, stride=stride)
        attend = attention(width, self.heads, bias=False, dropout=self.attention_dropout)
        return Residual((LN, attend)), LN, Residual(mlp(width, self.expansion, self.dropout))


def tokenizer(width: int, *, kernel: int, blocks: int) -> Sentence:
    """CCT's stem: blocks of convolution, ReLU and 3 x 3 max-pooling; all but the last block are 64 wide whatever `width`.

    Stride and padding follow the kernel as in the authors' code. Kernels 1 and even kernels grow the map by a pixel or two.
    """
    stride, padding = max(1, kernel // 2 - 1), max(1, kernel // 2)
    said: Sentence = ()
    for c in (*[64] * (blocks - 1), width):
        said += (Conv(c, kernel, stride, padding, bias=False), Act("relu"), Pool("max", 3, 2, 1))
    return said


# Backbones (v3, Table 7): width, heads, expansion. 12 is ViT-Base, which the paper runs at 32 x 32 as ViT-12/16.
BACKBONES = {
    2: (128, 2, 1.0),
    4: (128, 2, 1.0),
    6: (256, 4, 2.0),
    7: (256, 4, 2.0),
    8: (256, 4, 2.0),
    12: (768, 12, 4.0),
    14: (384, 6, 3.0),
    16: (384, 6, 3.0),
}

Positions = Literal["learned", "sine", "none"]
Pooling = Literal["sequence", "class", "mean"]


def compact(
    name: str,
    stem: Sentence,
    *,
    layers: int,
    size: int,
    classes: int,
    positions: Positions = "learned",
    pooling: Pooling = "sequence",
    norm_order: Literal["official", "pre"] = "official",
) -> Architecture:
    """Any Compact Transformer: `stem` makes a grid of the backbone's width, the rest is Section 3 of the paper.

    `pooling` spans the paper's ablation: SeqPool, a class token, and the mean (SeqPool with a score of zero).
    """
    width, heads, expansion = BACKBONES[layers]
    official = CompactLayer(heads, expansion)
    pre = TransformerLayer(heads, expansion, qkv_bias=False, eps=1e-5, attention_dropout=official.attention_dropout)
    layer: Word = official if norm_order == "official" else pre
    token = (ClassToken(),) if pooling == "class" else ()
    place = {"learned": (LearnedPosition(std=0.2, resize="bilinear"),), "sine": (SinePosition(),), "none": ()}[
        positions
    ]
    pool = {"sequence": SequencePool(), "class": First(), "mean": Mean()}[pooling]
    return Architecture(
        name,
        stem=(*stem, Flatten(), *token, *place),
        stages=(Stage(width, (layer,) * layers),),
        head=(LN, pool, Linear(classes)),
        image=Grid(3, size, size),
        init="compact",
        drop_path=0.1,
    )


NAMES = (
    *(f"vit_lite_{layers}_4_32{sine}" for layers in (2, 4, 6, 7) for sine in ("", "_sine")),
    *(f"cvt_{layers}_4_32{sine}" for layers in (2, 4, 6, 7) for sine in ("", "_sine")),
    *(f"cct_{layers}_3x2_32{sine}" for layers in (2, 4, 6, 7) for sine in ("", "_sine")),
    *(f"cct_{layers}_3x1_32{sine}" for layers in (6, 7) for sine in ("", "_sine")),
    *("cct_7_3x1_32_c100", "cct_7_3x1_32_sine_c100"),
    *("cct_7_7x2_224", "cct_7_7x2_224_sine"),
    *("cct_14_7x2_224", "cct_14_7x2_384", "cct_14_7x2_384_fl"),
    # rows of the paper's tables 1, 9 and 5 that the authors registered under no name
    *(f"vit_lite_{layers}_{patch}_32" for layers in (6, 7) for patch in (8, 16)),
    "vit_12_16_32",
    *(f"cvt_{layers}_{patch}_32" for layers in (6, 7) for patch in (8, 16)),
    *("cvt_7_2_32", "cvt_8_4_32", "cct_2_3x1_32", "cct_4_3x1_32", "cct_7_7x1_32"),
    *("cct_7_3x2_32_none", "cct_7_3x2_32_class", "cct_7_7x1_32_class"),
)

TOP1 = {"cct_14_7x2_224": (80.67, "authors' README")}

_NAME = re.compile(
    r"(?P<family>vit_lite|vit|cvt|cct)_(?P<layers>[1-9]\d*)_(?P<kernel>[1-9]\d*)(?:x(?P<blocks>[1-9]\d*))?_(?P<size>[1-9]\d*)"
    r"(?:_(?P<positions>sine|none))?(?:_(?P<pooling>class|mean))?(?:_(?P<norm>pre))?(?:_(?P<data>c100|fl))?"
)


def named(name: str) -> Architecture | None:
    """The architecture of `cct_<layers>_<k>x<blocks>_<size>`, `cvt_<layers>_<patch>_<size>` or `vit_lite_...`.

    Then, in this order: `_sine` or `_none` (positions), `_class` or `_mean` (pooling), `_pre` (the pre-norm layer of the
    paper's text), `_c100` or `_fl` (100 or 102 classes). The authors' `vit_7_4_32` is answered with `vit_lite_7_4_32`.
    Their `_sine` CCT and CVT hold a learned table by mistake; here it is the sinusoid. None for any other name.
    """
    m = _NAME.fullmatch(name)
    if not m or (m["family"] == "cct") != bool(m["blocks"]) or int(m["layers"]) not in BACKBONES:
        return None
    family, layers, kernel, size = m["family"], int(m["layers"]), int(m["kernel"]), int(m["size"])
    if family == "vit" and layers != 12:
        family, name = "vit_lite", name.replace("vit_", "vit_lite_", 1)
    width = BACKBONES[layers][0]
    flowers = m["data"] == "fl" or (family, layers, kernel, size) == ("cct", 7, 7, 224)
    default: Pooling = "class" if family.startswith("vit") else "sequence"
    return compact(
        name,
        tokenizer(width, kernel=kernel, blocks=int(m["blocks"])) if m["blocks"] else (Patches(width, kernel),),
        layers=layers,
        size=size,
        classes=100 if m["data"] == "c100" else 102 if flowers else 10 if size < 224 else 1000,
        positions=m["positions"] or "learned",  # type: ignore[arg-type]
        pooling=m["pooling"] or default,  # type: ignore[arg-type]
        norm_order="pre" if m["norm"] else "official",
    )


def published_macs(arch: Architecture, version: Literal["v1-v3", "v4"]) -> int:
    """The multiply-adds that a version of the paper would print for an architecture; `cost` gives the true ones.

    v1 to v3, and the authors' README: convolutions and linear layers alone, SeqPool's score included. v4: all products,
    and five for each normalised number, which no statement of the paper says but all its confirmed rows agree with
    (docs/compact_transformers.md).
    """
    macs = cost(arch).macs
    for _, op, s in ops(arch):
        if version == "v4":
            macs += 5 * s.c * s.n if isinstance(op, Norm) else 0
        elif isinstance(op, Attention):
            macs -= op.product_macs(s)
        elif isinstance(op, SequencePool):
            macs -= s.c * s.n
    return macs


FAMILY = Family(words=(CompactLayer,), names=NAMES, named=named, top1=TOP1)

"""Vision Transformer (Dosovitskiy et al. 2021, arXiv:2010.11929) and DeiT's sizes and training of it (Touvron et al. 2021,
arXiv:2012.12877): the baseline that the five systems are compared with."""

import re
from dataclasses import dataclass

from glocal.design.architecture import Architecture, Stage, keeps
from glocal.design.op import Residual, Sentence
from glocal.design.ops.attention import Attention
from glocal.design.ops.convolutions import Patches
from glocal.design.ops.pointwise import Act, Dropout, Linear, Norm
from glocal.design.ops.sequences import ClassToken, First, Flatten, LearnedPosition
from glocal.design.shapes import Grid
from glocal.errors import ShapeError
from glocal.families.family import Family

SIZES = {"tiny": (192, 3), "small": (384, 6), "base": (768, 12)}  # width, heads; all 12 layers (DeiT, Table 1)
NAMES = tuple(f"{family}_{size}" for family in ("deit", "vit") for size in SIZES)
TIMM = {name: {"model_name": f"{name}_patch16_224"} for name in NAMES}
TOP1 = {
    "deit_tiny": (72.2, "DeiT's README"),
    "deit_small": (79.8, "DeiT's README"),
    "deit_base": (81.8, "DeiT's README"),
}


def mlp(width: int, expansion: float, dropout: float = 0.0) -> Sentence:
    """Two dense layers with a GELU between; `expansion` is the inner width over the outer, dropout follows each layer."""
    drop = (Dropout(dropout),) if dropout else ()
    return Linear(int(expansion * width)), Act("gelu"), *drop, Linear(width), *drop


@dataclass(frozen=True)
class TransformerLayer:
    """Pre-norm encoder layer: x <- x + Attention(LN(x)); x <- x + MLP(LN(x)) (ViT, Eqs. 2-3)."""

    heads: int
    expansion: float = 4.0
    qkv_bias: bool = True
    eps: float = 1e-6
    dropout: float = 0.0
    attention_dropout: float = 0.0

    def spell(self, width_in: int, width: int, stride: int) -> Sentence:
        keeps(self, width_in=width_in, width=width, stride=stride)
        attend = attention(width, self.heads, bias=self.qkv_bias, dropout=self.attention_dropout)
        drop = (Dropout(self.dropout),) if self.dropout else ()
        norm = Norm("layer", self.eps)
        return Residual((norm, attend, *drop)), Residual((norm, *mlp(width, self.expansion, self.dropout)))


def attention(width: int, heads: int, *, bias: bool, dropout: float) -> Attention:
    """Self-attention whose heads divide the width; ShapeError where they do not."""
    if heads < 1 or width % heads:
        raise ShapeError(f"{heads} heads do not divide the width {width}")
    return Attention(heads, width // heads, width, bias, dropout)


def vit(
    name: str,
    *,
    width: int,
    heads: int,
    depth: int = 12,
    patch: int = 16,
    size: int = 224,
    classes: int = 1000,
    drop_path: float = 0.0,
) -> Architecture:
    """Patches, class token, learned positions, `depth` layers, LN on all tokens and a linear classifier."""
    return Architecture(
        name,
        stem=(Patches(width, patch), Flatten(), ClassToken(), LearnedPosition()),
        stages=(Stage(width, (TransformerLayer(heads),) * depth),),
        head=(Norm("layer", 1e-6), First(), Linear(classes)),
        image=Grid(3, size, size),
        init="vit",
        drop_path=drop_path,
    )


def named(name: str) -> Architecture | None:
    """The architecture of `vit_tiny`, `deit_base`, or timm's `vit_small_patch16_384`; None for any other name.

    DeiT without its distillation token is ViT's architecture; its stochastic depth of 0.1 (DeiT, Table 9) comes with it.
    """
    if not (m := re.fullmatch(r"(vit|deit)_(tiny|small|base)(?:_patch(\d+))?(?:_(\d+))?", name)):
        return None
    family, kind, patch, size = m[1], m[2], int(m[3] or 16), int(m[4] or 224)
    width, heads = SIZES[kind]
    plain = f"{family}_{kind}"
    name = plain if (patch, size) == (16, 224) else f"{plain}_patch{patch}_{size}"
    drop_path = 0.1 if family == "deit" else 0.0
    return vit(name, width=width, heads=heads, patch=patch, size=size, drop_path=drop_path)


FAMILY = Family(words=(TransformerLayer,), names=NAMES, named=named, timm=TIMM, top1=TOP1)

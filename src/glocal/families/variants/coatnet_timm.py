"""timm's own CoAtNets, under timm's names: most are trained, and none is the paper's network (`coatnet`).

They came before any code of CoAtNet's authors could be read (timm 1.0.31, models/maxxvit.py). What all share, and the
paper has otherwise: MBConv and attention are as wide inside as what they are given asks for and widen in their last
projection, MBConv's activations are SiLU, and the head takes its norm before the mean. The rest differs from network
to network and is a field of a word. Initial values are the scheme "normal", which in timm is `coatnext`'s alone; the
dropout of 1/8 that timm puts inside the perceptron of offsets in training is left out.
"""

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from glocal.design.architecture import Architecture, Stage, Word
from glocal.design.op import Residual, Sentence
from glocal.design.ops.attention import Attention, LogRelativeAttention, RelativeAttention, heads_in
from glocal.design.ops.convolutions import Conv, Depthwise, Pool
from glocal.design.ops.pointwise import Act, Linear, Norm, Scale, SqueezeExcite
from glocal.design.ops.sequences import Mean
from glocal.design.shapes import Grid
from glocal.families.coatnet import BN, GELU, LN, Pooling
from glocal.families.family import Family
from glocal.families.vit import mlp

SILU = Act("silu")

StrideOn = Literal["pooling", "depthwise"]


def _pooled(pool: Pooling, stride: int) -> Sentence:
    """Averages of windows that do not overlap, or maxima of windows that overlap by one pixel; nothing at stride 1."""
    if stride == 1:
        return ()
    return (Pool(pool, stride, stride) if pool == "average" else Pool(pool, stride + 1, stride, 1),)


def _shortcut(width_in: int, width: int, *, pooled: Sentence, bias: bool) -> Sentence:
    """Pooling, then the projection only where the width changes."""
    return (*pooled, *((Linear(width, bias),) if width_in != width else ()))


@dataclass(frozen=True)
class MBConvRW:
    """MBConv whose hidden width is `expansion` times what it is given; squeeze-excite by a quarter of that ends it.

    Stride "pooling" averages 2 x 2 pixels before the expansion; `activated` puts a SiLU after the first norm; `bias` is
    that of the shortcut and of the last layer.
    """

    stride_on: StrideOn = "depthwise"
    activated: bool = False
    bias: bool = True
    squeeze_act: Literal["silu", "relu"] = "silu"
    expansion: int = 4
    kernel: int = 3

    def spell(self, width_in: int, width: int, stride: int) -> Sentence:
        hidden = self.expansion * width_in
        first = (BN, SILU) if self.activated else (BN,)
        last = BN, SILU, SqueezeExcite(hidden // 4, self.squeeze_act), Linear(width, self.bias)
        branch = *first, *_expanded(hidden, stride, kernel=self.kernel, stride_on=self.stride_on), *last
        return (Residual(branch, _shortcut(width_in, width, pooled=_pooled("average", stride), bias=self.bias)),)


@dataclass(frozen=True)
class EarlyMBConvRW:
    """timm's first MBConv: squeeze-excite with a ReLU before the last norm, an activated first norm, no biases.

    Stride "pooling" averages 2 x 2 pixels before the expansion, whatever the `pool` of the shortcut.
    """

    stride_on: StrideOn = "depthwise"
    pool: Pooling = "average"
    expansion: int = 4
    kernel: int = 3

    def spell(self, width_in: int, width: int, stride: int) -> Sentence:
        hidden = self.expansion * width_in
        last = SqueezeExcite(hidden // 4, "relu"), BN, SILU, Linear(width, bias=False)
        branch = BN, SILU, *_expanded(hidden, stride, kernel=self.kernel, stride_on=self.stride_on), *last
        return (Residual(branch, _shortcut(width_in, width, pooled=_pooled(self.pool, stride), bias=False)),)


def _expanded(hidden: int, stride: int, *, kernel: int, stride_on: StrideOn) -> Sentence:
    """MBConv from the expansion to its depthwise convolution."""
    first, second = (stride, 1) if stride_on == "pooling" else (1, stride)
    return *_pooled("average", first), Linear(hidden, bias=False), BN, SILU, Depthwise(kernel, second, bias=False)


@dataclass(frozen=True)
class TransformerRW:
    """Transformer whose heads fill the width it is given and are projected to the new one; offsets join before softmax.

    `hidden` is the width of the perceptron that makes the offsets' biases, 0 for a learned table; `scale` the initial
    value of LayerScale, 0 for none; `bias` is that of the shortcut.
    """

    bias: bool = True
    scale: float = 0.0
    hidden: int = 0
    norm: Norm = LN
    pool: Pooling = "average"
    head_dim: int = 32
    expansion: float = 4.0
    attention_dropout: float = 0.0

    def spell(self, width_in: int, width: int, stride: int) -> Sentence:
        heads = heads_in(width_in, head_dim=self.head_dim)
        attend: Attention = RelativeAttention(heads, self.head_dim, width, dropout=self.attention_dropout)
        if self.hidden:
            attend = LogRelativeAttention(heads, self.head_dim, width, True, self.attention_dropout, self.hidden)
        scale = (Scale(self.scale),) if self.scale else ()
        pooled = _pooled(self.pool, stride)
        shortcut = _shortcut(width_in, width, pooled=pooled, bias=self.bias)
        return (
            Residual((self.norm, *pooled, attend, *scale), shortcut),
            Residual((self.norm, *mlp(width, self.expansion), *scale)),
        )


@dataclass(frozen=True)
class ConvNeXtRW:
    """ConvNeXt's block with the stride on its depthwise convolution, which widens too: several filters a channel."""

    kernel: int = 7
    expansion: float = 4.0
    scale: float = 1e-5

    def spell(self, width_in: int, width: int, stride: int) -> Sentence:
        convolve = Conv(width, self.kernel, stride, groups=width_in)
        branch = convolve, LN, *mlp(width, self.expansion), *((Scale(self.scale),) if self.scale else ())
        shortcut = _shortcut(width_in, width, pooled=_pooled("average", stride), bias=True)
        return (Residual(branch, shortcut),)


class Size(NamedTuple):
    """Blocks of S1 to S4; widths of S0 and S1, of which the later stages' are the doubles."""

    depths: tuple[int, int, int, int]
    stem: int
    width: int


SIZES = {
    "pico": Size((2, 3, 5, 2), 64, 64),
    "nano": Size((3, 4, 6, 3), 64, 64),
    "0": Size((2, 3, 7, 2), 64, 96),  # two blocks more in S3 than the paper's
    "1": Size((2, 6, 14, 2), 64, 96),
    "2": Size((2, 6, 14, 2), 128, 128),
    "3": Size((2, 6, 14, 2), 192, 192),
}


class Variant(NamedTuple):
    """A network: its size, its convolutional word C and its transformer T, and the words of each stage.

    The last letter of a stage is repeated to its depth.
    """

    size: str
    conv: MBConvRW | EarlyMBConvRW | ConvNeXtRW
    transformer: TransformerRW
    layout: tuple[str, str, str, str] = ("C", "C", "T", "T")
    image: int = 224


UNBIASED = TransformerRW(bias=False)
RELU = MBConvRW(activated=True, bias=False, squeeze_act="relu")
LARGE = MBConvRW(activated=True, bias=False)

VARIANTS = {
    "coatnet_pico_rw_224": Variant("pico", MBConvRW(), TransformerRW()),
    "coatnet_nano_rw_224": Variant("nano", MBConvRW("pooling"), TransformerRW()),
    "coatnet_0_rw_224": Variant("0", EarlyMBConvRW("pooling"), UNBIASED),
    "coatnet_1_rw_224": Variant("1", EarlyMBConvRW(), UNBIASED),
    "coatnet_2_rw_224": Variant("2", LARGE, TransformerRW()),
    "coatnet_3_rw_224": Variant("3", LARGE, TransformerRW(scale=1e-6)),
    "coatnet_bn_0_rw_224": Variant("0", EarlyMBConvRW(), replace(UNBIASED, norm=Norm("batch", 1e-6))),
    "coatnet_rmlp_nano_rw_224": Variant("nano", MBConvRW(), TransformerRW(hidden=384)),
    "coatnet_rmlp_0_rw_224": Variant("0", RELU, TransformerRW(hidden=512)),
    "coatnet_rmlp_1_rw_224": Variant("1", EarlyMBConvRW("pooling", "max"), replace(UNBIASED, hidden=384, pool="max")),
    "coatnet_rmlp_1_rw2_224": Variant("1", RELU, TransformerRW(hidden=512)),
    "coatnet_rmlp_2_rw_224": Variant("2", LARGE, TransformerRW(hidden=512, scale=1e-6)),
    "coatnet_rmlp_2_rw_384": Variant("2", LARGE, TransformerRW(hidden=512, scale=1e-6), image=384),
    "coatnet_rmlp_3_rw_224": Variant("3", LARGE, TransformerRW(hidden=512, scale=1e-6)),
    "coatnet_nano_cc_224": Variant("nano", replace(RELU, stride_on="pooling"), TransformerRW(), ("C", "C", "CT", "CT")),
    "coatnext_nano_rw_224": Variant("nano", ConvNeXtRW(), TransformerRW()),
}
NAMES = tuple(VARIANTS)
TIMM: dict[str, dict[str, object]] = {name: {"model_name": name} for name in NAMES}
TIMM["coatnet_3_rw_224"]["num_classes"] = 1000  # timm has weights for the 11,821 classes of ImageNet-12k alone
# timm's own evaluation of those trained on ImageNet-1K alone; the others began with ImageNet-12k
TOP1 = {
    name: (top1, "timm")
    for name, top1 in {
        "coatnet_nano_rw_224": 81.70,
        "coatnet_0_rw_224": 82.40,
        "coatnet_1_rw_224": 83.62,
        "coatnet_bn_0_rw_224": 82.39,
        "coatnet_rmlp_nano_rw_224": 82.06,
        "coatnet_rmlp_1_rw_224": 83.35,
        "coatnet_rmlp_2_rw_224": 84.61,
        "coatnext_nano_rw_224": 82.00,
    }.items()
}


def coatnet_rw(name: str, variant: Variant) -> Architecture:
    """S0 to S4, each at half the resolution of the one before; S0's first convolution is half as wide as its second."""
    depths, stem, width = SIZES[variant.size]
    words: dict[str, Word] = {"C": variant.conv, "T": variant.transformer}
    stages = tuple(
        Stage(width * 2**i, tuple(words[letter] for letter in letters.ljust(depth, letters[-1])), 2)
        for i, (letters, depth) in enumerate(zip(variant.layout, depths, strict=True))
    )
    norm, act = (LN, GELU) if isinstance(variant.conv, ConvNeXtRW) else (BN, SILU)
    return Architecture(
        name,
        stem=(Conv(stem // 2, 3, 2, bias=False), norm, act, Conv(stem, 3, bias=False)),
        stages=stages,
        head=(variant.transformer.norm, Mean(), Linear(1000)),
        image=Grid(3, variant.image, variant.image),
        init="normal",
    )


def named(name: str) -> Architecture | None:
    """The architecture of one of timm's names above; None for any other name."""
    return coatnet_rw(name, VARIANTS[name]) if name in VARIANTS else None


FAMILY = Family(
    words=(ConvNeXtRW, EarlyMBConvRW, MBConvRW, TransformerRW), names=NAMES, named=named, timm=TIMM, top1=TOP1
)

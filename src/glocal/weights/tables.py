"""Their names for our weights: one table a source, each row ours -> theirs.

A row names a module or a single tensor. `{j}` stands for a number, `{j+3}` for one shifted by three, `{2*i}` for a double;
`{depth}` is the number of blocks and `{convs}` that of convolutions in the stem. `|` is followed by the form in which
theirs lies (`forms`). Where two words use one name of ours, a row says whose it is: `stages.{i}.blocks.{j}.MBConv.residual1`.
The first row that fits counts. A table is used in both directions, and every weight must have a row (`translate`).

The file of a family may bring its own tables (`Family.weights`). Those of the families before that, and those that need more
than rows, are here.
"""

from collections.abc import Callable
from typing import NamedTuple

from glocal.design import Architecture, Mean, Norm, RelativeAttention
from glocal.design.cost import ops
from glocal.families.catalogue import FAMILIES


def _any(_: Architecture) -> bool:
    return True


def _pools_first(arch: Architecture) -> bool:
    """Whether the head's norm follows its pooling: the same weights make another function where it does not."""
    return isinstance(arch.head[0], Mean)


def _biased_logits(arch: Architecture) -> bool:
    """Whether no attention has its offsets after the softmax, which timm's never has."""
    return not any(isinstance(op, RelativeAttention) and op.merge == "after" for _, op, _ in ops(arch))


class Source(NamedTuple):
    """Whose names they are, the rows for learned weights and running statistics, and those for tables that are computed.

    `holds` tells whether an architecture is one whose weights this source keeps under these names.
    """

    name: str
    rows: dict[str, str]
    computed: dict[str, str] = {}  # noqa: RUF012
    holds: Callable[[Architecture], bool] = _any


_BLOCK = "stages.0.blocks.{j}"

OURS = Source("glocal", {"stem": "stem", "stages": "stages", "head": "head"})

SHI_LABS = Source(
    "SHI-Labs/Compact-Transformers",
    {
        "stem.conv{i}": "tokenizer.conv_layers.{i-1}.0",
        "stem.patches1": "tokenizer.conv_layers.0.0",
        "stem.class_token1.token": "classifier.class_emb",
        "stem.learned_position1.table": "classifier.positional_emb",
        f"{_BLOCK}.residual1.branch.norm1": "classifier.blocks.{j}.pre_norm",
        f"{_BLOCK}.residual1.branch.attention1.qkv": "classifier.blocks.{j}.self_attn.qkv",
        f"{_BLOCK}.residual1.branch.attention1.project": "classifier.blocks.{j}.self_attn.proj",
        f"{_BLOCK}.norm1": "classifier.blocks.{j}.norm1",
        f"{_BLOCK}.residual2.branch.linear1": "classifier.blocks.{j}.linear1",
        f"{_BLOCK}.residual2.branch.linear2": "classifier.blocks.{j}.linear2",
        "head.norm1": "classifier.norm",
        "head.sequence_pool1.score": "classifier.attention_pool",
        "head.linear1": "classifier.fc",
    },
    computed={"stem.sine_position1.table": "classifier.positional_emb"},
)

LOCUSLAB = Source(
    "locuslab/convmixer",
    {
        "stem.conv1": "0",
        "stem.norm1": "2",
        f"{_BLOCK}.residual1.branch.depthwise1": "{j+3}.0.fn.0",
        f"{_BLOCK}.residual1.branch.norm1": "{j+3}.0.fn.2",
        f"{_BLOCK}.linear1": "{j+3}.1|1x1",
        f"{_BLOCK}.norm1": "{j+3}.3",
        "head.linear1": "{depth+5}",
    },
)

TIMM_CONVMIXER = Source(
    "timm (ConvMixer)",
    {
        "stem.conv1": "stem.0",
        "stem.norm1": "stem.2",
        f"{_BLOCK}.residual1.branch.depthwise1": "blocks.{j}.0.fn.0",
        f"{_BLOCK}.residual1.branch.norm1": "blocks.{j}.0.fn.2",
        f"{_BLOCK}.linear1": "blocks.{j}.1|1x1",
        f"{_BLOCK}.norm1": "blocks.{j}.3",
        "head.linear1": "head",
    },
)

TIMM_VIT = Source(
    "timm (ViT)",
    {
        "stem.patches1": "patch_embed.proj",
        "stem.class_token1.token": "cls_token",
        "stem.learned_position1.table": "pos_embed",
        f"{_BLOCK}.residual1.branch.norm1": "blocks.{j}.norm1",
        f"{_BLOCK}.residual1.branch.attention1.qkv": "blocks.{j}.attn.qkv",
        f"{_BLOCK}.residual1.branch.attention1.project": "blocks.{j}.attn.proj",
        f"{_BLOCK}.residual2.branch.norm1": "blocks.{j}.norm2",
        f"{_BLOCK}.residual2.branch.linear1": "blocks.{j}.mlp.fc1",
        f"{_BLOCK}.residual2.branch.linear2": "blocks.{j}.mlp.fc2",
        "head.norm1": "norm",
        "head.linear1": "head",
    },
)

_ANY = "stages.{i}.blocks.{j}"
_BRANCH = f"{_ANY}.residual1.branch"

_CONVNEXT_BLOCK = ("depthwise1", "norm1", "linear1", "linear2", "scale1.weight")


def _convnext(block: str, *names: str) -> dict[str, str]:
    """Rows of the five layers of a ConvNeXt block."""
    return {f"{_BRANCH}.{ours}": f"{block}.{theirs}" for ours, theirs in zip(_CONVNEXT_BLOCK, names, strict=True)}


FACEBOOK = Source(
    "facebookresearch/ConvNeXt",
    {
        "stem.conv1": "downsample_layers.0.0",
        "stem.norm1": "downsample_layers.0.1",
        "stages.{i}.downsample.norm1": "downsample_layers.{i}.0",
        "stages.{i}.downsample.conv1": "downsample_layers.{i}.1",
        **_convnext("stages.{i}.{j}", "dwconv", "norm", "pwconv1", "pwconv2", "gamma"),
        "head.norm1": "norm",
        "head.linear1": "head",
    },
    holds=_pools_first,
)

FACEBOOK_ISOTROPIC = Source(
    "facebookresearch/ConvNeXt (isotropic)",
    {
        "stem.conv1": "stem",
        **_convnext("blocks.{j}", "dwconv", "norm", "pwconv1", "pwconv2", "gamma"),
        "head.norm1": "norm",
        "head.linear1": "head",
    },
    holds=_pools_first,
)

TIMM_CONVNEXT = Source(
    "timm (ConvNeXt)",
    {
        "stem.conv{k}": "stem.{k-1}",
        "stem.norm1": "stem.{convs}",
        "stages.{i}.downsample.norm1": "stages.{i}.downsample.0",
        "stages.{i}.downsample.conv1": "stages.{i}.downsample.1",
        **_convnext("stages.{i}.blocks.{j}", "conv_dw", "norm", "mlp.fc1", "mlp.fc2", "gamma"),
        "head.norm1": "head.norm",
        "head.linear1": "head.fc",
    },
    holds=_pools_first,
)

# timm keeps the dense layers of Atto to Nano, and of hnf, as 1 x 1 convolutions
TIMM_CONVNEXT_CONV = Source(
    "timm (ConvNeXt, conv_mlp)",
    {**TIMM_CONVNEXT.rows, **_convnext(_ANY, "conv_dw", "norm", "mlp.fc1|1x1", "mlp.fc2|1x1", "gamma")},
    holds=_pools_first,
)

TIMM_CONVNEXT_HNF = Source(
    "timm (ConvNeXt, head norm first)",
    {**TIMM_CONVNEXT_CONV.rows, "head.norm1": "norm_pre"},
    holds=lambda arch: isinstance(arch.head[0], Norm),
)

TORCHVISION_CONVNEXT = Source(
    "torchvision (ConvNeXt)",
    {
        "stem.conv1": "features.0.0",
        "stem.norm1": "features.0.1",
        "stages.{i}.downsample.norm1": "features.{2*i}.0",
        "stages.{i}.downsample.conv1": "features.{2*i}.1",
        **_convnext("features.{2*i+1}.{j}", "block.0", "block.2", "block.3", "block.5", "layer_scale|map"),
        "head.norm1": "classifier.0",
        "head.linear1": "classifier.2",
    },
    holds=_pools_first,
)

RESNET = Source(
    "torchvision and timm (ResNet)",
    {
        "stem.conv1": "conv1",
        "stem.norm1": "bn1",
        f"{_BRANCH}.linear1": "layer{i+1}.{j}.conv1|1x1",
        f"{_BRANCH}.norm{{k}}": "layer{i+1}.{j}.bn{k}",
        f"{_BRANCH}.conv1": "layer{i+1}.{j}.conv2",
        f"{_BRANCH}.linear2": "layer{i+1}.{j}.conv3|1x1",
        f"{_ANY}.residual1.shortcut.conv1": "layer{i+1}.{j}.downsample.0|1x1",
        f"{_ANY}.residual1.shortcut.norm1": "layer{i+1}.{j}.downsample.1",
        "head.linear1": "fc",
    },
)

_MBCONV, _RELATIVE = f"{_ANY}.MBConv", f"{_ANY}.RelativeTransformer"

TIMM_COATNET = Source(
    "timm (CoAtNet)",
    {
        "stem": "stem",
        f"{_MBCONV}.residual1.branch.norm1": f"{_ANY}.pre_norm",
        f"{_MBCONV}.residual1.branch.conv1": f"{_ANY}.conv1_1x1|1x1",
        f"{_MBCONV}.residual1.branch.norm2": f"{_ANY}.norm1",
        f"{_MBCONV}.residual1.branch.depthwise1": f"{_ANY}.conv2_kxk",
        f"{_MBCONV}.residual1.branch.norm3": f"{_ANY}.norm2",
        f"{_MBCONV}.residual1.branch.squeeze_excite1.squeeze": f"{_ANY}.se.fc1|1x1",
        f"{_MBCONV}.residual1.branch.squeeze_excite1.excite": f"{_ANY}.se.fc2|1x1",
        f"{_MBCONV}.residual1.branch.linear1": f"{_ANY}.conv3_1x1|1x1",
        f"{_ANY}.residual1.shortcut.linear1": f"{_ANY}.shortcut.expand|1x1",
        # the first transformer of a stage pools, for which timm nests its norm
        "stages.{i}.blocks.0.RelativeTransformer.residual1.branch.norm1": "stages.{i}.blocks.0.norm1.norm",
        f"{_RELATIVE}.residual1.branch.norm1": f"{_ANY}.norm1",
        f"{_BRANCH}.relative_attention1.qkv": f"{_ANY}.attn.qkv|by head",
        f"{_BRANCH}.relative_attention1.project": f"{_ANY}.attn.proj|1x1",
        f"{_BRANCH}.relative_attention1.table": f"{_ANY}.attn.rel_pos.relative_position_bias_table|offsets",
        f"{_RELATIVE}.residual2.branch.norm1": f"{_ANY}.norm2",
        f"{_RELATIVE}.residual2.branch.linear1": f"{_ANY}.mlp.fc1|1x1",
        f"{_RELATIVE}.residual2.branch.linear2": f"{_ANY}.mlp.fc2|1x1",
        "head.norm1": "head.norm",
        "head.linear1": "head.pre_logits.fc",
        "head.linear2": "head.fc",
    },
    holds=_biased_logits,
)


def _of(word: str, **rows: str) -> dict[str, str]:
    """Rows of the layers in the first branch of a word."""
    return {f"{_ANY}.{word}.residual1.branch.{ours}": f"{_ANY}.{theirs}" for ours, theirs in rows.items()}


_MBCONV_RW = {
    "norm1": "pre_norm",
    "linear1": "conv1_1x1|1x1",
    "norm2": "norm1",
    "depthwise1": "conv2_kxk",
    "norm3": "norm2",
    "linear2": "conv3_1x1|1x1",
}

TIMM_COATNET_RW = Source(
    "timm (CoAtNet, rw)",
    {
        "stem": "stem",
        **_of("MBConvRW", **_MBCONV_RW),
        **_of("EarlyMBConvRW", **_MBCONV_RW),
        # by the place of squeeze-excite in the sentence
        f"{_ANY}.MBConvRW.residual1.branch.squeeze_excite1.squeeze": f"{_ANY}.se.fc1|1x1",
        f"{_ANY}.MBConvRW.residual1.branch.squeeze_excite1.excite": f"{_ANY}.se.fc2|1x1",
        f"{_ANY}.EarlyMBConvRW.residual1.branch.squeeze_excite1.squeeze": f"{_ANY}.se_early.fc1|1x1",
        f"{_ANY}.EarlyMBConvRW.residual1.branch.squeeze_excite1.excite": f"{_ANY}.se_early.fc2|1x1",
        **_of("ConvNeXtRW", conv1="conv_dw", norm1="norm", linear1="mlp.fc1|1x1", linear2="mlp.fc2|1x1"),
        f"{_ANY}.ConvNeXtRW.residual1.branch.scale1.weight": f"{_ANY}.ls.gamma",
        f"{_ANY}.residual1.shortcut.linear1": f"{_ANY}.shortcut.expand|1x1",
        # the first block of a stage pools, for which timm nests its norm
        "stages.{i}.blocks.0.TransformerRW.residual1.branch.norm1": "stages.{i}.blocks.0.norm1.norm",
        **_of("TransformerRW", norm1="norm1"),
        f"{_ANY}.TransformerRW.residual1.branch.scale1.weight": f"{_ANY}.ls1.gamma",
        f"{_BRANCH}.relative_attention1.qkv": f"{_ANY}.attn.qkv|by head",
        f"{_BRANCH}.relative_attention1.project": f"{_ANY}.attn.proj|1x1",
        f"{_BRANCH}.relative_attention1.table": f"{_ANY}.attn.rel_pos.relative_position_bias_table|offsets",
        f"{_BRANCH}.log_relative_attention1.qkv": f"{_ANY}.attn.qkv|by head",
        f"{_BRANCH}.log_relative_attention1.project": f"{_ANY}.attn.proj|1x1",
        f"{_BRANCH}.log_relative_attention1.inner": f"{_ANY}.attn.rel_pos.mlp.fc1",
        f"{_BRANCH}.log_relative_attention1.outer": f"{_ANY}.attn.rel_pos.mlp.fc2",
        f"{_ANY}.residual2.branch.norm1": f"{_ANY}.norm2",
        f"{_ANY}.residual2.branch.linear1": f"{_ANY}.mlp.fc1|1x1",
        f"{_ANY}.residual2.branch.linear2": f"{_ANY}.mlp.fc2|1x1",
        f"{_ANY}.residual2.branch.scale1.weight": f"{_ANY}.ls2.gamma",
        "head.norm1": "norm",
        "head.linear1": "head.fc",
    },
)

_HEADS = f"{_BLOCK}.residual1.branch"

GLIT = Source(
    "bychen515/GLiT",
    {
        "stem.patches1": "patch_embed.proj",
        "stem.class_token1.token": "cls_token",
        "stem.learned_position1.table": "pos_embed",
        **{
            f"{_HEADS}.{ours}": f"blocks.{{j}}.0.{theirs}"
            for ours, theirs in (
                ("norm1", "norm1"),
                # blocks of one kind of heads
                ("attention1.qkv", "attn.qkv"),
                ("attention1.project", "attn.proj"),
                ("conv1d1", "attn.net.1|1"),
                ("depthwise1d1", "attn.net.3.conv"),
                ("norm2", "attn.net.4"),
                ("conv1d2", "attn.net.6|1"),
                # blocks of both
                ("split1.one.attention1.qkv", "attn.qkv"),
                ("split1.one.attention1.project", "attn.proj"),
                ("split1.other.conv1d1", "attn.net.1|1"),
                ("split1.other.depthwise1d1", "attn.net.3.conv"),
                ("split1.other.norm1", "attn.net.4"),
                ("split1.other.conv1d2", "attn.net.6|1"),
            )
        },
        f"{_BLOCK}.residual2.branch.norm1": "blocks.{j}.0.norm2",
        f"{_BLOCK}.residual2.branch.linear1": "blocks.{j}.0.mlp.fc1",
        f"{_BLOCK}.residual2.branch.linear2": "blocks.{j}.0.mlp.fc2",
        "head.norm1": "norm",
        "head.linear1": "head",
    },
)

SOURCES = (
    OURS,
    SHI_LABS,
    LOCUSLAB,
    FACEBOOK,
    FACEBOOK_ISOTROPIC,
    TORCHVISION_CONVNEXT,
    RESNET,
    GLIT,
    TIMM_VIT,
    TIMM_CONVMIXER,
    TIMM_CONVNEXT_CONV,  # before the other, whose keys are the same: its form reads both
    TIMM_CONVNEXT,
    TIMM_CONVNEXT_HNF,
    TIMM_COATNET,
    TIMM_COATNET_RW,
    *(Source(name, dict(rows)) for family in FAMILIES for name, rows in family.weights.items()),
)

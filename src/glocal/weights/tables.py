"""Their names for our weights: one table a source, each row ours -> theirs.

A row names a module or a single tensor. `{j}` stands for a number, `{j+3}` for one shifted by three, `{depth+5}` for the
number of blocks plus five. A table is used in both directions, and every weight must have a row (`translate`).
"""

from typing import NamedTuple


class Source(NamedTuple):
    """Whose names they are, the rows for learned weights and running statistics, and those for tables that are computed."""

    name: str
    rows: dict[str, str]
    computed: dict[str, str] = {}  # noqa: RUF012


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
        f"{_BLOCK}.linear1": "{j+3}.1",
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
        f"{_BLOCK}.linear1": "blocks.{j}.1",
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

SOURCES = (OURS, SHI_LABS, LOCUSLAB, TIMM_CONVMIXER, TIMM_VIT)

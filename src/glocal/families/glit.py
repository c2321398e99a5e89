"""GLiT (Chen et al. 2021, arXiv:2107.02960): blocks in which some heads look globally and others convolve locally.

What was found by search is read from the authors' two index lists; the search is not here.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Literal

from glocal.design.architecture import Architecture, Stage, Word, keeps, parts
from glocal.design.cost import cost
from glocal.design.op import Residual, Sentence, Split
from glocal.design.ops.attention import AreaAttention, Attention
from glocal.design.ops.convolutions import Conv1d, Depthwise, Depthwise1d, Patches
from glocal.design.ops.pointwise import Act, Gate, Linear, Norm
from glocal.design.ops.sequences import ClassToken, First, Flatten, LearnedPosition, Mean, Unflatten
from glocal.design.shapes import Grid
from glocal.errors import ArchitectureError, ShapeError
from glocal.families.family import Family

LN, BN = Norm("layer", 1e-6), Norm("batch")


@dataclass(frozen=True)
class _Heads(ABC):
    """A block in which `local` of the `heads` look nearby and the others everywhere (Section 3.1).

    Self-attention takes the first channels, its share of the width, the local heads the rest. `qkv` is the width of query,
    key and value over that of their channels (d_k), `mlp` the feed-forward's inner width over the block's (d_z). `act` is
    the feed-forward's: GELU in the authors' code, Swish ("silu") in the paper.
    """

    heads: int = 3
    local: int = 0
    qkv: float = 1.0
    mlp: float = 4.0
    act: Literal["gelu", "silu"] = "gelu"
    attention_dropout: float = 0.0

    @abstractmethod
    def locally(self, c: int) -> Sentence:
        """The local heads, which take c channels."""

    def spell(self, width_in: int, width: int, stride: int) -> Sentence:
        keeps(self, width_in=width_in, width=width, stride=stride)
        if self.heads < 1 or width % self.heads or not 0 <= self.local <= self.heads:
            raise ShapeError(f"{self}: the heads must divide the width {width}, and at most all of them are local")
        head_dim, looking = width // self.heads, self.heads - self.local
        c = looking * head_dim
        attend = (Attention(looking, int(self.qkv * head_dim), c, True, self.attention_dropout),) if looking else ()
        near = self.locally(width - c) if self.local else ()
        mix = (Split(c, attend, near),) if attend and near else attend or near
        feed = Linear(int(self.mlp * width)), Act(self.act), Linear(width)
        return Residual((LN, *mix)), Residual((LN, *feed))


@dataclass(frozen=True)
class GLiTBlock(_Heads):
    """Local heads that are one gated depthwise convolution along the tokens, `kernel` (K) long and `expansion` (E) wide."""

    kernel: int = 31
    expansion: int = 1

    def locally(self, c: int) -> Sentence:
        inner = self.expansion * c
        return Conv1d(2 * inner), Gate(), Depthwise1d(self.kernel), BN, Act("silu"), Conv1d(c)


@dataclass(frozen=True)
class GLiTGridBlock(_Heads):
    """Local heads that convolve `kernel` x `kernel` patches of the grid: Conv2D of Table 6. No class token."""

    kernel: int = 5
    expansion: int = 1

    def locally(self, c: int) -> Sentence:
        on_grid = Unflatten(), Depthwise(self.kernel), Flatten()
        return Conv1d(2 * self.expansion * c), Gate(), *on_grid, BN, Act("silu"), Conv1d(c)


@dataclass(frozen=True)
class GLiTAreaBlock(_Heads):
    """Local heads that attend within areas of `rows` x `columns` patches: Table 6's local-area attention."""

    rows: int = 1
    columns: int = 14

    def locally(self, c: int) -> Sentence:
        head_dim = c // self.local
        return (AreaAttention(self.local, head_dim, c, True, self.attention_dropout, self.rows, self.columns),)


def glit(name: str, blocks: tuple[GLiTBlock, ...], *, width: int, patch: int = 16, size: int = 224) -> Architecture:
    """A DeiT whose layers are the given blocks: patches, class token, learned positions (Section 3)."""
    return Architecture(
        name,
        stem=(Patches(width, patch), Flatten(), ClassToken(), LearnedPosition()),
        stages=(Stage(width, blocks),),
        head=(LN, First(), Linear(1000)),
        image=Grid(3, size, size),
        init="vit",
        drop_path=0.1,
    )


# ------------------------------------------------------------------------------------------------------ the authors' lists

# What the nine options of a block mean, by the kind of block (Table 2 and the authors' code): option 3 a + b is the a-th of
# the first and the b-th of the second. What a kind does not choose keeps GLiTBlock's default.
OPTIONS: dict[str, dict[str, tuple[Any, ...]]] = {
    "local": {"kernel": (17, 31, 45), "expansion": (1, 2, 4)},
    "global": {"qkv": (0.5, 1.0, 2.0), "mlp": (2.0, 4.0, 6.0)},
    "mixed": {"expansion": (1, 2, 4), "mlp": (2.0, 4.0, 6.0)},
}


def kind(block: GLiTBlock) -> str:
    """Which options a block has: those of "global", "local" or "mixed" heads."""
    return "global" if not block.local else "local" if block.local == block.heads else "mixed"


def options(heads: int, thirds: int) -> tuple[GLiTBlock, ...]:
    """The nine blocks of which `thirds` thirds of the heads are global, in the authors' order."""
    if thirds not in range(4) or heads % 3:
        raise ArchitectureError(f"{thirds} thirds of {heads} heads; give 0 to 3 thirds of a number that 3 divides")
    block = GLiTBlock(heads, heads - thirds * heads // 3)
    choices = OPTIONS[kind(block)]
    return tuple(replace(block, **dict(zip(choices, values, strict=True))) for values in product(*choices.values()))


def from_official(
    heads_global: Sequence[int], choice: Sequence[int], *, width: int = 192, heads: int = 3, name: str = "glit"
) -> Architecture:
    """The network of the authors' two lists, one number a block: thirds of global heads (0 to 3), and option (0 to 8)."""
    if len(heads_global) != len(choice) or not choice:
        raise ArchitectureError(
            f"{len(heads_global)} numbers of global heads and {len(choice)} choices; give one a block"
        )
    if wrong := [index for index in choice if index not in range(9)]:
        raise ArchitectureError(f"choice {wrong[0]} is none of the options 0 to 8")
    blocks = tuple(options(heads, thirds)[index] for thirds, index in zip(heads_global, choice, strict=True))
    return glit(name, blocks, width=width)


def to_official(arch: Architecture) -> tuple[list[int], list[int]]:
    """The authors' two lists for an architecture; ArchitectureError names the block that they cannot say."""
    heads_global, choice = [], []
    for path, part in parts(arch):
        if path in ("stem", "head"):
            continue
        block = part.word
        thirds, rest = divmod(3 * (block.heads - block.local), block.heads) if isinstance(block, GLiTBlock) else (0, 1)
        known = () if rest or not isinstance(block, GLiTBlock) else options(block.heads, thirds)
        plain = replace(block, act="gelu", attention_dropout=0.0) if isinstance(block, GLiTBlock) else block
        if plain not in known:
            raise ArchitectureError(f"{arch.name}, {path}: {block} is none of the authors' options")
        heads_global.append(thirds)
        choice.append(known.index(plain))
    return heads_global, choice


def legacy_macs(arch: Architecture) -> int:
    """The multiply-adds that the authors' counter prints: half of the first pointwise layer of local heads is left out.

    `cost` gives the true ones. For GLiT-Tiny 1.332 G, where the network does 1.473 G.
    """
    macs = cost(arch).macs
    for _, part in parts(arch):
        block, width = part.word, part.left.c
        if isinstance(block, GLiTBlock):
            macs -= block.expansion * (width * block.local // block.heads) ** 2 * part.given.n
    return macs


# ------------------------------------------------------------------------------------------------------ names

RELEASED = (3, 0, 1, 3, 0, 1, 3, 1, 0, 3, 0, 3), (1, 4, 8, 4, 8, 8, 3, 6, 8, 4, 5, 8)  # GLiT-Tiny (Figure 5)
# The paper's Small and Base were never published; these are GLiT-Tiny's blocks at DeiT's widths.
SIZES = {"tiny": (192, 3), "small_scaled": (384, 6), "base_scaled": (768, 12)}
AREAS = {14: (1, 14), 28: (2, 14), 49: (7, 7)}  # patches in an area (Table 6)
MIXES = ((3, 0), (2, 1), (1, 2), (0, 3))  # global and local heads of every block (Table 1)
NAMES = (
    *(f"glit_{size}{flavour}" for size in SIZES for flavour in ("", "_swish")),
    *(f"glit_tiny_area_{patches}" for patches in AREAS),
    *(f"glit_tiny_conv2d_{kernel}" for kernel in (3, 5, 7)),
    *(f"glit_mix_{g}_{local}" for g, local in MIXES),
)
TOP1 = {"glit_tiny": (76.3, "Table 3")}


def named(name: str) -> Architecture | None:
    """The architecture of `glit_<tiny, small_scaled, base_scaled>[_swish]`, of Table 6 (`glit_tiny_area_14`,
    `glit_tiny_conv2d_5`), or of Table 1 (`glit_mix_1_2`: one global and two local heads in every block).

    The authors' `glit_tiny_patch16_224` is answered with `glit_tiny`. None for any other name.
    """
    name = "glit_tiny" if name == "glit_tiny_patch16_224" else name
    if m := re.fullmatch(rf"glit_({'|'.join(SIZES)})(_swish)?", name):
        width, heads = SIZES[m[1]]
        arch = from_official(*RELEASED, width=width, heads=heads, name=name)
        return _edited(arch, lambda block: replace(block, act="silu")) if m[2] else arch
    if (m := re.fullmatch(r"glit_mix_([0-3])_([0-3])", name)) and (int(m[1]), int(m[2])) in MIXES:
        return glit(name, (GLiTBlock(3, int(m[2])),) * 12, width=192)
    if (m := re.fullmatch(r"glit_tiny_area_(\d+)", name)) and int(m[1]) in AREAS:
        rows, columns = AREAS[int(m[1])]
        return _edited(
            from_official(*RELEASED, name=name),
            lambda b: GLiTAreaBlock(b.heads, b.local, b.qkv, b.mlp, b.act, rows=rows, columns=columns),
        )
    if m := re.fullmatch(r"glit_tiny_conv2d_([1-9]\d*)", name):
        arch = _edited(
            from_official(*RELEASED, name=name),
            lambda b: GLiTGridBlock(b.heads, b.local, b.qkv, b.mlp, b.act, kernel=int(m[1]), expansion=b.expansion),
        )
        stem = tuple(op for op in arch.stem if op != ClassToken())
        return replace(arch, stem=stem, head=(LN, Mean(), Linear(1000)))
    return None


def _edited(arch: Architecture, edit: Callable[[GLiTBlock], Word]) -> Architecture:
    (stage,) = arch.stages
    blocks = tuple(edit(block) for block in stage.blocks if isinstance(block, GLiTBlock))
    return replace(arch, stages=(replace(stage, blocks=blocks),))


FAMILY = Family(words=(GLiTBlock, GLiTGridBlock, GLiTAreaBlock), names=NAMES, named=named, top1=TOP1)

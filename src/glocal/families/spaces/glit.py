"""GLiT's search spaces (Table 2): where heads are local, with which details, and both at once.

The search is hierarchical: the distribution of local heads first, its details frozen; then the details, given the
distribution that won.
"""

import re
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from glocal.design import Architecture, Linear, OneOf, vary
from glocal.errors import ArchitectureError
from glocal.families.glit import OPTIONS, RELEASED, GLiTBlock, glit, kind


class Grounds(NamedTuple):
    """What all networks of a space share; `kernels` are the three lengths to choose from, the middle one the frozen."""

    width: int
    heads: int
    depth: int
    kernels: tuple[int, int, int] = (17, 31, 45)
    patch: int = 16
    size: int = 224
    classes: int = 1000


# Table 2's kernels are m w + 3 for m = 1, 2, 3 on the 14 x 14 patches of 224 pixels; on 8 x 8 patches that is 11, 19, 27.
# Table 2's values for Small and Base are not known to us: they are taken as the same ratios and kernels.
GROUNDS = {"tiny": Grounds(192, 3, 12), "small": Grounds(384, 6, 12), "base": Grounds(768, 12, 12)}
QUESTIONS = ("distribution", "details", "joint", "nlp")
NAMES = tuple(f"glit_{size}_{asked}" for size in (*GROUNDS, "cifar") for asked in QUESTIONS)
_BASE = r"glit_(?:(tiny|small|base)|cifar(?:_([1-9]\d*)_([1-9]\d*))?)"


def _of_thirds(grounds: Grounds, thirds: int) -> GLiTBlock:
    """The frozen block of which `thirds` thirds of the heads are global: qkv 1, mlp 4, expansion 1, the middle kernel."""
    return GLiTBlock(grounds.heads, grounds.heads - thirds * grounds.heads // 3, kernel=grounds.kernels[1])


def _detailed(block: GLiTBlock, kernels: tuple[int, int, int]) -> OneOf:
    """The nine options of a block with that many local heads, in the authors' order."""
    return vary(block, {field: kernels if field == "kernel" else of for field, of in OPTIONS[kind(block)].items()})


def _whole(grounds: Grounds) -> OneOf:
    """All blocks that differ: 27 with local heads alone, 81 with a third and 81 with two thirds global, 9 with all."""
    genes = {"qkv": (0.5, 1.0, 2.0), "mlp": (2.0, 4.0, 6.0), "expansion": (1, 2, 4), "kernel": grounds.kernels}
    live = {"local": ("mlp", "expansion", "kernel"), "global": ("qkv", "mlp"), "mixed": (*genes,)}
    blocks = (_of_thirds(grounds, thirds) for thirds in range(4))
    return OneOf(tuple(o for b in blocks for o in vary(b, {gene: genes[gene] for gene in live[kind(b)]}).options))


def _space(name: str, grounds: Grounds, blocks: tuple[Any, ...]) -> Architecture:
    arch = glit(name, blocks, width=grounds.width, patch=grounds.patch, size=grounds.size)
    return replace(arch, head=(*arch.head[:-1], Linear(grounds.classes)))


def distribution(name: str, grounds: Grounds) -> Architecture:
    """Level 1: each block has 0, 1, 2 or 3 thirds of its heads global; answers are those thirds."""
    return _space(name, grounds, (OneOf(tuple(_of_thirds(grounds, thirds) for thirds in range(4))),) * grounds.depth)


def details(name: str, grounds: Grounds, thirds: tuple[int, ...]) -> Architecture:
    """Level 2 under a distribution: each block is one of nine, by what is searched for its kind of heads."""
    return _space(name, grounds, tuple(_detailed(_of_thirds(grounds, g), grounds.kernels) for g in thirds))


def joint(name: str, grounds: Grounds) -> Architecture:
    """Both levels at once, with every combination of Table 2 that makes another block: 198 a block."""
    return _space(name, grounds, (_whole(grounds),) * grounds.depth)


@dataclass(frozen=True)
class Hierarchy:
    """A search in two levels: the space of the first, and what the second is, given the first's winner."""

    name: str
    first: Architecture
    joint: Architecture
    kernels: tuple[int, int, int]

    def refine(self, winner: Architecture) -> Architecture:
        """The space of the second level: the winner of the first, with its details open."""
        (stage,) = winner.stages
        blocks = [block for block in stage.blocks if isinstance(block, GLiTBlock)]
        if len(blocks) < len(stage.blocks):
            raise ArchitectureError(f"{winner.name} is no answer of {self.first.name}: it has blocks of another family")
        thirds = "".join(str(3 * (block.heads - block.local) // block.heads) for block in blocks)
        details: tuple[Any, ...] = tuple(_detailed(block, self.kernels) for block in blocks)
        return replace(winner, name=f"{self.name}_details_{thirds}", stages=(replace(stage, blocks=details),))


def hierarchy(name: str) -> Hierarchy | None:
    """The two levels of `glit_<tiny, small, base>`, `glit_cifar` or `glit_cifar_<width>_<depth>`; None for another name."""
    m = re.fullmatch(_BASE, name)
    if not m or not (grounds := _grounds(m)):
        return None
    first, both = distribution(f"{name}_distribution", grounds), joint(f"{name}_joint", grounds)
    return Hierarchy(name, first, both, grounds.kernels)


def named(name: str) -> Architecture | None:
    """The space of a hierarchy's name and `_distribution`, `_details`, `_joint` or `_nlp`; None for any other name.

    `_details` takes the distribution as a digit a block (`_details_301301301301`: thirds of the heads that are global) and
    is the released one without. `_nlp` is the baseline of Table 4: all heads global, `qkv` and `mlp` searched. The bare name
    is the joint space.
    """
    m = re.fullmatch(rf"{_BASE}(?:_(distribution|joint|nlp|details)(?:_([0-3]+))?)?", name)
    if not m or not (grounds := _grounds(m)) or (m[5] and m[4] != "details"):
        return None
    if m[4] == "distribution":
        return distribution(name, grounds)
    if m[4] == "nlp":
        return details(name, grounds, (3,) * grounds.depth)
    if m[4] == "details":
        thirds = tuple(map(int, m[5])) if m[5] else RELEASED[0]
        if len(thirds) != grounds.depth:
            raise ArchitectureError(
                f"{name} has {grounds.depth} blocks and a distribution of {len(thirds)}; give a digit a block: "
                f"{m[0].partition('_details')[0]}_details_{'301' * grounds.depth:.{grounds.depth}}"
            )
        return details(name, grounds, thirds)
    return joint(name, grounds)


def _grounds(m: re.Match[str]) -> Grounds | None:
    """Of a matched name; None where three heads do not divide the width."""
    if m[1]:
        return GROUNDS[m[1]]
    width, depth = int(m[2] or 192), int(m[3] or 12)
    return Grounds(width, 3, depth, (11, 19, 27), 4, 32, 10) if width % 3 == 0 else None

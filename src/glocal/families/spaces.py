"""The catalogue of search spaces by name, and those of no single paper: CoAtNet's layouts and depths, and the hybrids.

GLiT's are in `glit_spaces`. What a space is, is in `glocal.design.space`.
"""

from dataclasses import replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from glocal.design import Architecture, Conv, Linear, Mean, Norm, OneOf, Stage, Word, questions
from glocal.design.op import Sentence
from glocal.design.shapes import Grid
from glocal.errors import ArchitectureError
from glocal.families import coatnet, glit_spaces
from glocal.families.catalogue import architecture, list_models
from glocal.families.coatnet import MBConv, RelativeTransformer
from glocal.families.convmixer import ConvMixerLayer
from glocal.families.convnext import ConvNeXtBlock, Downsample
from glocal.families.glit_spaces import Hierarchy, hierarchy
from glocal.families.vit import TransformerLayer

__all__ = ["INFERRED", "Hierarchy", "hierarchy", "list_spaces", "model_or_space", "space"]

LN = Norm("layer", 1e-6)
NAMES = (*glit_spaces.NAMES, "coatnet_layouts", "coatnet_layouts_cifar", "hybrid_224", "hybrid_cifar")
# Spaces whose options the paper has and we do not (`glit_spaces.GROUNDS`).
INFERRED = ("glit_small_", "glit_base_")


def list_spaces(pattern: str = "*") -> list[str]:
    """Names of spaces that match a wildcard pattern such as "glit*", in alphabetical order."""
    return sorted(name for name in NAMES if fnmatchcase(name, pattern))


def space(name: str) -> Architecture:
    """The space of a name, or in an architecture.yaml; ArchitectureError suggests the nearest known names."""
    if name.endswith((".yaml", ".yml")):
        return _with_questions(architecture(name), name)
    found = _OWN[name]() if name in _OWN else glit_spaces.named(name)
    if found is None:
        near = get_close_matches(name, NAMES, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(list_spaces())}"
        raise ArchitectureError(f"no space is called {name!r}; {hint}")
    return found


def model_or_space(name: str) -> Architecture:
    """The architecture of a name or file; where no model is called so, the space. Errors are those of the nearer name."""
    try:
        return architecture(name)
    except ArchitectureError as error:
        try:
            return space(name)
        except ArchitectureError as other:
            near = get_close_matches(name, [*list_models(), *NAMES], n=1, cutoff=0.5)
            raise (other if near and near[0] in NAMES else error) from None


def _with_questions(arch: Architecture, path: str) -> Architecture:
    if not questions(arch):
        raise ArchitectureError(f"{path} asks nothing: put OneOf or Vary where a block or stage is to be searched")
    return arch


# ------------------------------------------------------------------------------------------------------ CoAtNet

# Section 2.2's layouts, one letter a stage; S1 is convolution in all of them.
LAYOUTS = ("CCCC", "CCCT", "CCTT", "CTTT")
# Depths of S1 to S4: those of the four layouts of equal cost (`coatnet.LAYOUTS`), of CoAtNet-0 and CoAtNet-1 (Table 3).
DEPTHS = ((1, 2, 3), (1, 2, 3, 5, 6), (3, 5, 7, 10, 14), (1, 2, 3))
# For 32 x 32 pixels, our choice: S1 at 32 x 32, S4 at 4 x 4, and there two thirds of CoAtNet-0's widths.
CIFAR_WIDTHS, CIFAR_DEPTHS = (32, 64, 128, 256, 512), ((1, 2), (1, 2, 3), (2, 3, 4, 5), (1, 2))


def layouts(
    name: str,
    depths: tuple[tuple[int, ...], ...],
    widths: tuple[int, ...],
    *,
    stem: Sentence,
    strides: tuple[int, ...] = (2, 2, 2, 2),
    image: Grid = Grid(3, 224, 224),
    classes: int = 1000,
) -> Architecture:
    """CoAtNet's layouts as one question that all stages answer alike, and the depth of each stage as another."""
    words: dict[str, Word] = {"C": MBConv(), "T": RelativeTransformer()}
    stages = list[Any]()
    for i, (width, of, stride) in enumerate(zip(widths[1:], depths, strides, strict=True)):
        kinds = [words[layout[i]] for layout in LAYOUTS]
        block = OneOf(tuple(kinds), "layout") if len({*kinds}) > 1 else kinds[0]
        stages.append(OneOf(tuple(Stage(width, (block,) * depth, stride) for depth in of), f"depth of S{i + 1}"))
    return Architecture(name, stem, tuple(stages), (Mean(), LN, Linear(classes)), image, init="normal")


def _layouts_224() -> Architecture:
    widths = coatnet.SIZES["0"].widths
    return layouts("coatnet_layouts", DEPTHS, widths, stem=coatnet.stem(widths[0]))


def _layouts_cifar() -> Architecture:
    first, *rest = coatnet.stem(CIFAR_WIDTHS[0])
    assert isinstance(first, Conv)
    return layouts(
        "coatnet_layouts_cifar",
        CIFAR_DEPTHS,
        CIFAR_WIDTHS,
        stem=(replace(first, stride=1), *rest),
        strides=(1, 2, 2, 2),
        image=Grid(3, 32, 32),
        classes=10,
    )


# ------------------------------------------------------------------------------------------------------ hybrids


def words(width: int, *, local_only: bool = False) -> OneOf:
    """A block of any family that keeps width and size on a grid, from local to global.

    ConvNeXt's has no LayerScale: at 1e-6 a block that is trained for a few steps would do next to nothing. Heads are 32 wide.
    """
    local: tuple[Word, ...] = ConvMixerLayer(5), ConvNeXtBlock(scale=0.0), MBConv()
    wide: tuple[Word, ...] = RelativeTransformer(), TransformerLayer(width // 32)
    return OneOf(local if local_only else (*local, *wide))


def hybrid(
    name: str, patch: int, widths: tuple[int, ...], depths: tuple[int, ...], *, size: int, classes: int, local: int
) -> Architecture:
    """Stages of a pyramid in which every block is of any family; the first `local` stages are too large to attend in."""
    stages = tuple(
        Stage(
            width,
            (words(width, local_only=i < local),) * depth,
            stride=2 if i else 1,
            downsample=Downsample() if i else None,
        )
        for i, (width, depth) in enumerate(zip(widths, depths, strict=True))
    )
    stem = Conv(widths[0], patch, patch, padding=0), LN
    return Architecture(name, stem, stages, (Mean(), LN, Linear(classes)), Grid(3, size, size), init="normal")


def _hybrid_cifar() -> Architecture:
    return hybrid("hybrid_cifar", 2, (64, 128, 256), (3, 4, 3), size=32, classes=10, local=0)


def _hybrid_224() -> Architecture:
    return hybrid("hybrid_224", 4, (64, 128, 256, 512), (2, 2, 6, 2), size=224, classes=1000, local=1)


_OWN = {
    "coatnet_layouts": _layouts_224,
    "coatnet_layouts_cifar": _layouts_cifar,
    "hybrid_224": _hybrid_224,
    "hybrid_cifar": _hybrid_cifar,
}

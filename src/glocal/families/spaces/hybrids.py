"""Search spaces of no single paper: pyramids whose every block is of any of several families."""

from glocal.design import Architecture, Conv, Linear, Mean, Norm, OneOf, Stage, Word
from glocal.design.shapes import Grid
from glocal.families.coatnet import MBConv, RelativeTransformer
from glocal.families.convmixer import ConvMixerLayer
from glocal.families.convnext import ConvNeXtBlock, Downsample
from glocal.families.vit import TransformerLayer

LN = Norm("layer", 1e-6)


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


def hybrid_cifar() -> Architecture:
    """For pictures of 32 x 32."""
    return hybrid("hybrid_cifar", 2, (64, 128, 256), (3, 4, 3), size=32, classes=10, local=0)


def hybrid_224() -> Architecture:
    """For pictures of 224 x 224."""
    return hybrid("hybrid_224", 4, (64, 128, 256, 512), (2, 2, 6, 2), size=224, classes=1000, local=1)

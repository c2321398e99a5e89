"""CoAtNet's search spaces: its layouts (Section 2.2) and the depths of its stages."""

from dataclasses import replace
from typing import Any

from glocal.design import Architecture, Conv, Linear, Mean, Norm, OneOf, Stage, Word
from glocal.design.op import Sentence
from glocal.design.shapes import Grid
from glocal.families import coatnet
from glocal.families.coatnet import MBConv, RelativeTransformer

LN = Norm("layer", 1e-6)
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


def layouts_224() -> Architecture:
    """For pictures of 224 x 224, with CoAtNet-0's widths."""
    widths = coatnet.SIZES["0"].widths
    return layouts("coatnet_layouts", DEPTHS, widths, stem=coatnet.stem(widths[0]))


def layouts_cifar() -> Architecture:
    """For pictures of 32 x 32."""
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

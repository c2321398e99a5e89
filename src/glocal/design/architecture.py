"""What an architecture is (a stem, stages of words, a head), and the one walk over it that everything else folds.

Standard library only. What a word says belongs to its paper's file in `glocal.families`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, is_dataclass
from functools import lru_cache
from typing import Literal, Protocol, get_args, runtime_checkable

from glocal.design.op import Sentence, check_choices, read
from glocal.design.ops.pointwise import Linear
from glocal.design.shapes import Grid, Shape, Vector
from glocal.errors import ArchitectureError, ShapeError


@runtime_checkable
class Word(Hashable, Protocol):
    """A paper's name for a group of layers: a frozen dataclass that can spell itself."""

    def spell(self, width_in: int, width: int, stride: int) -> Sentence:
        """The ops that lead from `width_in` to `width` channels at 1 / `stride` of the resolution."""
        ...


def keeps(word: Word, *, width_in: int, width: int, stride: int) -> None:
    """Raises ShapeError for a word that keeps width and size but stands where one of them changes."""
    if width_in != width:
        raise ShapeError(f"{word} keeps its width of {width_in} and cannot make {width}; give its Stage a downsample")
    if stride != 1:
        raise ShapeError(f"{word} keeps its size and cannot stride by {stride}; give its Stage a downsample")


@dataclass(frozen=True)
class Stage:
    """Blocks of one width. `downsample`, or else the first block, changes width and resolution; the rest keep them."""

    width: int
    blocks: tuple[Word, ...]
    stride: int = 1
    downsample: Word | None = None


Init = Literal["torch", "vit", "compact", "normal", "resnet"]


@dataclass(frozen=True)
class Architecture:
    """A network as data. `init` names its paper's initial values; `drop_path` is its stochastic depth in training,
    rising linearly from 0 in the first block to this rate in the last. In a space, blocks and stages may be a `OneOf`."""

    name: str
    stem: Sentence
    stages: tuple[Stage, ...]
    head: Sentence
    image: Grid = Grid(3, 224, 224)
    init: Init = "torch"
    drop_path: float = 0.0

    def __post_init__(self) -> None:
        if self.init not in (schemes := get_args(Init)):
            raise ArchitectureError(f"{self.name}: init is one of {', '.join(schemes)}, not {self.init!r}")
        if not 0 <= self.drop_path < 1:
            raise ArchitectureError(f"{self.name}: drop_path is {self.drop_path}; give a rate in [0, 1)")


@dataclass(frozen=True, eq=False)
class Part:
    """The stem, a block, a downsampling or the head, spelled out between the shapes it is given and leaves behind.

    Parts are made once for each word and shape and compared by identity, so that folds can remember them cheaply.
    """

    word: Word | Sentence
    sentence: Sentence
    given: Shape
    left: Shape


@lru_cache(maxsize=1 << 16)
def _spell(word: Word | Sentence, given: Shape, width: int, stride: int) -> Part:
    if is_dataclass(word):
        check_choices(word)
    sentence = word if isinstance(word, tuple) else word.spell(given.c, width, stride)
    return Part(word, sentence, given, read(sentence, given))


def parts(arch: Architecture) -> Iterator[tuple[str, Part]]:
    """Walks an architecture in forward order, path by path. Building, costing, printing and searching fold this walk.

    Raises ShapeError with the architecture, the path and the shape given where a part cannot read it.
    """
    shape: Shape = arch.image
    for path, word, width, stride in _words(arch):
        part = spelled(word, shape, width, stride, where=f"{arch.name}, {path}")
        yield path, part
        shape = part.left


def spelled(word: Word | Sentence, given: Shape, width: int, stride: int, *, where: str) -> Part:
    """One part of the walk; an error names the architecture and path that `where` says, and the shape given."""
    try:
        return _spell(word, given, width, stride)
    except ArchitectureError as error:
        raise type(error)(f"{where}, given {given}: {error}") from None


def _words(arch: Architecture) -> Iterator[tuple[str, Word | Sentence, int, int]]:
    yield "stem", arch.stem, 0, 1
    for i, stage in enumerate(arch.stages):
        if not isinstance(stage, Stage):
            raise ArchitectureError(
                f"{arch.name}, stages.{i}: a choice of stages is still open; settle it with decide()"
            )
        stride = stage.stride
        if stage.downsample is not None:
            yield f"stages.{i}.downsample", stage.downsample, stage.width, stride
            stride = 1
        for j, block in enumerate(stage.blocks):
            yield f"stages.{i}.blocks.{j}", block, stage.width, stride
            stride = 1
    yield "head", arch.head, 0, 1


def classifier(arch: Architecture) -> Linear | None:
    """The last layer of the head, where that is a Linear on the pooled vector; None for a headless network."""
    pooled = head_split(arch)
    last = arch.head[-1] if len(arch.head) > pooled else None
    return last if isinstance(last, Linear) else None


def head_split(arch: Architecture) -> int:
    """How many ops of the head come before the one that pools the picture to a vector.

    Those belong to the features (timm's `forward_features`), the rest to the head (`forward_head`).
    """
    shape = [*parts(arch)][-1][1].given
    for i, op in enumerate(arch.head):
        shape = op.out(shape)
        if isinstance(shape, Vector):
            return i
    raise ArchitectureError(f"{arch.name}: the head leaves {shape}; it must pool: Mean(), First() or SequencePool()")

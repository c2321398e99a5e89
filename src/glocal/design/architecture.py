"""What an architecture is (a stem, stages of words, a head), and the one walk over it that everything else folds.

Standard library only. What a word says belongs to its paper's file in `glocal.families`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, is_dataclass, replace
from functools import lru_cache
from typing import Any, Literal, Protocol, get_args, runtime_checkable

from glocal.design.op import Sentence, check_choices, read
from glocal.design.pointwise import Linear
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
    rising linearly from 0 in the first block to this rate in the last."""

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
        try:
            part = _spell(word, shape, width, stride)
        except ArchitectureError as error:
            raise type(error)(f"{arch.name}, {path}, given {shape}: {error}") from None
        yield path, part
        shape = part.left


def _words(arch: Architecture) -> Iterator[tuple[str, Word | Sentence, int, int]]:
    yield "stem", arch.stem, 0, 1
    for i, stage in enumerate(arch.stages):
        stride = stage.stride
        if stage.downsample is not None:
            yield f"stages.{i}.downsample", stage.downsample, stage.width, stride
            stride = 1
        for j, block in enumerate(stage.blocks):
            yield f"stages.{i}.blocks.{j}", block, stage.width, stride
            stride = 1
    yield "head", arch.head, 0, 1


def adapt(
    arch: Architecture,
    *,
    classes: int | None = None,
    channels: int | None = None,
    size: int | tuple[int, int] | None = None,
    drop_path: float | None = None,
    attention_dropout: float | None = None,
) -> Architecture:
    """The same network for another number of classes (0: no classifier), input channels, picture size or regularisation.

    `size` is one side in pixels or (height, width). Raises ArchitectureError or ShapeError where it does not fit.
    """
    if classes is not None:
        if classes < 0:
            raise ArchitectureError(f"{arch.name}: num_classes is {classes}; give 0 (no classifier) or more")
        body = arch.head[:-1] if classifier(arch) else arch.head
        arch = replace(arch, head=(*body, Linear(classes)) if classes else body)
    if channels is not None and channels < 1:
        raise ArchitectureError(f"{arch.name}: in_chans is {channels}; give 1 or more")
    if channels is not None or size is not None:
        c, h, w = arch.image
        if not isinstance(size, int | None) and len(size) != 2:
            raise ArchitectureError(f"{arch.name}: img_size is {size}; give one side or (height, width)")
        h, w = (size, size) if isinstance(size, int) else size or (h, w)
        arch = replace(arch, image=Grid(channels or c, h, w))
    if drop_path is not None:
        if not 0 <= drop_path < 1:
            raise ArchitectureError(f"{arch.name}: drop_path_rate is {drop_path}; give a rate in [0, 1)")
        arch = replace(arch, drop_path=drop_path)
    if attention_dropout is not None:
        arch = _set_attention_dropout(arch, attention_dropout)
    try:
        _walk(arch)
    except ShapeError as error:
        if size is None or not (near := _sizes_near(arch)):
            raise
        fits = " or ".join(f"{h}x{w}" for h, w in near)
        _, h, w = arch.image
        raise ShapeError(f"pictures of {h}x{w} do not fit {arch.name}; {fits} would ({error})") from None
    return arch


def _walk(arch: Architecture) -> None:
    for _ in parts(arch):
        pass


def _sizes_near(arch: Architecture) -> list[tuple[int, int]]:
    """Picture sizes (height, width) that an architecture reads: one below its own and one above, where there are."""
    c, h, w = arch.image
    found = []
    for up in (0, 1):
        for m in (2, 4, 8, 16, 32, 64, 7, 14, 28, 56, 112, 224):
            tried = tuple((side + up * (m - 1)) // m * m for side in (h, w))
            try:
                _walk(replace(arch, image=Grid(c, *tried)))
            except ShapeError:
                continue
            found.append(tried)
            break
    return found  # type: ignore[return-value]


def _set_attention_dropout(arch: Architecture, rate: float) -> Architecture:
    words = [block for stage in arch.stages for block in stage.blocks if hasattr(block, "attention_dropout")]
    if rate and not words:
        raise ArchitectureError(f"{arch.name} has no attention, so an attention dropout of {rate} would do nothing")

    def edited(block: Any) -> Word:
        return replace(block, attention_dropout=rate) if block in words else block

    return replace(arch, stages=tuple(replace(s, blocks=tuple(map(edited, s.blocks))) for s in arch.stages))


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

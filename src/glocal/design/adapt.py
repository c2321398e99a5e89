"""The same network, or the same space of networks, for another task: classes, input channels, picture size, regularisation.

What a network is in itself is said in `architecture`.
"""

from dataclasses import replace
from typing import Any

from glocal.design.architecture import Architecture, classifier
from glocal.design.ops.pointwise import Linear
from glocal.design.shapes import Grid
from glocal.design.space import decide, edit_words, questions
from glocal.design.span import reach
from glocal.errors import ArchitectureError, ShapeError


def adapt(
    arch: Architecture,
    *,
    classes: int | None = None,
    channels: int | None = None,
    size: int | tuple[int, int] | None = None,
    drop_path: float | None = None,
    attention_dropout: float | None = None,
) -> Architecture:
    """The same network, or space of networks, for another number of classes (0: no classifier), input channels, picture
    size or regularisation.

    `size` is one side in pixels or (height, width). Raises ArchitectureError or ShapeError where it does not fit.
    """
    if classes is not None:
        if classes < 0:
            raise ArchitectureError(f"{arch.name}: num_classes is {classes}; give 0 (no classifier) or more")
        body = arch.head[:-1] if classifier(_first(arch)) else arch.head
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
        reach(arch)
    except ShapeError as error:
        if size is None or not (near := _sizes_near(arch)):
            raise
        fits = " or ".join(f"{h}x{w}" for h, w in near)
        _, h, w = arch.image
        raise ShapeError(f"pictures of {h}x{w} do not fit {arch.name}; {fits} would ({error})") from None
    return arch


def _first(space: Architecture) -> Architecture:
    """An architecture of a space."""
    return decide(space, (0,) * len(questions(space)))


def _sizes_near(arch: Architecture) -> list[tuple[int, int]]:
    """Picture sizes (height, width) that an architecture reads: one below its own and one above, where there are."""
    c, h, w = arch.image
    found = []
    for up in (0, 1):
        for m in (2, 4, 8, 16, 32, 64, 7, 14, 28, 56, 112, 224):
            tried = tuple((side + up * (m - 1)) // m * m for side in (h, w))
            try:
                reach(replace(arch, image=Grid(c, *tried)))
            except ShapeError:
                continue
            found.append(tried)
            break
    return found  # type: ignore[return-value]


def _set_attention_dropout(arch: Architecture, rate: float) -> Architecture:
    found = False

    def edited(word: Any) -> Any:
        nonlocal found
        attends = hasattr(word, "attention_dropout")
        found |= attends
        return replace(word, attention_dropout=rate) if attends else word

    settled = edit_words(arch, edited)
    if rate and not found:
        raise ArchitectureError(f"{arch.name} has no attention, so an attention dropout of {rate} would do nothing")
    return settled

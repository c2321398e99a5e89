"""Networks of smaller scales with depths or a width of our choice, where the rule alone would not make arms cost alike."""

from dataclasses import replace

from glocal.comparing.scaling import edited_widths, scaled
from glocal.comparing.study import Scale
from glocal.design import Architecture, Word
from glocal.families import architecture


def sized(
    model: str | Architecture, scale: Scale, *, depths: tuple[int, ...] | None = None, width: int | None = None
) -> Architecture:
    """The network at a scale, with so many blocks in each stage, and so wide in its first stage; others stay in proportion."""
    small = scaled(architecture(model) if isinstance(model, str) else model, scale)
    first = small.stages[0].width

    def proportional(before: int) -> int:
        return before * (width or first) // first

    stages = tuple(
        replace(stage, width=proportional(stage.width), blocks=_repeated(stage.blocks, depth))
        for stage, depth in zip(small.stages, depths or map(len, (s.blocks for s in small.stages)), strict=True)
    )
    classes = small.head[-1]
    head = (*edited_widths(small.head[:-1], proportional), classes)
    return replace(small, stem=edited_widths(small.stem, proportional), stages=stages, head=head)


def _repeated(blocks: tuple[Word, ...], depth: int) -> tuple[Word, ...]:
    """So many blocks: those that are there, or as many of the last one, or of the last two in turn."""
    if depth == len(blocks):
        return blocks
    pattern = blocks[-2:] if depth % 2 == 0 else blocks[-1:]
    return pattern * (depth // len(pattern))

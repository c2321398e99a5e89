"""Where a network attends: its layers of attention with their positions, and how positions of one grid become another's."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from glocal import design
from glocal.design import Architecture, Grid, Sentence, Shape, Tokens, parts
from glocal.design.op import steps

Heads = Literal["each", "mean"]  # whole matrices of every head of a large grid take longer than the network itself


class Positions(NamedTuple):
    """The rows of an attention matrix: `extra` class tokens, then the positions of an h x w grid."""

    h: int
    w: int
    extra: int = 0

    @property
    def n(self) -> int:
        """All rows."""
        return self.h * self.w + self.extra


@dataclass(frozen=True)
class AttentionPlace:
    """An attention layer as the architecture's data describes it.

    share: of the stream's channels that pass through it (GLiT's global heads).
    residual: whether its output is added to its input.
    """

    path: str
    positions: Positions
    share: float
    residual: bool


def attention_places(arch: Architecture) -> tuple[AttentionPlace, ...]:
    """All attention layers in forward order."""
    found: list[AttentionPlace] = []
    for path, part in parts(arch):
        found += _inside(part.sentence, part.given, path=path, share=1.0, residual=False)
    return tuple(found)


def _inside(sentence: Sentence, s: Shape, *, path: str, share: float, residual: bool) -> Iterator[AttentionPlace]:
    for name, op, given in steps(sentence, s):
        if isinstance(op, design.Attention):
            yield AttentionPlace(f"{path}.{name}", positions_of(given), share, residual)
        for part, inner, at in op.inside(given):
            adds = residual or isinstance(op, design.Residual)
            part_share = share * at.c / given.c if isinstance(op, design.Split) else share
            yield from _inside(inner, at, path=f"{path}.{name}.{part}", share=part_share, residual=adds)


def joined(shares: Tensor, *, heads: Heads) -> Tensor:
    """Probabilities (B, heads, ...) as they are, or (B, 1, ...) with the mean over the heads."""
    return shares if heads == "each" else shares.mean(1, keepdim=True)


def positions_of(s: Shape) -> Positions:
    """The positions of a shape before pooling."""
    assert isinstance(s, Grid | Tokens)
    return Positions(s.h, s.w, s.extra if isinstance(s, Tokens) else 0)


def carry(a: Positions, b: Positions) -> Tensor:
    """(b.n, a.n): positions of grid a averaged to those of grid b by the area that they cover; class tokens stay, those that
    are new read nothing."""
    rows, columns = _overlap(a.h, b.h), _overlap(a.w, b.w)
    matrix = torch.zeros(b.n, a.n)
    matrix[b.extra :, a.extra :] = torch.kron(rows, columns)
    for i in range(1, min(a.extra, b.extra) + 1):  # new class tokens stand in front of older ones
        matrix[b.extra - i, a.extra - i] = 1
    return matrix


def _overlap(a: int, b: int) -> Tensor:
    """(b, a): the shares of a cells that each of b cells of the same length together covers."""
    start, low = torch.arange(b)[:, None] * a / b, torch.arange(a)
    covered = (torch.minimum(start + a / b, low + 1) - torch.maximum(start, low)).clamp(min=0)
    return covered / covered.sum(1, keepdim=True)

"""What an architecture costs, exactly and without weights: a fold over its parts.

Measured time belongs to `glocal.net`; nothing here estimates.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from glocal.design.architecture import Architecture, Part, parts
from glocal.design.op import Op, count_macs, count_params, leaves
from glocal.design.shapes import Shape


class Cost(NamedTuple):
    """Learned weights, and multiply-adds for one picture (convolutions, matrix and attention products)."""

    params: int
    macs: int


@lru_cache(maxsize=1 << 16)
def part_cost(part: Part) -> Cost:
    """Cost of one part."""
    return Cost(count_params(part.sentence, part.given), count_macs(part.sentence, part.given))


def cost(arch: Architecture) -> Cost:
    """Cost of the whole; equal to PyTorch's own counter to the last multiply-add."""
    each = [part_cost(part) for _, part in parts(arch)]
    return Cost(sum(c.params for c in each), sum(c.macs for c in each))


def ops(arch: Architecture) -> Iterator[tuple[str, Op, Shape]]:
    """Every leaf op with its dotted path and the shape it is given, in forward order."""
    for path, part in parts(arch):
        yield from leaves(part.sentence, part.given, f"{path}.")

"""Words of no paper, that let a stage of one family follow a stage of another: from a grid to tokens and back.

Every other word runs on what the stage before it leaves: grids for convolutions and CoAtNet, tokens for GLiT, either for
the transformer layers. A `Stage` takes them as its `downsample`.
"""

from dataclasses import dataclass

from glocal.design import Conv, Flatten, LearnedPosition, Linear, Norm, Sentence, Unflatten
from glocal.errors import ShapeError
from glocal.families.family import Family


@dataclass(frozen=True)
class ToTokens:
    """LN and patches of stride x stride pixels, laid row by row, with learned positions if asked for."""

    positions: bool = False

    def spell(self, width_in: int, width: int, stride: int) -> Sentence:
        place = (LearnedPosition(),) if self.positions else ()
        return Norm("layer", 1e-6), Conv(width, stride, stride, padding=0), Flatten(), *place


@dataclass(frozen=True)
class ToGrid:
    """Tokens back on their grid, at another width if asked for; there must be no class token among them."""

    def spell(self, width_in: int, width: int, stride: int) -> Sentence:
        if stride != 1:
            raise ShapeError(f"{self} keeps the size; let the stage after it stride")
        return Unflatten(), *((Linear(width),) if width != width_in else ())


FAMILY = Family(words=(ToGrid, ToTokens))

"""A search space is an architecture with open questions: some of its blocks are `OneOf` several words.

Answering every question gives a plain Architecture again, so costing, printing, building and training know nothing of
spaces. An answer sheet is a tuple of option numbers, one a question, in forward order.
"""

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from glocal.design.architecture import Architecture, Word
from glocal.design.op import Sentence
from glocal.errors import ArchitectureError

Answers = tuple[int, ...]


@dataclass(frozen=True)
class OneOf:
    """A block not yet decided on."""

    options: tuple[Word, ...]

    def spell(self, width_in: int, width: int, stride: int) -> Sentence:
        """Raises: an open question has no spelling."""
        raise ArchitectureError(f"a choice of {len(self.options)} words is still open; settle it with decide()")


def vary(word: Any, choices: dict[str, Iterable[Any]]) -> OneOf:
    """Every combination of the given field values: vary(ConvMixerLayer(5), {"kernel": (3, 5, 7)})."""
    return OneOf(
        tuple(replace(word, **dict(zip(choices, values, strict=True))) for values in product(*choices.values()))
    )


def questions(space: Architecture) -> tuple[OneOf, ...]:
    """The open questions in forward order."""
    return tuple(block for stage in space.stages for block in stage.blocks if isinstance(block, OneOf))


def size(space: Architecture) -> int:
    """Number of answer sheets."""
    return math.prod(len(q.options) for q in questions(space))


def decide(space: Architecture, answers: Answers) -> Architecture:
    """The architecture that an answer sheet describes; ArchitectureError where the sheet does not fit."""
    asked = questions(space)
    if len(answers) != len(asked):
        raise ArchitectureError(f"{space.name} asks {len(asked)} questions; the sheet has {len(answers)} answers")
    for i, (question, answer) in enumerate(zip(asked, answers, strict=True)):
        if not 0 <= answer < len(question.options):
            raise ArchitectureError(
                f"{space.name}, question {i}: {answer} is not one of 0..{len(question.options) - 1}"
            )
    sheet = iter(answers)
    stages = tuple(
        replace(stage, blocks=tuple(b.options[next(sheet)] if isinstance(b, OneOf) else b for b in stage.blocks))
        for stage in space.stages
    )
    return replace(space, stages=stages)


def sample(space: Architecture, rng: random.Random) -> Answers:
    """An answer sheet drawn uniformly."""
    return tuple(rng.randrange(len(q.options)) for q in questions(space))

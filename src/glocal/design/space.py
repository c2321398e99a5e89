"""A search space is an architecture with open questions: some of its blocks or stages are `OneOf` several.

Answering every question gives a plain Architecture again, so costing, printing, building and training know nothing of
spaces. An answer sheet is a tuple of option numbers, one a question, in forward order.
"""

from __future__ import annotations

import math
import random
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import product
from typing import Any

from glocal.design.architecture import Architecture, Stage, Word
from glocal.design.op import Sentence
from glocal.errors import ArchitectureError

Answers = tuple[int, ...]


@dataclass(frozen=True)
class OneOf:
    """A block, a downsampling or a whole stage not yet decided on; an option may hold questions of its own.

    Questions of one `name` are one question wherever they stand: the same answer holds for all of them.
    """

    options: tuple[Word | Stage, ...]
    name: str = ""

    def __post_init__(self) -> None:
        if not self.options:
            raise ArchitectureError(
                f"a question{f' ({self.name})' if self.name else ''} has no options; give one or more"
            )
        if len({_is_stage(option) for option in self.options}) > 1:
            raise ArchitectureError(f"the options of a question are all words or all stages, not both: {self.options}")
        if self.name.startswith("stages."):
            raise ArchitectureError(f"a question is called {self.name!r}, which is a place; give it another name")

    def spell(self, width_in: int, width: int, stride: int) -> Sentence:
        """Raises: an open question has no spelling."""
        raise ArchitectureError(f"a choice of {len(self.options)} words is still open; settle it with decide()")

    @cached_property
    def nested(self) -> bool:
        """Whether an option holds questions."""
        return any(isinstance(y, OneOf) for option in self.options for y in (option, *_inside(option)))


def _is_stage(option: Any) -> bool:
    return _is_stage(option.options[0]) if isinstance(option, OneOf) else isinstance(option, Stage)


def _inside(stage: Any) -> tuple[Any, ...]:
    """The words of a stage; of a word, nothing."""
    return (stage.downsample, *stage.blocks) if isinstance(stage, Stage) else ()


def vary(word: Any, choices: dict[str, Iterable[Any]], *, name: str = "") -> OneOf:
    """Every combination of the given field values: vary(ConvMixerLayer(5), {"kernel": (3, 5, 7)}).

    The first field is the slow one.
    """
    combinations = product(*choices.values())
    return OneOf(tuple(replace(word, **dict(zip(choices, values, strict=True))) for values in combinations), name)


# ------------------------------------------------------------------------------------------------------ questions


def questions_within(x: Any, place: str) -> Iterator[tuple[str, OneOf]]:
    """Every question of a stage, a word or a question, with its place: the outer before the inner, in forward order."""
    if isinstance(x, OneOf):
        yield place, x
        for k, option in enumerate(x.options if x.nested else ()):
            yield from questions_within(option, f"{place}[{k}]")
    elif isinstance(x, Stage):
        if x.downsample is not None:
            yield from questions_within(x.downsample, f"{place}.downsample")
        for j, block in enumerate(x.blocks):
            yield from questions_within(block, f"{place}.blocks.{j}")


def places(space: Architecture) -> Iterator[tuple[str, OneOf]]:
    """Where questions stand, in forward order, those within options under the option's number: "stages.2[1].blocks.0"."""
    for i, stage in enumerate(space.stages):
        yield from questions_within(stage, f"stages.{i}")


def questions_by_name(space: Architecture) -> dict[str, OneOf]:
    """The questions in forward order, each under its name, or its place where it has none.

    ArchitectureError where those of one name differ in their number of options, or where one of stages stands for a block.
    """
    return dict(_questions_by_name(_Itself(space)))


class _Itself:
    """A key that is one object and no equal one: to hash all options of a space takes longer than to walk it."""

    def __init__(self, space: Architecture) -> None:
        self.space = space

    def __hash__(self) -> int:
        return id(self.space)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and self.space is other.space


@lru_cache(maxsize=64)
def _questions_by_name(key: _Itself) -> dict[str, OneOf]:
    found: dict[str, OneOf] = {}
    for place, question in places(key.space):
        first = found.setdefault(question.name or place, question)
        if len(first.options) != len(question.options):
            raise ArchitectureError(
                f"{key.space.name}, {place}: {question.name!r} has {len(question.options)} options here and "
                f"{len(first.options)} before; questions of one name get one answer"
            )
        if _is_stage(question) == (".blocks." in place or ".downsample" in place):
            wrong = ("stages", "a block") if _is_stage(question) else ("blocks", "a stage")
            raise ArchitectureError(f"{key.space.name}, {place}: a choice of {wrong[0]} cannot stand for {wrong[1]}")
    return found


def questions(space: Architecture) -> tuple[OneOf, ...]:
    """The open questions in forward order; of those of one name, the first."""
    return tuple(questions_by_name(space).values())


def size(space: Architecture) -> int:
    """Number of answer sheets."""
    return math.prod(len(q.options) for q in questions(space))


def sample(space: Architecture, rng: random.Random) -> Answers:
    """An answer sheet drawn uniformly."""
    return tuple(rng.randrange(len(q.options)) for q in questions(space))


def edit_words(space: Architecture, edit: Callable[[Any], Any]) -> Architecture:
    """The same space or architecture with every block edited, those of options among them; downsamplings stay."""

    def edited(x: Any) -> Any:
        if isinstance(x, OneOf):
            return replace(x, options=tuple(map(edited, x.options)))
        return replace(x, blocks=tuple(map(edited, x.blocks))) if isinstance(x, Stage) else edit(x)

    return replace(space, stages=tuple(map(edited, space.stages)))


# ------------------------------------------------------------------------------------------------------ answers


def decide(space: Architecture, answers: Answers) -> Architecture:
    """The architecture that an answer sheet describes; ArchitectureError where the sheet does not fit."""
    return _decided(space, _sheet(space, answers).__getitem__)


def canonical(space: Architecture, answers: Answers) -> Answers:
    """The same architecture's sheet in which questions that the other answers make moot are answered 0."""
    sheet, live = _sheet(space, answers), set[str]()
    if not any(question.nested for question in questions_by_name(space).values()):
        return answers

    def ask(key: str) -> int:
        live.add(key)
        return sheet[key]

    _decided(space, ask)
    return tuple(answer if key in live else 0 for key, answer in sheet.items())


def _sheet(space: Architecture, answers: Answers) -> dict[str, int]:
    found = questions_by_name(space)
    if len(answers) != len(found):
        raise ArchitectureError(f"{space.name} asks {len(found)} questions; the sheet has {len(answers)} answers")
    for i, (question, answer) in enumerate(zip(found.values(), answers, strict=True)):
        if not 0 <= answer < len(question.options):
            raise ArchitectureError(
                f"{space.name}, question {i}: {answer} is not one of 0..{len(question.options) - 1}"
            )
    return dict(zip(found, answers, strict=True))


def _decided(space: Architecture, ask: Callable[[str], int]) -> Architecture:
    def settle(x: Any, place: str) -> Any:
        if isinstance(x, OneOf):
            k = ask(x.name or place)
            return settle(x.options[k], f"{place}[{k}]")
        if isinstance(x, Stage):
            down = settle(x.downsample, f"{place}.downsample")
            blocks = tuple(settle(block, f"{place}.blocks.{j}") for j, block in enumerate(x.blocks))
            return Stage(x.width, blocks, x.stride, down)
        return x

    return replace(space, stages=tuple(settle(stage, f"stages.{i}") for i, stage in enumerate(space.stages)))


def answers_of(space: Architecture, arch: Architecture) -> Answers:
    """The sheet by which a space describes the stem and stages of an architecture, whatever its name, picture and head.

    ArchitectureError names the first path that no answer gives.
    """
    wrong = list[str]()
    if arch.stem != space.stem:
        wrong = ["stem"]
    elif len(arch.stages) != len(space.stages):
        wrong = [f"stages.{min(len(arch.stages), len(space.stages))}"]
    else:
        pairs = [(f"stages.{i}", *pair) for i, pair in enumerate(zip(space.stages, arch.stages, strict=True))]
        for sheet in _all_fit(pairs, {}, wrong):
            return tuple(sheet.get(key, 0) for key in questions_by_name(space))
    raise ArchitectureError(
        f"{arch.name}, {max(wrong, key=path_order)}: no answer of {space.name} gives what stands there"
    )


def _fit(place: str, x: Any, there: Any, sheet: dict[str, int], wrong: list[str]) -> Iterator[dict[str, int]]:
    """The sheets, grown from the one given, that make of x what is there; `wrong` collects the places that differ."""
    if isinstance(x, OneOf):
        key = x.name or place
        fits = [sheet[key]] if key in sheet else [*range(len(x.options))]
        if not x.name and not x.nested and there in x.options:
            fits = [x.options.index(there)]  # equal options of a question that stands alone are one
        for k in fits:
            yield from _fit(f"{place}[{k}]", x.options[k], there, {**sheet, key: k}, wrong)
    elif isinstance(x, Stage) and isinstance(there, Stage) and _frame(x) == _frame(there):
        blocks = zip(x.blocks, there.blocks, strict=True)
        pairs = [(f"{place}.downsample", x.downsample, there.downsample)]
        yield from _all_fit(pairs + [(f"{place}.blocks.{j}", *pair) for j, pair in enumerate(blocks)], sheet, wrong)
    elif x == there:
        yield sheet
    else:
        wrong.append(re.sub(r"\[\d+\]", "", place))


def _frame(stage: Stage) -> tuple[Any, ...]:
    """What of a stage is no question."""
    return stage.width, stage.stride, len(stage.blocks), stage.downsample is None


def _all_fit(
    pairs: Sequence[tuple[str, Any, Any]], sheet: dict[str, int], wrong: list[str]
) -> Iterator[dict[str, int]]:
    if not pairs:
        yield sheet
        return
    for grown in _fit(*pairs[0], sheet, wrong):
        yield from _all_fit(pairs[1:], grown, wrong)


def path_order(path: str) -> tuple[int, ...]:
    """A key that sorts paths in forward order."""
    if not path.startswith("stages."):
        return (-1,) if path == "stem" else (sys.maxsize,)
    return tuple(
        -1 if part == "downsample" else int(part) for part in path.split(".") if part not in ("stages", "blocks")
    )

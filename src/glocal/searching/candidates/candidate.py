"""A candidate of a search: one network of a space, where it came from, what it costs, and how accurate it was."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from glocal.design.space import Answers

Origin = Literal["random", "corner", "mutation", "crossover"]


class Evaluated(NamedTuple):
    """How good a network is: the fraction of n pictures that it got right."""

    accuracy: float
    n: int


@dataclass(frozen=True)
class Candidate:
    """Answers to the questions of a space: proposed as number `index` of a generation; evaluated if `accuracy` is a number."""

    answers: Answers
    generation: int
    index: int
    origin: Origin
    parents: tuple[Answers, ...]
    costs: dict[str, float]
    accuracy: float | None = None  # a fraction of n pictures
    n: int = 0
    seconds: float = 0.0
    worker: str = ""

    def __str__(self) -> str:
        return f"candidate {format_answers(self.answers)} (generation {self.generation}, index {self.index})"


def format_answers(answers: Answers) -> str:
    """Answers as people and files write them: "0-3-1"."""
    return "-".join(map(str, answers))


def best(done: Iterable[Candidate], k: int) -> list[Candidate]:
    """The k most accurate; ties go to fewer multiply-adds, then to the lexicographically first answers."""
    known = [(-c.accuracy, c.costs["macs"], c.answers, c) for c in done if c.accuracy is not None]
    return [c for *_, c in sorted(known, key=lambda row: row[:3])[:k]]

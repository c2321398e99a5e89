"""Which paths of a supernet a step trains: random ones, every option equally often, or the largest and the smallest too."""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from torch import nn

from glocal.design import Architecture, cost, decide, sample
from glocal.design.limits import Limits
from glocal.design.space import Answers, canonical, questions
from glocal.searching.supernet.supernet import Supernet
from glocal.training.loop import TrainedPaths

BIN_TRIES = 500  # samples, until a path is in the bin that was chosen (SPOS' code)
SANDWICH_RANDOM = 2  # random paths beside the largest and the smallest, as in BigNAS and OFA
_SAMPLES = 1000  # random paths from which the bins and the monitored paths are taken


class PathSchedule(Protocol):
    """The paths of a step: a function of (seed, step), so the same in every process and after a kill."""

    @property
    def count(self) -> int:
        """How many paths a step trains."""
        ...

    def at(self, step: int) -> tuple[Answers, ...]:
        """The paths of a step, in the order in which they are trained."""
        ...


@dataclass(frozen=True)
class UniformPaths:
    """One random path in each step (SPOS, GLiT).

    bins: 0 samples paths uniformly. A larger number divides the range of multiply-adds into so many bins, and samples a bin and
        then a path in it, so that small and large networks are trained as often as medium ones (SPOS' code, with bins of 10 M).
    """

    space: Architecture
    seed: int
    bins: int = 0
    limits: Limits = field(default_factory=Limits)
    count: int = 1

    def at(self, step: int) -> tuple[Answers, ...]:
        """The path of a step."""
        rng = random.Random(f"path of step {step} with seed {self.seed}")
        answers = _sample(self.space, rng)
        if self.bins:
            low, high = self._range
            wanted = rng.randrange(self.bins)
            for _ in range(BIN_TRIES):
                if math.floor(self.bins * (_macs(self.space, answers) - low) / (high + 1 - low)) == wanted:
                    break
                answers = _sample(self.space, rng)
        return (answers,)

    @cached_property
    def _range(self) -> tuple[float, float]:
        """The least and the most multiply-adds of random paths within the limits, between which the bins are."""
        rng = random.Random(f"bins with seed {self.seed}")
        macs = [_macs(self.space, _sample(self.space, rng)) for _ in range(_SAMPLES)]
        least, most = self.limits.of("macs")
        return max(min(macs), least or 0), min(max(macs), most or max(macs))


@dataclass(frozen=True)
class FairPaths:
    """One path in each step, so that every option of a question is trained once in every round of as many steps (FairNAS,
    Chu et al. 2021, arXiv:1907.01845).

    A round of a question with k options is a random order of them. FairNAS makes one update a round, from the gradients of all
    its paths on one batch; here each path has a batch and an update of its own, which gives k times as many updates.
    """

    space: Architecture
    seed: int
    count: int = 1

    def at(self, step: int) -> tuple[Answers, ...]:
        """The path of a step."""
        answers = []
        for number, question in enumerate(questions(self.space)):
            options = len(question.options)
            order = list(range(options))
            random.Random(f"round {step // options} of question {number} with seed {self.seed}").shuffle(order)
            answers.append(order[step % options])
        return (canonical(self.space, tuple(answers)),)


@dataclass(frozen=True)
class SandwichPaths:
    """The largest path, two at random and the smallest in each step; all but the largest learn its outputs. This is the sandwich
    rule with in-place distillation of BigNAS (Yu et al. 2020, arXiv:2003.11142)."""

    space: Architecture
    seed: int
    count: int = 2 + SANDWICH_RANDOM

    def at(self, step: int) -> tuple[Answers, ...]:
        """The largest, random ones and the smallest."""
        rng = random.Random(f"path of step {step} with seed {self.seed}")
        return (self._ends[1], *(_sample(self.space, rng) for _ in range(self.count - 2)), self._ends[0])

    @cached_property
    def _ends(self) -> tuple[Answers, Answers]:
        return extreme(self.space, largest=False), extreme(self.space, largest=True)


def extreme(space: Architecture, *, largest: bool) -> Answers:
    """The path with the most or the fewest multiply-adds: question by question, until no other option gives more or fewer.

    This is exact where options add up, as they do in spaces of blocks. Where they do not (a question that changes a whole stage),
    no single other answer is better.
    """
    answers, sign = [0] * len(questions(space)), 1 if largest else -1
    while True:
        before = list(answers)
        for i, question in enumerate(questions(space)):
            tried = [(*answers[:i], option, *answers[i + 1 :]) for option in range(len(question.options))]
            best = max(tried, key=lambda path: (sign * _macs(space, path), path[i] == answers[i]))
            answers = list(best)
        if answers == before:
            return canonical(space, tuple(answers))


def monitored(space: Architecture, *, seed: int, n: int = 8) -> tuple[Answers, ...]:
    """The smallest and the largest of many random paths, and others between them, by rising multiply-adds."""
    rng = random.Random(f"watched with seed {seed}")
    paths = sorted({_sample(space, rng) for _ in range(_SAMPLES)}, key=lambda answers: (_macs(space, answers), answers))
    between = rng.sample(paths[1:-1], min(n - 2, max(0, len(paths) - 2)))
    chosen = {paths[0], paths[-1], *between}
    return tuple(answers for answers in paths if answers in chosen)


def trained_paths(supernet: Supernet, schedule: PathSchedule) -> TrainedPaths:
    """What the training loop asks for the networks of a step."""

    def at(step: int) -> Iterator[nn.Module]:
        return supernet.paths(schedule.at(step))

    return TrainedPaths(at, schedule.count, imitating=isinstance(schedule, SandwichPaths))


def _sample(space: Architecture, rng: random.Random) -> Answers:
    return canonical(space, sample(space, rng))


def _macs(space: Architecture, answers: Sequence[int]) -> int:
    return cost(decide(space, tuple(answers))).macs

"""A search without networks: every option is worth a drawn number, and a candidate's accuracy follows from their sum."""

import math
import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing import parent_process
from pathlib import Path
from types import SimpleNamespace

from glocal.design import Architecture, cost
from glocal.design.limits import Limits
from glocal.design.space import OneOf, questions
from glocal.families.glit import RELEASED, glit, legacy_macs, options
from glocal.searching.candidates.candidate import Candidate, Evaluated
from glocal.searching.candidates.candidate_table import EvaluateCandidates, open_candidates
from glocal.searching.candidates.loop import evolve
from glocal.searching.candidates.methods import Evolution, Method, Strategy
from glocal.trials.table import Table
from glocal.trials.workers.worker import work

# GLiT's level 2 with the released distribution: nine options in each of twelve blocks.
DETAILS = glit("details", tuple(OneOf(options(3, thirds)) for thirds in RELEASED[0]), width=192)
# The same idea, small: 729 sheets.
SMALL = glit("small", tuple(OneOf(options(3, thirds)) for thirds in (3, 0, 1)), width=24)
BRIEF = Evolution(generations=4, population=6, topk=3, mutations=2, crossovers=2)
LIMITS = Limits(max_macs=15e6)


def price(arch: Architecture) -> dict[str, float]:
    params, macs = cost(arch)
    return {"params": params, "macs": macs}


STRATEGY = Strategy(SMALL, BRIEF, LIMITS, price)


def legacy_price(arch: Architecture) -> dict[str, float]:
    """As the authors' counter prints, by which the specification's figures are given."""
    return {"params": cost(arch).params, "macs": legacy_macs(arch)}


def worths(space: Architecture, seed: int) -> list[list[float]]:
    rng = random.Random(seed)
    return [[rng.gauss(0, 1) for _ in question.options] for question in questions(space)]


def worth(values: Sequence[Sequence[float]], answers: Sequence[int]) -> float:
    return sum(row[k] for row, k in zip(values, answers, strict=True))


def constrained_optimum(space: Architecture, values: Sequence[Sequence[float]], most: int, price=legacy_price) -> float:
    """The greatest worth of a sheet that costs at most `most` multiply-adds, exactly.

    Dynamic programming over the blocks of one stage, whose costs add up: of the partial sheets, the ones that another
    beats in both worth and cost are dropped, and no other.
    """
    (stage,) = space.stages
    firsts = tuple(q.options[0] for q in stage.blocks)

    def macs(blocks) -> int:
        return int(
            price(Architecture(space.name, space.stem, (type(stage)(stage.width, blocks),), space.head, space.image))[
                "macs"
            ]
        )

    base = macs(firsts)
    partial = [(base, 0.0)]
    for i, question in enumerate(stage.blocks):
        extra = [macs((*firsts[:i], word, *firsts[i + 1 :])) - base for word in question.options]
        grown = sorted(
            ((m + e, v + w) for m, v in partial for e, w in zip(extra, values[i], strict=True)),
            key=lambda x: (x[0], -x[1]),
        )
        partial, high = [], -math.inf
        for m, v in grown:
            if v > high:
                high = v
                partial.append((m, v))
    return max(v for m, v in partial if m <= most)


@dataclass(frozen=True)
class Additive:
    """Accuracy rises with the sum of what the answers are worth."""

    space: Architecture = SMALL
    seed: int = 0
    sleep_s: float = 0.0
    fails_at: tuple[int, ...] | None = None
    gives: float | None = None

    def evaluator(self):
        values = worths(self.space, self.seed)

        def evaluate(answers):
            time.sleep(self.sleep_s)
            if answers == self.fails_at:
                raise ValueError("no such luck")
            return Evaluated(self.gives if self.gives is not None else 1 / (1 + math.exp(-worth(values, answers))), 100)

        return evaluate


class Deadly(Additive):
    """Its evaluator ends the process."""

    def evaluator(self):
        os._exit(7)


def run(space: Architecture, method: Method, *, seed: int, limits: Limits, price=price) -> list[Candidate]:
    """A search in memory."""
    strategy = Strategy(space, method, limits, price, seed)
    with open_candidates(None, "level", strategy) as table:
        return evolve(strategy, Additive(space, seed), table=table)


def search(
    where: str | Path | None, *, workers: int = 1, task: Additive = Additive(), seed: int = 0, **options
) -> list[Candidate]:
    """The small search in a table; the same wherever it is kept and whoever works on it."""
    strategy = replace(STRATEGY, seed=seed)
    with open_candidates(where, "level", strategy) as table:
        return evolve(strategy, task, table=table, workers=workers, **options)


def join(where: str | Path) -> int:
    """What a machine does that joins the small search as a worker; returns how many candidates it evaluated."""
    return work(EvaluateCandidates(Additive()), str(where), "level")


class DeadlyEntry:
    """An entry of `train_all` whose training ends the process that does it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def record(self) -> SimpleNamespace:
        if parent_process() is not None:
            os._exit(7)
        return SimpleNamespace(recipe=SimpleNamespace(total_epochs=1))


def facts(done: Sequence[Candidate]) -> list[tuple]:
    """What must be the same: all but who evaluated it, and how long that took."""
    return [(c.generation, c.index, c.answers, c.origin, c.parents, c.costs, c.accuracy, c.n) for c in done]


def claims_of(path, name, start, results) -> None:
    """What one of several processes that ask at once gets of a table."""
    table, got = Table.join(path, name), []
    start.wait()
    while claim := table.claim(f"machine:{os.getpid()}:0"):
        got.append(claim.number)
    results.put(got)

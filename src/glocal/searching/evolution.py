"""Which candidates to evaluate next: evolution as in SPOS, or a random search of as many.

A generation is a pure function of the seed, its number and the candidates done before it: it asks no clock, no worker and no
table, so that any number of workers and a search that was killed propose the same.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Literal

from glocal.design.architecture import Architecture
from glocal.design.space import Answers, canonical, decide, questions, size
from glocal.errors import SearchError
from glocal.searching.front import crowded
from glocal.searching.limits import COSTS, Limits, Pricer, within

DRAWS = 20_000
"""Random sheets that one generation draws at most, some ten seconds' worth; a space of no more sheets is gone through whole."""

Origin = Literal["random", "mutation", "crossover"]


@dataclass(frozen=True)
class Candidate:
    """One answer sheet of a space: proposed as the `index`-th of a generation, and evaluated where `accuracy` is a number."""

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
        return f"candidate {written(self.answers)} (generation {self.generation}, index {self.index})"


def written(answers: Answers) -> str:
    """A sheet for people and files: "0-3-1"."""
    return "-".join(map(str, answers))


@dataclass(frozen=True)
class Evolution:
    """Evolution with the numbers of SPOS (Guo et al. 2020, Algorithm 1 and its released script), which GLiT refers to.

    `generations` of `population` candidates compete: 1,000. Each after the first has `mutations` children of one of the `topk`
    best parents, every gene redrawn with `p_mutation`, and `crossovers` children of two of them; an operator tries at most
    `max_tries` times per child, and what it could not find is filled with random candidates. SPOS evaluates one more
    generation, which never competes: `strict_spos` does so too (1,050 evaluated, 1,000 compete). `front` names a cost: parents
    are then chosen by accuracy and that cost together, as in NSGA-II.
    """

    generations: int = 20
    population: int = 50
    topk: int = 10
    mutations: int = 25
    crossovers: int = 25
    p_mutation: float = 0.1
    max_tries: int = 10
    strict_spos: bool = False
    front: str | None = None

    def __post_init__(self) -> None:
        for name in ("generations", "population", "topk", "max_tries"):
            if getattr(self, name) < 1:
                raise SearchError(f"evolution: {name} is {getattr(self, name)}; give 1 or more")
        if min(self.mutations, self.crossovers) < 0 or self.mutations + self.crossovers > self.population:
            raise SearchError(
                f"evolution: {self.mutations} mutations and {self.crossovers} crossovers do not fit in a population of "
                f"{self.population}; give fewer, or a greater population"
            )
        if not 0 < self.p_mutation <= 1:
            raise SearchError(f"evolution: p_mutation is {self.p_mutation}; give a probability above 0")
        if self.front is not None and self.front not in COSTS:
            raise SearchError(f"evolution: front is {self.front!r}; give one of {', '.join(COSTS)}")

    @property
    def batches(self) -> tuple[int, ...]:
        """How many candidates each generation evaluates."""
        return (self.population,) * (self.generations + self.strict_spos)

    def parents(self, done: Sequence[Candidate]) -> list[Candidate]:
        """Those that breed: the archive."""
        return crowded(done, self.front)[: self.topk] if self.front else best(done, self.topk)


@dataclass(frozen=True)
class RandomSearch:
    """As many random candidates; with the seed of an evolution of the same population, its first generation is the same."""

    candidates: int = 1000
    population: int = 50  # evaluated between two looks at the clock

    def __post_init__(self) -> None:
        if min(self.candidates, self.population) < 1:
            raise SearchError(
                f"random search of {self.candidates} candidates, {self.population} at a time; give 1 or more"
            )

    @property
    def batches(self) -> tuple[int, ...]:
        """How many candidates each generation evaluates."""
        full, rest = divmod(self.candidates, self.population)
        return (self.population,) * full + (rest,) * bool(rest)


Method = Evolution | RandomSearch


def best(done: Iterable[Candidate], k: int) -> list[Candidate]:
    """The k most accurate; ties go to fewer multiply-adds, then to the lexicographically first sheet."""
    known = [(-c.accuracy, c.costs["macs"], c.answers, c) for c in done if c.accuracy is not None]
    return [c for *_, c in sorted(known, key=lambda row: row[:3])[:k]]


def competing(done: Iterable[Candidate], method: Method) -> list[Candidate]:
    """The candidates among which the finalists are chosen: all, but for the last generation of a strict SPOS."""
    strict = isinstance(method, Evolution) and method.strict_spos
    return [c for c in done if not strict or c.generation < len(method.batches) - 1]


def propose(
    space: Architecture,
    method: Method,
    *,
    limits: Limits,
    price: Pricer,
    seed: int,
    generation: int,
    done: Iterable[Candidate],
) -> tuple[Candidate, ...]:
    """The candidates of one generation: canonical, within the limits, new, and the same whenever it is asked.

    `done` are the evaluated candidates of all generations before; others are not looked at. There are fewer than the method's
    population where the space or the draws are exhausted, and none after the last generation. SearchError where nothing, or of
    a large space not even the first generation, is found within the limits.
    """
    if generation >= len(method.batches):
        return ()
    past = sorted((c for c in done if c.generation < generation), key=lambda c: (c.generation, c.index))
    draft = _Draft(
        space, limits, price, random.Random(f"generation {generation} of seed {seed}"), {c.answers for c in past}
    )
    if isinstance(method, Evolution) and past:
        parents = [c.answers for c in method.parents(past)]
        draft.breed("mutation", method.mutations, method.max_tries, lambda: draft.mutated(parents, method.p_mutation))
        if len(parents) > 1:
            draft.breed("crossover", method.crossovers, method.max_tries, lambda: draft.crossed(parents))
    draft.fill(method.batches[generation], first=not past)
    return tuple(
        Candidate(answers, generation, index, origin, parents, costs)
        for index, (answers, origin, parents, costs) in enumerate(draft.found)
    )


Child = tuple[Sequence[int], tuple[Answers, ...]]


@dataclass
class _Draft:
    """A generation in the making."""

    space: Architecture
    limits: Limits
    price: Pricer
    rng: random.Random
    visited: set[Answers]
    found: list[tuple[Answers, Origin, tuple[Answers, ...], dict[str, float]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.options = [len(question.options) for question in questions(self.space)]
        self.seen: dict[str, tuple[float, float]] = {}  # range of each limited cost among what was drawn

    def take(self, sheet: Sequence[int], origin: Origin, parents: tuple[Answers, ...] = ()) -> None:
        """Takes a sheet into the generation if it is new and within the limits."""
        answers = canonical(self.space, tuple(sheet))
        if answers in self.visited:
            return
        costs = self.price(decide(self.space, answers))
        if self.limits.allows(costs):
            self.visited.add(answers)
            self.found.append((answers, origin, parents, costs))
        for name in self.limits.limited():
            low, high = self.seen.get(name, (costs[name], costs[name]))
            self.seen[name] = min(low, costs[name]), max(high, costs[name])

    def breed(self, origin: Origin, wanted: int, max_tries: int, child: Callable[[], Child]) -> None:
        """Takes up to `wanted` children, in at most `max_tries` tries for each."""
        enough = len(self.found) + wanted
        for _ in range(wanted * max_tries):
            if len(self.found) == enough:
                return
            sheet, parents = child()
            self.take(sheet, origin, parents)

    def mutated(self, parents: Sequence[Answers], p: float) -> Child:
        """A parent with every gene redrawn, perhaps as it was, with probability p."""
        parent = self.rng.choice(parents)
        genes = zip(parent, self.options, strict=True)
        return [self.rng.randrange(k) if self.rng.random() < p else gene for gene, k in genes], (parent,)

    def crossed(self, parents: Sequence[Answers]) -> Child:
        """Every gene from either of two distinct parents."""
        first, second = self.rng.sample(parents, 2)
        return [self.rng.choice(genes) for genes in zip(first, second, strict=True)], (first, second)

    def fill(self, population: int, *, first: bool) -> None:
        """Random candidates until there are `population`, or no more to draw."""
        whole = size(self.space) <= DRAWS
        for sheet in self._all() if whole else self._drawn():
            if len(self.found) == population:
                return
            self.take(sheet, "random")
        if first and (not self.found or (not whole and len(self.found) < population)):
            of = f"all {size(self.space):,} of its sheets" if whole else f"{DRAWS:,} random draws"
            raise SearchError(
                f"{self.space.name}: {len(self.found)} of {of} were within the limits ({self.limits.named()}), and a "
                f"generation takes {population}{self._ranges()}; widen the limits"
            )

    def _all(self) -> list[Answers]:
        sheets = list(product(*map(range, self.options)))
        self.rng.shuffle(sheets)
        return sheets

    def _drawn(self) -> Iterator[list[int]]:
        for _ in range(DRAWS):
            yield [self.rng.randrange(k) for k in self.options]

    def _ranges(self) -> str:
        """What was drawn cost, for the limits that were missed."""
        return "".join(f"; drawn: {within(name, *ends)}" for name, ends in self.seen.items())

"""Which candidates to evaluate next: the children of the best so far, and random ones.

A generation is a pure function of the strategy, its number and the candidates evaluated before it. It depends on no clock, no
worker and no table, so that any number of workers, and a search that was killed, propose the same candidates.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product

from glocal.design.limits import within
from glocal.design.space import Answers, canonical, decide, questions, size
from glocal.errors import SearchError
from glocal.searching.candidates.candidate import Candidate, Origin
from glocal.searching.candidates.methods import Evolution, Strategy

MAX_SAMPLES = 20_000
"""Random networks that one generation samples at most, which takes some ten seconds. A space that has no more is listed whole."""


def propose(
    strategy: Strategy,
    *,
    generation: int,
    done: Iterable[Candidate],
    first: Iterable[Answers] = (),
    least: int | None = None,
) -> tuple[Candidate, ...]:
    """The candidates of one generation: canonical, within the limits, not proposed before, and the same in every call.

    `done` are the evaluated candidates of all generations before; later ones are ignored. `first` are corners that are proposed
    before anything else, as far as the limits allow them. There are fewer candidates than the method's population where no more
    can be found, and none after the last generation. SearchError where nothing is found within the limits, or, in a large space,
    fewer than `least` for the first generation, which are the population unless it is given.
    """
    method = strategy.method
    if generation >= len(method.batches):
        return ()
    past = sorted((c for c in done if c.generation < generation), key=lambda c: (c.generation, c.index))
    rng = random.Random(f"generation {generation} of seed {strategy.seed}")
    draft = _Draft(strategy, rng, {c.answers for c in past})
    for answers in first:
        draft.add(answers, "corner")
    if isinstance(method, Evolution) and past:
        parents = [c.answers for c in method.parents(past)]
        draft.breed("mutation", method.mutations, method.max_tries, lambda: draft.mutated(parents, method.p_mutation))
        if len(parents) > 1:
            draft.breed("crossover", method.crossovers, method.max_tries, lambda: draft.crossed(parents))
    population = method.batches[generation]
    draft.fill(population, least=0 if past else least or population)
    return tuple(
        Candidate(answers, generation, index, origin, parents, costs)
        for index, (answers, origin, parents, costs) in enumerate(draft.candidates)
    )


Child = tuple[Sequence[int], tuple[Answers, ...]]


@dataclass
class _Draft:
    """A generation in the making. ranges: of each limited cost, over all that was sampled."""

    strategy: Strategy
    rng: random.Random
    visited: set[Answers]
    candidates: list[tuple[Answers, Origin, tuple[Answers, ...], dict[str, float]]] = field(default_factory=list)
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.options = [len(question.options) for question in questions(self.strategy.space)]

    def add(self, answers: Sequence[int], origin: Origin, parents: tuple[Answers, ...] = ()) -> None:
        """Adds a candidate if it is new and within the limits."""
        space, limits = self.strategy.space, self.strategy.limits
        answers = canonical(space, tuple(answers))
        if answers in self.visited:
            return
        costs = self.strategy.price(decide(space, answers))
        if limits.allows(costs):
            self.visited.add(answers)
            self.candidates.append((answers, origin, parents, costs))
        for name in limits.limited():
            low, high = self.ranges.get(name, (costs[name], costs[name]))
            self.ranges[name] = min(low, costs[name]), max(high, costs[name])

    def breed(self, origin: Origin, wanted: int, max_tries: int, child: Callable[[], Child]) -> None:
        """Adds up to `wanted` children, in at most `max_tries` tries for each."""
        enough = len(self.candidates) + wanted
        for _ in range(wanted * max_tries):
            if len(self.candidates) == enough:
                return
            answers, parents = child()
            self.add(answers, origin, parents)

    def mutated(self, parents: Sequence[Answers], p: float) -> Child:
        """A random parent in which every gene is redrawn with probability p; the new gene may equal the old one."""
        parent = self.rng.choice(parents)
        genes = zip(parent, self.options, strict=True)
        return [self.rng.randrange(k) if self.rng.random() < p else gene for gene, k in genes], (parent,)

    def crossed(self, parents: Sequence[Answers]) -> Child:
        """Every gene from one of two distinct random parents."""
        first, second = self.rng.sample(parents, 2)
        return [self.rng.choice(genes) for genes in zip(first, second, strict=True)], (first, second)

    def fill(self, population: int, *, least: int) -> None:
        """Adds random candidates until there are `population`, or no more can be sampled; `least` as in `propose`, 0 for none."""
        n = size(self.strategy.space)
        for answers in self._shuffled() if n <= MAX_SAMPLES else self._sampled():
            if len(self.candidates) == population:
                return
            self.add(answers, "random")
        if least and (not self.candidates or (n > MAX_SAMPLES and len(self.candidates) < least)):
            of = f"all {n:,} networks" if n <= MAX_SAMPLES else f"{MAX_SAMPLES:,} random networks"
            ranges = "".join(f"; sampled: {within(name, *ends)}" for name, ends in self.ranges.items())
            raise SearchError(
                f"{self.strategy.space.name}: {len(self.candidates)} of {of} are within the limits "
                f"({self.strategy.limits.named()}), and a generation needs {least}{ranges}; widen the limits"
            )

    def _shuffled(self) -> list[Answers]:
        every = list(product(*map(range, self.options)))
        self.rng.shuffle(every)
        return every

    def _sampled(self) -> Iterator[list[int]]:
        for _ in range(MAX_SAMPLES):
            yield [self.rng.randrange(k) for k in self.options]

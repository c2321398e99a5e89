"""How candidates are proposed: by evolution, with the numbers of SPOS, or at random; and all that a strategy is made of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from glocal.design.architecture import Architecture
from glocal.design.limits import COSTS, Limits, Pricer
from glocal.errors import SearchError
from glocal.searching.candidates.candidate import Candidate, best
from glocal.searching.candidates.front import crowded


@dataclass(frozen=True)
class Evolution:
    """Evolution with the numbers of SPOS (Guo et al. 2020, Algorithm 1 and its released script), which GLiT refers to.

    `generations` of `population` candidates compete: 1,000 by default. Each generation after the first has `mutations` children
    of one of the `topk` best parents, in which every gene is redrawn with probability `p_mutation`, and `crossovers` children of
    two of them. An operator tries at most `max_tries` times for each child; places that stay empty get random candidates. SPOS
    evaluates one more generation, which never competes: `strict_spos` does so too (1,050 evaluated, 1,000 compete). `front`
    names a cost: parents are then selected by accuracy and that cost together, as in NSGA-II.
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
        """The candidates that breed."""
        return crowded(done, self.front)[: self.topk] if self.front else best(done, self.topk)


@dataclass(frozen=True)
class RandomSearch:
    """Random candidates. With the seed of an evolution of the same population, the first generation is the same."""

    candidates: int = 1000
    population: int = 50  # evaluated between two checks of the deadline

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


@dataclass(frozen=True)
class Strategy:
    """All that decides which candidates are proposed. `price` gives the costs of a network, and `limits` what it may cost."""

    space: Architecture
    method: Method
    limits: Limits
    price: Pricer
    seed: int = 0


def competing(done: Iterable[Candidate], method: Method) -> list[Candidate]:
    """The candidates from which the finalists are selected: all, except the last generation of a strict SPOS."""
    strict = isinstance(method, Evolution) and method.strict_spos
    return [c for c in done if not strict or c.generation < len(method.batches) - 1]

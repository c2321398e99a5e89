"""The rules of a race: after how many epochs the arms are compared, and what makes one go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from glocal.comparing.statistics.compare import MARGIN
from glocal.errors import ComparisonError

ETA = 3  # Li et al. 2018 (arXiv:1603.06560) have 3 or 4
LEVEL = 0.95
PLACES = 3


class Entrant(NamedTuple):
    """An arm that races, and the seconds that one epoch of it takes. Only ratios to seconds that are given elsewhere count."""

    name: str
    epoch_s: float


@dataclass(frozen=True)
class Rules:
    """How a race is run.

    rungs: epochs after which the arms are compared, counted from the start of a training.
    margin: an arm goes if its interval to the leader is below minus this, as a fraction. level: of that interval.
    places: how many arms are left after the last rung, at most.
    cost_aware: an arm whose epoch takes k times the median gets a k-th of the first rung's epochs, one at least.
    continued: a training goes on from the rung before; otherwise each rung is a training of its own, from its first epoch.
    """

    rungs: tuple[int, ...] = (1, 3)
    margin: float = MARGIN
    level: float = LEVEL
    places: int = PLACES
    cost_aware: bool = True
    continued: bool = True

    def __post_init__(self) -> None:
        """ComparisonError for rules by which no race can be run."""
        if not self.rungs or self.rungs[0] < 1 or any(later <= sooner for sooner, later in pairwise(self.rungs)):
            raise ComparisonError(f"rungs at {self.rungs} epochs: give numbers that increase, from at least 1: (1, 3)")
        if not 0 < self.level < 1:
            raise ComparisonError(f"level {self.level}: the level of an interval lies between 0 and 1, such as 0.95")
        if not 0 <= self.margin < 1:
            raise ComparisonError(f"margin {self.margin}: give a fraction, such as 0.005 for half a point")
        if self.places < 1:
            raise ComparisonError(f"{self.places} places: a race leaves at least one arm")

    def epochs(self, entrants: Sequence[Entrant], rung: int) -> dict[str, int]:
        """Epochs of each arm at a rung. `entrants` are all that started, since the first rung depends on their median."""
        nominal = self.rungs[rung]
        if rung or not self.cost_aware:
            return {each.name: nominal for each in entrants}
        middle = median(each.epoch_s for each in entrants)
        return {e.name: max(1, round(nominal * min(1.0, middle / e.epoch_s))) for e in entrants}

    def seconds(self, entrants: Sequence[Entrant], rung: int) -> dict[str, float]:
        """What a rung costs for each arm that has been trained to the rung before."""
        now = self.epochs(entrants, rung)
        done: Mapping[str, int] = self.epochs(entrants, rung - 1) if rung and self.continued else {}
        return {e.name: (now[e.name] - done.get(e.name, 0)) * e.epoch_s for e in entrants}


def halving_rungs(horizon: int, *, eta: int = ETA, rungs: int = 2) -> tuple[int, ...]:
    """Epochs of successive halving below a training of `horizon` epochs: with two rungs horizon / eta^2 and horizon / eta, from
    one epoch on."""
    if eta < 2:
        raise ComparisonError(f"eta {eta}: each rung has at least twice the epochs of the one before")
    found = {horizon // eta**k for k in range(1, rungs + 1)} - {0}
    return tuple(sorted(found)) or (1,)

"""What the scores of a proxy were worth in a race: said after it, since no score has to hold on other pictures."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import inf, isfinite, nan
from typing import Any

from glocal.comparing.racing.race import Race
from glocal.searching.ranking.correlation import LEAST, Estimate, Pair, rank


@dataclass(frozen=True)
class Guidance:
    """How the order of a proxy agrees with that of the first comparison of a race.

    scored: networks that have a score. place: of the winner among them, from 1. networks, epochs: of the first rung. tau:
    Kendall's, of the scores with the accuracies after these epochs, with its 95 % interval; undefined for fewer than three.
    """

    proxy: str
    scored: int
    place: int
    networks: int
    epochs: int
    tau: Estimate

    @classmethod
    def of(cls, proxy: str, scores: Mapping[str, float], race: Race, winner: str) -> "Guidance":
        """From the scores by network. A winner without a score comes last."""
        first = [each for each in race.rungs[0].standings if isfinite(scores.get(each.arm, nan))]
        pairs = [Pair(scores[each.arm], each.accuracy, macs=0) for each in first]
        tau = rank(pairs).tau if len(pairs) >= LEAST else Estimate(None)
        better = sum(score > scores.get(winner, -inf) for score in scores.values())
        return cls(proxy, len(scores), 1 + better, len(first), first[0].epochs if first else 0, tau)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self) | {"tau": self.tau._asdict()}

    def __str__(self) -> str:
        return (
            f"{self.proxy}: its order of the {self.networks} networks that were trained for {self.epochs} epochs has a tau of "
            f"{self.tau} with theirs; the winner is its number {self.place} of {self.scored:,}"
        )

"""What the scores of a proxy were worth in a race: said after it, since no score has to hold on other pictures."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import takewhile
from math import inf, isfinite, nan
from typing import Any

from glocal.comparing.racing.race import Race
from glocal.searching.ranking.correlation import LEAST, Estimate, Pair, rank


@dataclass(frozen=True)
class Guidance:
    """What became of the networks that a proxy named, beside the others, and how its order agrees with the first comparison.

    scored: networks that have a score. place: of the winner among them, from 1. networks, epochs: of the first rung. named: the
    ones of these that the proxy put first, without a gap. full, others_full: how many came to the last rung, of the named ones
    and of the others. tau: Kendall's, of the scores with the accuracies of the first rung, with its 95 % interval; undefined for
    fewer than three networks.
    """

    proxy: str
    scored: int
    place: int
    networks: int
    epochs: int
    named: int
    full: int
    others_full: int
    tau: Estimate

    @classmethod
    def of(cls, proxy: str, scores: Mapping[str, float], race: Race, winner: str) -> "Guidance":
        """From the scores by network. A winner without a score comes last."""
        first, last = race.rungs[0].standings, {each.arm for each in race.rungs[-1].standings}
        raced = {each.arm for each in first}
        named = {*takewhile(raced.__contains__, sorted(scores, key=lambda name: -scores[name]))}
        pairs = [Pair(score, x.accuracy, macs=0) for x in first if isfinite(score := scores.get(x.arm, nan))]
        return cls(
            proxy,
            scored=len(scores),
            place=1 + sum(score > scores.get(winner, -inf) for score in scores.values()),
            networks=len(first),
            epochs=first[0].epochs,
            named=len(named),
            full=len(last & named),
            others_full=len(last - named),
            tau=rank(pairs).tau if len(pairs) >= LEAST else Estimate(None),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self) | {"tau": self.tau._asdict()}

    def __str__(self) -> str:
        epochs = f"{self.epochs} epoch{'s' * (self.epochs != 1)}"
        others = "" if self.named == self.networks else f", and {self.others_full} of the others"
        named = "all" if self.named == self.networks else f"{self.named} of"
        return (
            f"{self.proxy} named {named} {self.networks} networks, of which {self.full} came to the last rung{others}; its order "
            f"has a tau of {self.tau} with that after {epochs}; the winner is its number {self.place} of {self.scored:,}"
        )

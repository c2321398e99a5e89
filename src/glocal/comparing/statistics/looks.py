"""Looks: comparisons that are judged after 3, 5, 8 and 12 seeds, and end at the first look that decides."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from numpy.typing import ArrayLike

from glocal.comparing.statistics.compare import LEVEL, MARGIN
from glocal.comparing.statistics.correctness import right_array
from glocal.comparing.statistics.crossed import Floats
from glocal.comparing.statistics.paired import PairedDifference, paired_difference
from glocal.comparing.statistics.several import Pair, checked_pairs, verdicts_together
from glocal.comparing.statistics.verdicts import Outcome, Verdict
from glocal.errors import ComparisonError


@dataclass(frozen=True)
class Looks:
    """After how many seeds a comparison is judged, and the level of all looks together (Bonferroni's correction)."""

    at: tuple[int, ...] = (3, 5, 8, 12)
    level: float = LEVEL

    def __post_init__(self) -> None:
        """ComparisonError unless the numbers of seeds increase from at least two and the level is between 0 and 1."""
        if not self.at or self.at[0] < 2 or any(later <= sooner for sooner, later in pairwise(self.at)):
            raise ComparisonError(
                f"looks at {self.at} seeds: give numbers that increase, from at least 2, such as (3, 5, 8, 12)"
            )
        if not 0 < self.level < 1:
            raise ComparisonError(f"level {self.level}: the level of all looks lies between 0 and 1, such as 0.95")

    @property
    def level_each(self) -> float:
        """Level of one look: 0.9875 of four at 0.95."""
        return 1 - (1 - self.level) / len(self.at)

    def up_to(self, most: int) -> "Looks":
        """The looks of an experiment whose seeds are at most `most`, known before it starts; the last is at `most`.

        Levels are shared among the looks that can be taken: with at most 3 seeds there is one look, at the whole level.
        """
        return Looks((*(seeds for seeds in self.at if seeds < most), most), self.level)


@dataclass(frozen=True)
class SequentialVerdict:
    """The verdicts of the looks taken so far, the last of which counts. Its p-value is corrected for the number of looks."""

    verdicts: tuple[Verdict, ...]
    looks: Looks

    @property
    def verdict(self) -> Verdict:
        """The latest."""
        return self.verdicts[-1]

    @property
    def next_seeds(self) -> int | None:
        """Number of seeds at the next look; None if it is decided or there was the last look."""
        taken = len(self.verdicts)
        return None if self.verdict.decided or taken == len(self.looks.at) else self.looks.at[taken]

    @property
    def sentence(self) -> str:
        """The latest verdict, and when the next is due."""
        following = f"; the next is at {self.next_seeds} seeds" if self.next_seeds else ", which ends the comparison"
        return f"{self.verdict.sentence} This was look {len(self.verdicts)} of {len(self.looks.at)}{following}."

    def __str__(self) -> str:
        return self.sentence

    def to_json(self) -> dict[str, Any]:
        """Plain data: the latest verdict, and all of them in `looks`."""
        return self.verdict.to_json() | {
            "sentence": self.sentence,
            "next_seeds": self.next_seeds,
            "looks_at": list(self.looks.at),
            "level_of_all_looks": self.looks.level,
            "looks": [verdict.to_json() for verdict in self.verdicts],
        }


def compare_at_looks(
    right: ArrayLike,
    right_of_baseline: ArrayLike,
    *,
    arm: str = "the first arm",
    baseline: str = "the baseline",
    margin: float = MARGIN,
    looks: Looks | None = None,
) -> SequentialVerdict:
    """The verdicts on two arms at each look that their seeds allow, up to the first that decides.

    Arrays are (seeds, pictures), seeds in the order in which they were trained: a look at 3 reads the first 3 rows.
    ComparisonError with fewer seeds than the first look needs.
    """
    looks, pair = looks or Looks(), Pair(arm, baseline)
    found = compare_pairs_at_looks({arm: right, baseline: right_of_baseline}, [pair], margin=margin, looks=looks)
    if pair not in found:
        raise ComparisonError(
            f"{arm} and {baseline} have fewer than {looks.at[0]} seeds in common, where the first look is: train more, or "
            "compare them once without looks"
        )
    return found[pair]


def compare_pairs_at_looks(
    right: Mapping[str, ArrayLike], pairs: Iterable[Pair], *, margin: float = MARGIN, looks: Looks | None = None
) -> dict[Pair, SequentialVerdict]:
    """The same for several pairs, corrected by Holm at each look; arms may have any number of seeds.

    Pairs with fewer seeds than the first look needs are left out of the answer, and count in the correction all the same.
    """
    looks, pairs = looks or Looks(), checked_pairs(pairs, right)
    arrays = {name: right_array(right[name], name) for pair in pairs for name in pair}
    verdicts: dict[Pair, list[Verdict]] = {pair: [] for pair in pairs}
    for seeds in looks.at:
        undecided = [pair for pair, so_far in verdicts.items() if not (so_far and so_far[-1].decided)]
        told_apart = sum(
            bool(so_far) and so_far[-1].outcome in (Outcome.BETTER, Outcome.WORSE) for so_far in verdicts.values()
        )
        differences = _differences(arrays, undecided, seeds=seeds)
        waiting = len(pairs) - told_apart - len(differences)
        now = verdicts_together(
            differences, margin=margin, level=looks.level_each, told_apart=told_apart, waiting=waiting
        )
        for pair, verdict in now.items():
            verdicts[pair].append(replace(verdict, p_value=min(1.0, len(looks.at) * verdict.p_value)))
    return {pair: SequentialVerdict(tuple(found), looks) for pair, found in verdicts.items() if found}


def _differences(arrays: Mapping[str, Floats], pairs: Iterable[Pair], *, seeds: int) -> dict[Pair, PairedDifference]:
    """Of the pairs of which both arms have so many seeds, on the first of them."""
    return {
        pair: paired_difference(
            arrays[pair.arm][:seeds], arrays[pair.baseline][:seeds], arm=pair.arm, baseline=pair.baseline
        )
        for pair in pairs
        if min(len(arrays[pair.arm]), len(arrays[pair.baseline])) >= seeds
    }

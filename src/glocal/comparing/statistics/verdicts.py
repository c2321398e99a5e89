"""The verdict of a comparison: better, worse, practically equal, or that the data cannot tell and what would.

docs/statistics.md explains the verdicts to whoever reads them.
"""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from glocal.comparing.statistics.more import MOST_SEEDS, MoreData
from glocal.comparing.statistics.paired import Interval, PairedDifference


class Outcome(StrEnum):
    """What a comparison found. With one seed it is undecided or an outcome about runs, which claims nothing of the methods."""

    BETTER = "better"
    WORSE = "worse"
    EQUAL = "practically equal"
    UNDECIDED = "cannot tell"
    BETTER_RUN = "better run"
    WORSE_RUN = "worse run"
    EQUAL_RUNS = "practically equal runs"


def outcome_of(interval: Interval, *, margin: float) -> Outcome:
    """Better or worse if the interval is off 0, else practically equal if it is inside +-margin."""
    if interval.low > 0:
        return Outcome.BETTER
    if interval.high < 0:
        return Outcome.WORSE
    return Outcome.EQUAL if -margin < interval.low and interval.high < margin else Outcome.UNDECIDED


def of_runs(outcome: Outcome) -> Outcome:
    """The outcome about two runs that stands in the place of one about two methods, where seeds were not varied."""
    runs = {Outcome.BETTER: Outcome.BETTER_RUN, Outcome.WORSE: Outcome.WORSE_RUN, Outcome.EQUAL: Outcome.EQUAL_RUNS}
    return runs.get(outcome, outcome)


@dataclass(frozen=True)
class Verdict:
    """What can be said of an arm against a baseline. Differences are fractions, arm minus baseline; print it for a sentence.

    `p_value` is two-sided. If the verdict is one of several that were reached together, it is corrected for their number and
    `level` is that of this verdict's own interval, so that the interval agrees with the outcome.
    """

    outcome: Outcome
    arm: str
    baseline: str
    difference: PairedDifference
    interval: Interval
    level: float
    df: float  # degrees of freedom of the interval
    margin: float
    p_value: float
    comparisons: int  # how many were made together, this one included
    more: MoreData | None  # what would decide; None if decided, or with one seed

    @property
    def decided(self) -> bool:
        """Whether the outcome is anything but "cannot tell"."""
        return self.outcome is not Outcome.UNDECIDED

    @property
    def sentence(self) -> str:
        """The verdict for somebody who knows no statistics, in points of accuracy."""
        return " ".join(filter(None, [f"{_claim(self)} {_extent(self)}.", _caution(self)]))

    def __str__(self) -> str:
        return self.sentence

    def to_json(self) -> dict[str, Any]:
        """Plain data, with the sentence."""
        return asdict(self) | {
            "outcome": self.outcome.value,
            "difference": self.difference.to_json(),
            "interval": self.interval._asdict(),
            "sentence": self.sentence,
        }


def _claim(verdict: Verdict) -> str:
    arm, baseline, points = verdict.arm, verdict.baseline, f"{abs(100 * verdict.difference.mean):.2f} points"
    low, high = (f"{100 * end:+.2f}" for end in verdict.interval)
    between = f"with {_percent(verdict.level)} confidence the difference is between {low} and {high} points"
    inside = f"{between}, inside the margin of {100 * verdict.margin:.2f} points"
    return {
        Outcome.BETTER: f"{arm} is better than {baseline} by {points}: {between}",
        Outcome.WORSE: f"{arm} is worse than {baseline} by {points}: {between}",
        Outcome.EQUAL: f"{arm} and {baseline} are practically equal: {inside}",
        Outcome.UNDECIDED: f"It cannot be told whether {arm} is better or worse than {baseline}: {between}",
        Outcome.BETTER_RUN: f"This run of {arm} is {points} more accurate than this run of {baseline}: {between}",
        Outcome.WORSE_RUN: f"This run of {arm} is {points} less accurate than this run of {baseline}: {between}",
        Outcome.EQUAL_RUNS: f"These runs of {arm} and {baseline} are practically equal: {inside}",
    }[verdict.outcome]


def _extent(verdict: Verdict) -> str:
    """What the claim rests on."""
    seeds, pictures = verdict.difference.seeds, verdict.difference.pictures
    together = f", one of {verdict.comparisons} comparisons" if verdict.comparisons > 1 else ""
    return f"({seeds} seed{'s' * (seeds > 1)}, {pictures:,} pictures{together})"


def _caution(verdict: Verdict) -> str:
    """What the reader should know before acting on the claim, or do next."""
    if not verdict.difference.seeds_varied:
        return (
            "Seeds were not varied, so this speaks of two runs and not of which method is better: "
            "train both with at least 3 seeds to learn that."
        )
    if verdict.more:
        return _advice(verdict.more)
    if verdict.outcome in (Outcome.BETTER, Outcome.WORSE) and max(map(abs, verdict.interval)) < verdict.margin:
        return f"The difference is real, and smaller than the margin of {100 * verdict.margin:.2f} points."
    return ""


def _advice(more: MoreData) -> str:
    if more.together:
        seeds, pictures = more.together
        return f"{_seeds(seeds)} together with {_pictures(pictures)} would probably tell; neither alone would."
    if more.seeds:
        alternative = f", or {_pictures(more.pictures)}" if more.pictures else ""
        return f"{_seeds(more.seeds)} would probably tell{alternative}."
    if more.pictures:
        return f"{_pictures(more.pictures).capitalize()} would probably tell; more seeds alone would not."
    return f"Even {MOST_SEEDS} seeds would probably not tell, with as many more pictures."


def _seeds(count: int) -> str:
    return f"About {count} more seed{'s' * (count > 1)}"


def _pictures(count: int) -> str:
    return f"about {float(f'{count:.1e}'):,.0f} more pictures"


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"

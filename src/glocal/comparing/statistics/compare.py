"""Compares two arms: from what each classified correctly to a verdict."""

from numpy.typing import ArrayLike

from glocal.comparing.statistics.more import more_data
from glocal.comparing.statistics.paired import PairedDifference, paired_difference
from glocal.comparing.statistics.verdicts import Outcome, Verdict, of_runs, outcome_of
from glocal.errors import ComparisonError

LEVEL = 0.95
MARGIN = 0.005  # half a point of accuracy: less than this is no reason to choose one of two arms


def compare(
    right: ArrayLike,
    right_of_baseline: ArrayLike,
    *,
    arm: str = "the first arm",
    baseline: str = "the baseline",
    margin: float = MARGIN,
    level: float = LEVEL,
) -> Verdict:
    """The verdict on two arms from arrays (seeds, pictures) that say whether each picture was classified correctly.

    Rows and columns of both are the same seeds and the same pictures. ComparisonError where they cannot be.
    `compare_at_looks` is for a comparison that is looked at while seeds are added, `several` for more than two arms.
    """
    difference = paired_difference(right, right_of_baseline, arm=arm, baseline=baseline)
    return verdict_on(difference, arm=arm, baseline=baseline, margin=margin, level=level)


def verdict_on(
    difference: PairedDifference,
    *,
    arm: str,
    baseline: str,
    margin: float = MARGIN,
    level: float = LEVEL,
    p_value: float | None = None,
    comparisons: int = 1,
) -> Verdict:
    """The verdict on a difference, from its interval at this level. `p_value` is its corrected p-value, if it was corrected."""
    if not 0 <= margin < 1:
        raise ComparisonError(
            f"margin {margin}: give the largest difference that does not matter as a fraction, such as 0.005"
        )
    interval = difference.interval(level)
    outcome = outcome_of(interval, margin=margin)
    return Verdict(
        outcome=outcome if difference.seeds_varied else of_runs(outcome),
        arm=arm,
        baseline=baseline,
        difference=difference,
        interval=interval,
        level=level,
        df=difference.df(level),
        margin=margin,
        p_value=difference.p_value if p_value is None else p_value,
        comparisons=comparisons,
        more=more_data(difference, level=level, margin=margin) if outcome is Outcome.UNDECIDED else None,
    )

"""Comparisons of more than two arms: all against one baseline, or each with its neighbour, corrected by Holm for their number."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from glocal.comparing.statistics.compare import LEVEL, MARGIN, verdict_on
from glocal.comparing.statistics.paired import PairedDifference, paired_difference
from glocal.comparing.statistics.verdicts import Verdict
from glocal.errors import ComparisonError


class Pair(NamedTuple):
    """Two arms to compare, by name."""

    arm: str
    baseline: str


def with_baseline(arms: Iterable[str], baseline: str) -> tuple[Pair, ...]:
    """Every other arm against one baseline; ComparisonError if the baseline is none of the arms."""
    names = list(arms)
    if baseline not in names:
        raise ComparisonError(f"{baseline} is none of the arms: name one of {', '.join(names)} as the baseline")
    return checked_pairs((Pair(arm, baseline) for arm in names if arm != baseline), names)


def with_neighbours(arms: Iterable[str]) -> tuple[Pair, ...]:
    """Each arm against the one before it: the steps of a roadmap."""
    names = list(arms)
    return checked_pairs((Pair(after, before) for before, after in pairwise(names)), names)


def checked_pairs(pairs: Iterable[Pair], arms: Iterable[str]) -> tuple[Pair, ...]:
    """The pairs, once each; ComparisonError if there are none, if one is not of two arms, or if it stands there twice."""
    given, names = tuple(pairs), list(arms)
    if len(names) < 2:
        raise ComparisonError(f"{len(names)} arm{'s' * (len(names) != 1)} to compare: give at least two")
    if not given:
        raise ComparisonError(
            f"none of the arms {', '.join(names)} is compared with another: add one of their baselines"
        )
    for pair in given:
        if unknown := set(pair) - set(names):
            raise ComparisonError(f"{min(unknown)} is none of the arms: these are {', '.join(names)}")
        if pair.arm == pair.baseline:
            raise ComparisonError(f"{pair.arm} is compared with itself: give another baseline")
        if given.count(pair) > 1:
            raise ComparisonError(f"{pair.arm} is compared with {pair.baseline} twice: give each pair once")
    return given


def compare_pairs(
    right: Mapping[str, ArrayLike], pairs: Iterable[Pair], *, margin: float = MARGIN, level: float = LEVEL
) -> dict[Pair, Verdict]:
    """The verdicts on several pairs of arms, from an array (seeds, pictures) of each arm.

    The chance that any "better" or "worse" is false is at most 1 - level, and so is the chance that any "practically
    equal" is. ComparisonError where two arms cannot be compared.
    """
    pairs = checked_pairs(pairs, right)
    differences = {
        pair: paired_difference(right[pair.arm], right[pair.baseline], arm=pair.arm, baseline=pair.baseline)
        for pair in pairs
    }
    return verdicts_together(differences, margin=margin, level=level)


def verdicts_together(
    differences: Mapping[Pair, PairedDifference],
    *,
    margin: float = MARGIN,
    level: float = LEVEL,
    told_apart: int = 0,
    waiting: int = 0,
) -> dict[Pair, Verdict]:
    """The verdicts on differences of the same set of comparisons, corrected by Holm for the size of the set.

    Comparisons of the set that are not in `differences` count too: those that were found better or worse before
    (`told_apart`), and those found equal before or not made yet (`waiting`).
    """
    p_values = [0.0] * told_apart + [difference.p_value for difference in differences.values()] + [1.0] * waiting
    corrected = list(zip(holm(p_values), holm_levels(p_values, level=level), strict=True))[told_apart:]
    return {
        pair: verdict_on(
            difference,
            arm=pair.arm,
            baseline=pair.baseline,
            margin=margin,
            level=own_level,
            p_value=p_value,
            comparisons=len(p_values),
        )
        for (pair, difference), (p_value, own_level) in zip(differences.items(), corrected, strict=False)
    }


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's adjusted p-values (1979, Scand. J. Stat. 6:65): below alpha for just those that he rejects at alpha."""
    m = len(p_values)
    order = np.argsort(p_values, kind="stable")
    stepped = np.maximum.accumulate((m - np.arange(m)) * np.asarray(p_values, dtype=np.float64)[order])
    adjusted = np.empty(m)
    adjusted[order] = np.minimum(stepped, 1)
    return tuple(adjusted.tolist())


def holm_levels(p_values: Sequence[float], *, level: float) -> tuple[float, ...]:
    """A level for each interval, such that the interval excludes 0 where Holm rejects "no difference" and nowhere else.

    With alpha = 1 - level, the j-th smallest of m p-values that is rejected has level 1 - alpha / (m - j + 1), which is what it
    was tested at. All others have 1 - alpha / m: their intervals together hold the true differences with probability `level`.
    """
    alpha, m = 1 - level, len(p_values)
    levels = [1 - alpha / m] * m
    for rejected, i in enumerate(np.argsort(p_values, kind="stable").tolist()):
        if p_values[i] >= alpha / (m - rejected):
            break
        levels[i] = 1 - alpha / (m - rejected)
    return tuple(levels)

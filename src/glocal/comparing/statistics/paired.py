"""The paired difference of two arms, trained on the same seeds and evaluated on the same pictures."""

from dataclasses import asdict, dataclass
from math import exp, log
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from glocal.comparing.statistics.correctness import right_array
from glocal.comparing.statistics.crossed import (
    Floats,
    MeanSquares,
    floored_variance,
    freedom,
    least_variance,
    mean_squares,
    students,
    variance,
)
from glocal.errors import ComparisonError

LEAST_P = 1e-15  # smaller p-values are given as this


class Interval(NamedTuple):
    """Where a difference of accuracies lies, as fractions; `low` and `high` are within [-1, 1]."""

    low: float
    high: float


@dataclass(frozen=True)
class Spread:
    """What a difference varies with, as standard deviations of fractions.

    With one seed, `picture_sd` holds the noise too, and what seeds would do is unknown: None.
    """

    seed_sd: float | None  # of the difference over all pictures, from one seed to the next
    picture_sd: float  # of the difference on one picture, averaged over all seeds
    noise_sd: float | None  # of what is left: a picture that one seed's run gets right by luck


@dataclass(frozen=True)
class Pairing:
    """The correlation that pairing won: 1 - variance of the paired difference / variance of the unpaired one.

    At 0.8 the paired interval is as narrow as an unpaired one from five times the data. None where neither arm varies.
    """

    overall: float | None
    over_seeds: float | None  # None with one seed
    over_pictures: float | None


@dataclass(frozen=True)
class PairedDifference:
    """Accuracy of one arm minus that of another, with its variance taken over seeds and pictures at once.

    All numbers are fractions: 0.01 is a point of accuracy. With one seed the variance is over pictures alone: it speaks of
    two runs, not of the methods that made them (`seeds_varied` is False).
    """

    mean: float
    variance: float  # of the mean
    variance_over_seeds: float  # the part of it that has only seeds - 1 degrees of freedom; 0 with one seed
    seeds: int
    pictures: int
    spread: Spread
    pairing: Pairing

    @property
    def seeds_varied(self) -> bool:
        """Whether there is more than one seed."""
        return self.seeds > 1

    def df(self, level: float = 0.95) -> float:
        """Degrees of freedom of the variance for an interval of this level; the higher the level, the more cautious."""
        return self._df(1 - _checked(level))

    def interval(self, level: float = 0.95) -> Interval:
        """Student's interval of the mean; ComparisonError unless the level is between 0 and 1."""
        half = self._half_width(1 - _checked(level))
        return Interval(max(self.mean - half, -1.0), min(self.mean + half, 1.0))

    @property
    def p_value(self) -> float:
        """Two-sided p-value of no difference: the smallest alpha at which the interval of level 1 - alpha excludes 0."""
        if not self.mean:
            return 1.0

        def beyond_zero(log_alpha: float) -> float:
            return abs(self.mean) - self._half_width(exp(log_alpha))

        least, most = log(LEAST_P), -1e-12
        if beyond_zero(least) >= 0:
            return LEAST_P
        return exp(brentq(beyond_zero, least, most)) if beyond_zero(most) > 0 else 1.0

    def _half_width(self, alpha: float) -> float:
        return float(students(np.asarray(self.variance), np.asarray(self._df(alpha)), alpha=alpha))

    def _df(self, alpha: float) -> float:
        if not self.seeds_varied:
            return self.pictures - 1.0
        by_seeds, total = np.asarray(self.variance_over_seeds), np.asarray(self.variance)
        return float(freedom(by_seeds, total, seeds=self.seeds, pictures=self.pictures, alpha=alpha))

    def to_json(self) -> dict[str, Any]:
        """Plain data, with the p-value."""
        return asdict(self) | {"seeds_varied": self.seeds_varied, "p_value": self.p_value}


def paired_difference(
    right: ArrayLike, right_of_baseline: ArrayLike, *, arm: str = "the first arm", baseline: str = "the baseline"
) -> PairedDifference:
    """The difference of two arms from arrays (seeds, pictures) that say whether each picture was classified correctly.

    Entries are booleans or fractions between 0 and 1. Row s of both arrays is the same seed and column i the same picture.
    Any number of seeds will do, one included; pictures are at least two. ComparisonError for anything else.
    """
    a, b = right_array(right, arm), right_array(right_of_baseline, baseline)
    if a.shape != b.shape:
        raise ComparisonError(
            f"{arm} has {a.shape[0]} seeds x {a.shape[1]} pictures and {baseline} {b.shape[0]} x {b.shape[1]}: "
            "compare the arms on the same seeds and the same pictures, in the same order"
        )
    return _over_pictures(a, b) if len(a) == 1 else _over_both(a, b)


def _checked(level: float) -> float:
    if not 0 < level < 1:
        raise ComparisonError(f"level {level}: the level of an interval lies between 0 and 1, such as 0.95")
    return level


def _over_both(a: Floats, b: Floats) -> PairedDifference:
    k, n = a.shape
    squares = mean_squares(a - b)
    by_seeds, by_pictures, noise = float(squares.seeds), float(squares.pictures), float(squares.noise)
    return PairedDifference(
        mean=float(squares.mean),
        variance=float(floored_variance(squares, seeds=k, pictures=n)),
        variance_over_seeds=by_seeds,
        seeds=k,
        pictures=n,
        spread=Spread(
            seed_sd=(k * max(by_seeds - noise, 0)) ** 0.5,
            picture_sd=(n * max(by_pictures - noise, 0)) ** 0.5,
            noise_sd=(k * n * noise) ** 0.5,
        ),
        pairing=_pairing(squares, mean_squares(a), mean_squares(b)),
    )


def _over_pictures(a: Floats, b: Floats) -> PairedDifference:
    """One seed: Student's interval of the differences on the pictures, which for right and wrong is McNemar's comparison."""
    differences, n = (a - b)[0], a.shape[1]
    spread = float(differences.var(ddof=1))
    won = _correlation(spread, float(a.var(ddof=1) + b.var(ddof=1)))
    return PairedDifference(
        mean=float(differences.mean()),
        variance=max(spread / n, float(least_variance(1, n))),
        variance_over_seeds=0.0,
        seeds=1,
        pictures=n,
        spread=Spread(seed_sd=None, picture_sd=spread**0.5, noise_sd=None),
        pairing=Pairing(overall=won, over_seeds=None, over_pictures=won),
    )


def _pairing(paired: MeanSquares, a: MeanSquares, b: MeanSquares) -> Pairing:
    return Pairing(
        overall=_correlation(float(variance(paired)), float(variance(a) + variance(b))),
        over_seeds=_correlation(float(paired.seeds), float(a.seeds + b.seeds)),
        over_pictures=_correlation(float(paired.pictures), float(a.pictures + b.pictures)),
    )


def _correlation(paired: float, unpaired: float) -> float | None:
    return 1 - paired / unpaired if unpaired > 0 else None

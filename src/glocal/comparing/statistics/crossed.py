"""Arithmetic of the crossed design: the variance of a mean over seeds and pictures, and its degrees of freedom.

Every function works elementwise, so that one call also serves a stack of simulated experiments (benchmarks/verdicts.py).
docs/decisions/0016-verdicts.md says where the formulas come from and why these were chosen. Throughout, `alpha` is the
error that is allowed: an interval has level 1 - alpha.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv, stdtrit

Floats = NDArray[np.float64]
Counts = int | NDArray[np.int64]


class MeanSquares(NamedTuple):
    """The mean of an array (seeds, pictures) and its three mean squares, each scaled to be a variance of that mean.

    In the model x[s, i] = mean + seed[s] + picture[i] + noise[s, i] with k seeds and n pictures they estimate

        seeds:     var(seed) / k    + var(noise) / (k n)
        pictures:  var(picture) / n + var(noise) / (k n)
        noise:     var(noise) / (k n)
    """

    mean: Floats
    seeds: Floats
    pictures: Floats
    noise: Floats


def mean_squares(x: Floats) -> MeanSquares:
    """From (..., seeds, pictures), at least two of each, to four arrays (...)."""
    k, n = x.shape[-2:]
    by_seed, by_picture = x.mean(-1), x.mean(-2)
    mean = by_seed.mean(-1)
    rest = x - by_seed[..., :, None]
    rest -= (by_picture - mean[..., None])[..., None, :]
    squares = np.einsum("...si,...si->...", rest, rest)
    return MeanSquares(
        mean=mean,
        seeds=by_seed.var(-1, ddof=1) / k,
        pictures=by_picture.var(-1, ddof=1) / n,
        noise=squares / ((k - 1) * (n - 1)) / (k * n),
    )


def variance(squares: MeanSquares) -> Floats:
    """Variance of the mean, var(seed) / k + var(picture) / n + var(noise) / (k n), as Hillis (2007, Stat. Med. 26:596) has it.

    It is unbiased, except that var(picture) is taken to be at least zero.
    """
    return squares.seeds + np.maximum(squares.pictures - squares.noise, 0)


def floored_variance(squares: MeanSquares, *, seeds: int, pictures: int) -> Floats:
    """Variance of the mean of paired differences in [-1, 1], and at least `least_variance`."""
    return np.maximum(variance(squares), least_variance(seeds, pictures))


def least_variance(seeds: Counts, pictures: Counts) -> Floats:
    """A floor for the variance of a mean difference: what two pictures a seed show, of which each arm gets one right alone.

    Without it, two arms that agree on every one of ten pictures would have an interval of no width. The two are the
    pseudo-observations of Bonett and Price (2012, J. Educ. Behav. Stat. 37:479), used only where the data show less.
    """
    return np.divide(2, seeds * (pictures + 2) ** 2)


def freedom(by_seeds: Floats, total: Floats, *, seeds: Counts, pictures: Counts, alpha: float) -> Floats:
    """Degrees of freedom of a variance `total`, of which the mean square `by_seeds` has seeds - 1 and the rest pictures - 1.

    This is Satterthwaite's formula with an upper limit of the variance over seeds in the place of its estimate, one that
    holds with probability 1 - sqrt(alpha). With three seeds the estimate is often far too small by chance; then the textbook's
    formula promises many degrees of freedom exactly when the variance is too small, and its intervals are too short.
    """
    quantile = 2 * gammaincinv((seeds - 1) / 2, alpha**0.5)  # of chi-square with seeds - 1 degrees of freedom
    upper = by_seeds * ((seeds - 1) / quantile)
    return np.minimum(satterthwaite(upper, total - by_seeds, seeds=seeds, pictures=pictures), pictures - 1.0)


def satterthwaite(by_seeds: Floats, rest: Floats, *, seeds: Counts, pictures: Counts) -> Floats:
    """Degrees of freedom of the sum of two variances (Satterthwaite 1946, Biometrics Bulletin 2:110)."""
    df: Floats = (by_seeds + rest) ** 2 / (by_seeds**2 / (seeds - 1) + rest**2 / (pictures - 1))
    return df


def half_width(by_seeds: Floats, total: Floats, *, seeds: Counts, pictures: Counts, alpha: float) -> Floats:
    """Half of the interval of a mean whose variance is `total`, of which `by_seeds` is the mean square of the seeds."""
    return students(total, freedom(by_seeds, total, seeds=seeds, pictures=pictures, alpha=alpha), alpha=alpha)


def students(total: Floats, df: Floats, *, alpha: float) -> Floats:
    """Half of Student's interval of a mean whose variance is `total`."""
    half: Floats = -stdtrit(df, alpha / 2) * np.sqrt(total)
    return half

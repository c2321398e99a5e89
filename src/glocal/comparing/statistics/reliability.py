"""How well any order of networks can agree with their measured accuracies: true spread against the noise of seeds and pictures.

Accuracies that differ by less than a second seed of one network do cannot be ordered, by whatever predictor. The ceiling of
Kendall's tau says how far that goes.
"""

from dataclasses import dataclass
from math import asin, inf, pi, sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import fdtri

from glocal.comparing.statistics.correctness import right_array
from glocal.comparing.statistics.crossed import Floats
from glocal.comparing.statistics.paired import Interval
from glocal.errors import ComparisonError

_LEAST_DF = 1.0


@dataclass(frozen=True)
class Reliability:
    """The spread of networks and the noise of their measured accuracies, as standard deviations of fractions.

    spread: of the networks' true accuracies, those over all seeds and all pictures like these.
    seed_noise: of one training. picture_noise: of the choice of pictures, as far as it changes the order of networks: a picture
    that is hard for all of them does not.
    value: the reliability of the mean over the measured seeds, spread^2 / (spread^2 + noise^2), and its 95 % interval.
    """

    networks: int
    seeds: int
    pictures: int
    spread: float
    seed_noise: float
    picture_noise: float
    value: float
    interval: Interval

    @property
    def ceiling(self) -> float:
        """Kendall's tau that a perfect predictor of the true accuracies has with the measured means, on average."""
        return perfect_tau(self.value)

    @property
    def ceiling_interval(self) -> Interval:
        """Its 95 % interval."""
        return Interval(perfect_tau(self.interval.low), perfect_tau(self.interval.high))

    @property
    def repeated(self) -> float:
        """Kendall's tau of the measured means with those of as many other seeds and pictures, on average."""
        return repeated_tau(self.value)


def perfect_tau(reliability: float) -> float:
    """(2 / pi) asin(sqrt r): tau of a perfect predictor with one measurement, where both are normal (Greiner's relation)."""
    return 2 / pi * asin(sqrt(reliability))


def repeated_tau(reliability: float) -> float:
    """(2 / pi) asin(r): tau of two independent measurements."""
    return 2 / pi * asin(reliability)


def reliability(right: ArrayLike) -> Reliability:
    """From an array (networks, seeds, pictures) that says whether each picture was classified correctly.

    Seeds and pictures are the same for all networks. ComparisonError for fewer than three networks or two seeds.

    The parts are those of a crossed analysis of variance, without what all networks have in common: that a seed or a picture is
    easier for all. The interval is that of the ratio of two mean squares, with Satterthwaite's degrees of freedom.
    """
    try:
        x = np.asarray(right)
    except ValueError:
        raise ComparisonError("all networks need the same number of seeds, and all seeds the same pictures") from None
    if x.ndim != 3 or x.shape[0] < 3 or x.shape[1] < 2:
        raise ComparisonError(
            f"an array of shape {x.shape}: a reliability needs (networks, seeds, pictures), at least three networks and two seeds"
        )
    values = np.stack([right_array(each, f"network {i}") for i, each in enumerate(x)])
    networks, seeds, pictures = values.shape
    by_network = float(values.mean((1, 2)).var(ddof=1))
    seed = float(_interaction(values.mean(2)))  # of the accuracy of one training
    rest = _rest(values)
    picture = max(0.0, float(_interaction(values.mean(1))) - rest / seeds) / pictures
    noise = seed / seeds + picture
    df = (networks - 1) * noise**2 / ((seed / seeds) ** 2 / (seeds - 1) + picture**2 / (pictures - 1)) if noise else inf
    value, interval = _from_ratio(by_network, noise, df_networks=networks - 1, df_noise=df)
    return Reliability(
        networks=networks,
        seeds=seeds,
        pictures=pictures,
        spread=sqrt(max(0.0, by_network - noise)),
        seed_noise=sqrt(seed),
        picture_noise=sqrt(picture),
        value=value,
        interval=interval,
    )


def _from_ratio(by_network: float, noise: float, *, df_networks: float, df_noise: float) -> tuple[float, Interval]:
    """1 - 1/F with its interval, where F is the ratio of the mean square of networks to that of noise."""
    if not by_network:
        return 0.0, Interval(0.0, 1.0)
    if not noise:
        return 1.0, Interval(0.0, 1.0)
    ratio, df = by_network / noise, max(_LEAST_DF, df_noise)
    low, high = (ratio / float(fdtri(df_networks, df, p)) for p in (0.975, 0.025))
    return max(0.0, 1 - 1 / ratio), Interval(max(0.0, 1 - 1 / low), max(0.0, 1 - 1 / high))


def _interaction(x_AB: Floats) -> Floats:
    """The mean square of a table without its rows' and columns' means."""
    a, b = x_AB.shape
    rest = x_AB - x_AB.mean(0) - x_AB.mean(1, keepdims=True) + x_AB.mean()
    return np.asarray(np.square(rest).sum() / ((a - 1) * (b - 1)))


def _rest(x_NSP: Floats) -> float:
    """The variance that no pair of network, seed and picture explains."""
    rest = x_NSP.copy()
    for axis in range(3):  # takes out all main effects and interactions of two
        rest -= rest.mean(axis, keepdims=True)
    n, s, p = x_NSP.shape
    return float(np.square(rest).sum() / ((n - 1) * (s - 1) * (p - 1)))

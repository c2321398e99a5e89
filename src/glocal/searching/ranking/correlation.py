"""Whether a supernet ranks networks as training them does: rank correlations with their intervals. Nothing is trained here.

docs/rank.md explains how to read the numbers.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import comb
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glocal.comparing.statistics.reliability import Reliability
from glocal.errors import SearchError

Floats = NDArray[np.float64]

RESAMPLES = 2000
TOP = 5  # the networks that a search trains by default, for which the regret is computed
BINS = 3
LEAST = 3  # networks; with two, every tau is 1 or -1


class Pair(NamedTuple):
    """One network, evaluated twice: accuracies are fractions of the same held-out pictures."""

    supernet: float  # with the supernet's weights
    alone: float  # trained by itself
    macs: int


class Estimate(NamedTuple):
    """A statistic with its 95 % bootstrap interval; None where it is undefined, as every tau among equal numbers is."""

    value: float | None
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        if self.value is None:
            return "undefined"
        between = f" ({self.low:+.2f} to {self.high:+.2f})" if self.low is not None else ""
        return f"{self.value:+.2f}{between}"


@dataclass(frozen=True)
class Rank:
    """How the order of n networks by a supernet, and by multiply-adds alone, agrees with their order when trained.

    The intervals are percentiles of bootstrap resamples of the networks. They cover what other networks of the space would have
    shown, not what other seeds of the training would: `ceiling` says what those allow.
    """

    n: int
    tau: Estimate  # Kendall's tau_b of the supernet's accuracy with the one alone
    tau_macs: Estimate  # of the multiply-adds with the accuracy alone
    gain: Estimate  # tau - tau_macs, from the same resamples
    tau_within: Estimate  # mean of tau within thirds by multiply-adds, each weighted by its number of pairs
    ceiling: Estimate  # of tau: a perfect predictor's; undefined where each network was trained with one seed
    rho: float | None  # Spearman's, of the supernet's accuracy with the one alone
    regret: float | None  # the best network's accuracy minus that of the best of the supernet's five; None up to five
    regret_by_chance: float | None  # the same for five random networks, on average
    resamples: int
    undefined: int  # resamples in which tau was undefined because all accuracies were equal; the intervals omit them

    @property
    def verdict(self) -> str:
        """ "better than MACs alone", "worse than MACs alone" or "cannot tell": by the interval of `gain`."""
        if self.gain.low is None or self.gain.high is None or self.gain.low <= 0 <= self.gain.high:
            return "cannot tell"
        return f"{'better' if self.gain.low > 0 else 'worse'} than MACs alone"

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self) | {name: x._asdict() for name, x in vars(self).items() if isinstance(x, Estimate)}

    def __str__(self) -> str:
        sentence = {
            "better than MACs alone": "the supernet ranks these {} networks better than their multiply-adds alone do",
            "worse than MACs alone": "the supernet ranks these {} networks worse than their multiply-adds alone do",
            "cannot tell": "these {} networks cannot tell whether the supernet ranks better than multiply-adds alone do",
        }[self.verdict].format(self.n)
        at_most = "" if self.ceiling.value is None else f" of at most {self.ceiling}"
        lines = [
            f"{sentence}: difference of tau {self.gain}",
            f"Kendall's tau_b {self.tau}{at_most}, of multiply-adds alone {self.tau_macs}, "
            f"among networks of similar multiply-adds {self.tau_within}; Spearman's rho {Estimate(self.rho)}",
        ]
        if self.regret is not None:
            lines.append(
                f"the best of the supernet's first {TOP} is {100 * self.regret:.2f} points below the best of all; of {TOP} "
                f"random networks it would be {100 * (self.regret_by_chance or 0):.2f} points on average"
            )
        left_out = f", without {self.undefined:,} in which tau is undefined" if self.undefined else ""
        return "\n".join([*lines, f"(95 % intervals of {self.resamples:,} bootstrap resamples{left_out})"])


def rank(
    pairs: Sequence[Pair], *, measured: Reliability | None = None, seed: int = 0, resamples: int = RESAMPLES
) -> Rank:
    """How a supernet agrees with training, over networks that were evaluated both ways. `measured` says how reliable their
    accuracies alone are. SearchError for fewer than three networks or where an accuracy is not a number."""
    if (n := len(pairs)) < LEAST:
        raise SearchError(f"{n} networks are too few for a ranking; take at least {LEAST}, better 20 (--networks 20)")
    x, y, macs = (np.array(column, dtype=np.float64) for column in zip(*pairs, strict=True))
    if not np.isfinite([x, y]).all():
        raise SearchError("an accuracy is not a number; evaluate or train that network again, or leave it out")
    # How often each network is in each resample. Row 0 has each once: it gives the statistics themselves.
    resampled = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples)
    times = np.vstack([np.ones(n, dtype=np.int64), resampled]).astype(np.float64)
    tau, tau_macs = _taus(x, y, times), _taus(macs, y, times)
    return Rank(
        n=n,
        tau=_estimate(tau),
        tau_macs=_estimate(tau_macs),
        gain=_estimate(tau - tau_macs),
        tau_within=_estimate(_within(x, y, macs, times)),
        rho=_spearman(x, y),
        regret=_regret(pairs) if n > TOP else None,
        regret_by_chance=_regret_by_chance(y) if n > TOP else None,
        resamples=resamples,
        undefined=int(np.isnan([tau[1:], tau_macs[1:]]).any(0).sum()),
        ceiling=Estimate(None) if measured is None else Estimate(measured.ceiling, *measured.ceiling_interval),
    )


def kendall(x: Sequence[float], y: Sequence[float]) -> float | None:
    """tau_b = (C - D) / sqrt((C + D + T_x) (C + D + T_y)): C and D count the pairs in the same and in opposite order, T_x and
    T_y those tied in x only and in y only. None where all x, or all y, are equal."""
    one = _taus(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64), np.ones((1, len(x))))
    return _estimate(one).value


def _taus(x: Floats, y: Floats, times: Floats) -> Floats:
    """tau_b of each resample, from how often it holds each network: (resamples,) from (resamples, n); NaN if undefined.

    A network that is in a resample twice is tied with itself in x and in y, and tau_b does not count such pairs.
    """
    order_x, order_y = (np.sign(v[:, None] - v[None, :]) for v in (x, y))

    def pairs(which: Floats) -> Floats:
        return np.asarray(((times @ which) * times).sum(1) / 2)

    apart_in_x, apart_in_y = pairs(np.abs(order_x)), pairs(np.abs(order_y))  # C + D + T_y, C + D + T_x
    product = apart_in_x * apart_in_y
    taus = np.full(len(times), np.nan)
    np.divide(pairs(order_x * order_y), np.sqrt(product), out=taus, where=product > 0)
    return taus


def _within(x: Floats, y: Floats, macs: Floats, times: Floats) -> Floats:
    """Mean of tau_b within the bins, weighted by the pairs in each; a bin in which it is undefined has weight 0."""
    bin_of = np.searchsorted(np.quantile(macs, np.arange(1, BINS) / BINS), macs, side="left")
    taus, weights = [], []
    for k in range(BINS):
        inside = times[:, bin_of == k]
        tau = _taus(x[bin_of == k], y[bin_of == k], inside)
        pairs = (inside.sum(1) ** 2 - (inside**2).sum(1)) / 2  # of different networks
        taus.append(np.nan_to_num(tau))
        weights.append(np.where(np.isnan(tau), 0, pairs))
    total = np.sum(weights, axis=0)
    mean = np.sum(np.multiply(taus, weights), axis=0)
    means = np.full(len(times), np.nan)
    np.divide(mean, total, out=means, where=total > 0)
    return means


def _estimate(values: Floats) -> Estimate:
    """From the statistic itself, first, and those of the resamples; NaN means undefined."""
    if np.isnan(values[0]):
        return Estimate(None)
    defined = values[1:][~np.isnan(values[1:])]
    if not len(defined):
        return Estimate(float(values[0]))
    low, high = np.quantile(defined, (0.025, 0.975))
    return Estimate(float(values[0]), float(low), float(high))


def _spearman(x: Floats, y: Floats) -> float | None:
    from scipy.stats import spearmanr

    return float(spearmanr(x, y).statistic) if np.ptp(x) and np.ptp(y) else None


def _regret(pairs: Sequence[Pair]) -> float:
    first = sorted(pairs, key=lambda pair: (-pair.supernet, pair.macs))[:TOP]
    return float(max(pair.alone for pair in pairs) - max(pair.alone for pair in first))


def _regret_by_chance(y: Floats) -> float:
    """The mean over all choices of five: the i-th smallest is the best of comb(i, 4) of them."""
    n = len(y)
    return float(y.max() - sum(v * comb(i, TOP - 1) for i, v in enumerate(np.sort(y))) / comb(n, TOP))

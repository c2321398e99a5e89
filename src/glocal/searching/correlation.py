"""Whether a supernet ranks networks as training them does (GLiT spec, 9.8). It compares numbers and trains nothing.

docs/rank.md says how to read what is told here.
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise, product
from math import comb
from typing import Any, NamedTuple

import numpy as np

from glocal.design import Architecture, cost, decide, sample
from glocal.design.space import Answers, canonical, questions, size
from glocal.errors import SearchError

RESAMPLES = 2000
TOP = 5  # networks of which a search trains the best: what the regret is told of
BINS = 3
_DRAWS = 1000  # at least so many sheets are cut into quantiles, and 50 for each that is asked for
_LEAST = 3  # networks; with two, every tau is 1 or -1


class Pair(NamedTuple):
    """One network, judged twice: accuracies are fractions of the same held-out pictures."""

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

    The intervals are percentiles of bootstrap resamples of the networks: they tell what other networks of the space would have
    shown, not what other seeds of the training would.
    """

    n: int
    tau: Estimate  # Kendall's tau_b of the supernet's accuracy with the one alone
    tau_macs: Estimate  # of the multiply-adds with the accuracy alone
    gain: Estimate  # tau - tau_macs, from the same resamples
    tau_within: Estimate  # mean of tau within thirds by multiply-adds, each weighted by its number of pairs
    rho: float | None  # Spearman's, of the supernet's accuracy with the one alone
    regret: (
        float | None
    )  # accuracy that the best network has above the best of the supernet's first five; None up to five
    regret_by_chance: float | None  # the same if five were drawn blindly, on average
    resamples: int
    undefined: int  # resamples in which a statistic was undefined, as tau is if all accuracies are equal; its interval omits them

    @property
    def verdict(self) -> str:
        """ "better than MACs alone", "worse than MACs alone" or "cannot tell": where the interval of `gain` lies."""
        if self.gain.low is None or self.gain.high is None or self.gain.low <= 0 <= self.gain.high:
            return "cannot tell"
        return f"{'better' if self.gain.low > 0 else 'worse'} than MACs alone"

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self) | {name: x._asdict() for name, x in vars(self).items() if isinstance(x, Estimate)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Rank":
        """The inverse of `to_json`."""
        fields: dict[str, Any] = {name: Estimate(**x) if isinstance(x, dict) else x for name, x in values.items()}
        return cls(**fields)

    def __str__(self) -> str:
        said = {
            "better than MACs alone": "the supernet ranks these {} networks better than their multiply-adds alone do",
            "worse than MACs alone": "the supernet ranks these {} networks worse than their multiply-adds alone do",
            "cannot tell": "these {} networks cannot tell whether the supernet ranks better than multiply-adds alone do",
        }[self.verdict].format(self.n)
        lines = [
            f"{said}: difference of tau {self.gain}",
            f"Kendall's tau_b {self.tau}, of multiply-adds alone {self.tau_macs}, "
            f"among networks of like multiply-adds {self.tau_within}; Spearman's rho {Estimate(self.rho)}",
        ]
        if self.regret is not None:
            lines.append(
                f"the best of the supernet's first {TOP} is {100 * self.regret:.2f} points below the best of all; of {TOP} drawn "
                f"blindly it would be {100 * (self.regret_by_chance or 0):.2f} points on average"
            )
        left_out = f"; {self.undefined:,} without a defined tau are left out" if self.undefined else ""
        return "\n".join([*lines, f"(95 % intervals of {self.resamples:,} bootstrap resamples{left_out})"])


def rank(pairs: Sequence[Pair], *, seed: int = 0, resamples: int = RESAMPLES) -> Rank:
    """The agreement of a supernet with training, over networks that were judged both ways. SearchError below three networks
    or where an accuracy is not a number."""
    if (n := len(pairs)) < _LEAST:
        raise SearchError(f"{n} networks make no ranking; judge at least {_LEAST}, better 20 (--networks 20)")
    x, y, macs = (np.array(column, dtype=np.float64) for column in zip(*pairs, strict=True))
    if not np.isfinite([x, y]).all():
        raise SearchError("an accuracy is not a number; judge or train that network again, or leave it out")
    # How often each network is in each resample; in row 0, of which the statistics themselves are told, once each.
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples)
    times = np.vstack([np.ones(n, dtype=np.int64), drawn]).astype(np.float64)
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
    )


def kendall(x: Sequence[float], y: Sequence[float]) -> float | None:
    """tau_b = (C - D) / sqrt((C + D + T_x) (C + D + T_y)): C and D count the pairs in the same and in opposite order, T_x and
    T_y those tied in x only and in y only. None where all x, or all y, are equal."""
    one = _taus(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64), np.ones((1, len(x))))
    return _estimate(one).value


def _taus(x: np.ndarray, y: np.ndarray, times: np.ndarray) -> np.ndarray:
    """tau_b of each resample, given how often it holds each network: (resamples,) from (resamples, n); NaN if undefined.

    A network that is drawn twice is tied with itself in x and in y, and such pairs count nowhere in tau_b.
    """
    order_x, order_y = (np.sign(v[:, None] - v[None, :]) for v in (x, y))

    def pairs(which: np.ndarray) -> np.ndarray:
        return ((times @ which) * times).sum(1) / 2

    apart_in_x, apart_in_y = pairs(np.abs(order_x)), pairs(np.abs(order_y))  # C + D + T_y, C + D + T_x
    product = apart_in_x * apart_in_y
    return np.divide(pairs(order_x * order_y), np.sqrt(product), out=np.full(len(times), np.nan), where=product > 0)


def _within(x: np.ndarray, y: np.ndarray, macs: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Mean of tau_b within the bins, weighted by the pairs in each; a bin in which it is undefined has no weight."""
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
    return np.divide(mean, total, out=np.full(len(times), np.nan), where=total > 0)


def _estimate(values: np.ndarray) -> Estimate:
    """From the statistic itself and those of the resamples, in which NaN means undefined."""
    if np.isnan(values[0]):
        return Estimate(None)
    defined = values[1:][~np.isnan(values[1:])]
    if not len(defined):
        return Estimate(float(values[0]))
    low, high = np.quantile(defined, (0.025, 0.975))
    return Estimate(float(values[0]), float(low), float(high))


def _spearman(x: np.ndarray, y: np.ndarray) -> float | None:
    from scipy.stats import spearmanr

    return float(spearmanr(x, y).statistic) if np.ptp(x) and np.ptp(y) else None


def _regret(pairs: Sequence[Pair]) -> float:
    first = sorted(pairs, key=lambda pair: (-pair.supernet, pair.macs))[:TOP]
    return float(max(pair.alone for pair in pairs) - max(pair.alone for pair in first))


def _regret_by_chance(y: np.ndarray) -> float:
    """Over all ways to draw five: the i-th smallest is the best of comb(i, 4) of them."""
    n = len(y)
    return float(y.max() - sum(v * comb(i, TOP - 1) for i, v in enumerate(np.sort(y))) / comb(n, TOP))


def stratified(
    space: Architecture, n: int, *, limits_allow: Callable[[Architecture], bool] = lambda arch: True, seed: int
) -> tuple[Answers, ...]:
    """n different networks of a space, as canonical sheets, spread over the quantiles of multiply-adds; lightest first.

    Many sheets are drawn uniformly (all are taken, of a small space), those that the limits allow are cut into n parts by
    their multiply-adds, and one is drawn from each. SearchError where fewer than n different networks are found.
    """
    rng = random.Random(seed)
    most = max(_DRAWS, 50 * n)
    if size(space) <= most:
        sheets: Iterable[Answers] = product(*(range(len(q.options)) for q in questions(space)))
    else:
        sheets = (sample(space, rng) for _ in range(most))
    drawn = {decide(space, sheet): canonical(space, sheet) for sheet in sheets}
    by_macs = sorted((cost(arch).macs, sheet) for arch, sheet in drawn.items() if limits_allow(arch))
    if len(by_macs) < n:
        raise SearchError(
            f"{space.name}: {len(by_macs)} different networks within the limits, of {len(drawn):,} drawn, and {n} are asked for"
        )
    edges = [i * len(by_macs) // n for i in range(n + 1)]
    return tuple(by_macs[rng.randrange(low, high)][1] for low, high in pairwise(edges))

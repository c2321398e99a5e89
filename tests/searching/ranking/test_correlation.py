"""How well a supernet ranks networks: the statistics against their definitions, and what is said of them."""

import json
import random
from itertools import combinations

import numpy as np
import pytest
from pydantic import TypeAdapter
from scipy.stats import kendalltau, spearmanr

from glocal.comparing.statistics.reliability import reliability
from glocal.design import Architecture, Grid, Linear, Mean, OneOf, Stage, cost, decide
from glocal.design.space import canonical, size
from glocal.errors import SearchError
from glocal.families.convmixer import ConvMixerLayer
from glocal.searching.ranking.correlation import Pair, Rank, kendall, rank
from glocal.searching.sampling import stratified_sample


def pairs(n=30, *, seed=0, supernet=0.0, macs=0.0):
    """Networks whose accuracy alone is drawn, and followed as closely as set by the supernet's and by multiply-adds."""
    rng = np.random.default_rng(seed)
    y = rng.normal(size=n)
    near = [rho * y + (1 - rho**2) ** 0.5 * rng.normal(size=n) for rho in (supernet, macs)]
    return [Pair(0.5 + x / 20, 0.5 + z / 20, int(1e6 * (10 + m))) for x, z, m in zip(near[0], y, near[1], strict=True)]


def by_definition(x, y):
    signs = [(np.sign(x[i] - x[j]), np.sign(y[i] - y[j])) for i, j in combinations(range(len(x)), 2)]
    c, d = (sum(a * b == sign for a, b in signs) for sign in (1, -1))
    tied_x, tied_y = sum(a == 0 != b for a, b in signs), sum(b == 0 != a for a, b in signs)
    return (c - d) / ((c + d + tied_x) * (c + d + tied_y)) ** 0.5


def test_tau_of_a_list_made_by_hand():
    # Six pairs: three in order, one against it, one tied in x only, one tied in y only.
    x, y = (1, 2, 2, 4), (1, 3, 5, 3)
    assert by_definition(x, y) == pytest.approx((3 - 1) / 5)
    assert kendall(x, y) == pytest.approx(2 / 5)


def test_tau_is_the_definition_and_scipys_also_with_ties():
    rng = np.random.default_rng(0)
    for n in range(3, 40):
        x, y = rng.integers(0, 8, (2, n))
        if np.ptp(x) and np.ptp(y):
            assert kendall(x, y) == pytest.approx(by_definition(x, y))
            assert kendall(x, y) == pytest.approx(kendalltau(x, y).statistic)


def test_a_resample_is_scored_as_the_list_it_stands_for():
    """A network drawn twice is tied with itself; so the intervals are those of scipy on lists drawn one by one."""
    networks = pairs(12, supernet=0.8)
    drawn = np.random.default_rng(3).multinomial(12, np.full(12, 1 / 12), size=200)
    taus = []
    for times in drawn:
        again = [pair for pair, k in zip(networks, times, strict=True) for _ in range(k)]
        taus.append(kendalltau([p.supernet for p in again], [p.alone for p in again]).statistic)
    found = rank(networks, seed=3, resamples=200).tau
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(taus, (0.025, 0.975))))


def test_all_statistics_of_one_ranking():
    networks = pairs(25, supernet=0.9, macs=0.4)
    found = rank(networks)
    x, y, macs = zip(*networks, strict=True)
    assert found.n == 25
    assert found.tau.value == pytest.approx(kendalltau(x, y).statistic)
    assert found.tau_macs.value == pytest.approx(kendalltau(macs, y).statistic)
    assert found.gain.value == pytest.approx(found.tau.value - found.tau_macs.value)
    assert found.rho == pytest.approx(spearmanr(x, y).statistic)
    for each in (found.tau, found.tau_macs, found.gain, found.tau_within):
        assert each.low <= each.value <= each.high
    thirds = np.array_split(sorted(networks, key=lambda pair: pair.macs), 3)
    taus, weights = [kendalltau(t[:, 0], t[:, 1]).statistic for t in thirds], [len(t) * (len(t) - 1) for t in thirds]
    assert found.tau_within.value == pytest.approx(np.average(taus, weights=weights))


def test_regret_is_what_the_first_five_miss():
    networks = [Pair(0.9 - i / 100, 0.5 + i / 100, 100) for i in range(10)]  # upside down: the first five are the worst
    found = rank(networks)
    assert found.regret == pytest.approx(0.59 - 0.54)
    by_chance = [max(pair.alone for pair in five) for five in combinations(networks, 5)]
    assert found.regret_by_chance == pytest.approx(0.59 - np.mean(by_chance))
    assert rank(networks[:5]).regret is None


def test_of_equal_supernet_accuracies_the_lighter_network_comes_first():
    networks = [
        Pair(0.5, 0.6 + i / 100, 100 - i) for i in range(6)
    ]  # the heaviest is the worst, and is not among the first
    assert rank(networks).regret == 0
    assert rank([pair._replace(macs=200 - pair.macs) for pair in networks]).regret == pytest.approx(0.01)


def test_a_supernet_that_orders_by_size_alone_is_not_called_better():
    by_size = [Pair(pair.macs / 1e8, pair.alone, pair.macs) for pair in pairs(40, macs=0.8)]
    found = rank(by_size)
    assert found.tau.low > 0
    assert found.gain == (0, 0, 0)
    assert found.verdict == "cannot tell"


def test_the_verdict_follows_the_paired_interval():
    assert rank(pairs(60, supernet=0.95, macs=0.1)).verdict == "better than MACs alone"
    assert rank(pairs(60, supernet=-0.5, macs=0.8)).verdict == "worse than MACs alone"
    assert rank(pairs(10, supernet=0.5, macs=0.5)).verdict == "cannot tell"


def test_the_same_seed_gives_the_same_rank():
    assert rank(pairs(), seed=1) == rank(pairs(), seed=1) != rank(pairs(), seed=2)


def test_a_supernet_that_tells_nothing_apart_has_no_tau_and_says_so():
    found = rank([pair._replace(supernet=0.1) for pair in pairs()])
    assert found.tau.value is None
    assert found.rho is None
    assert found.verdict == "cannot tell"
    assert found.tau_macs.low is not None
    assert "Kendall's tau_b undefined, of multiply-adds alone " in str(found)
    assert found.undefined == found.resamples


def test_resamples_without_a_tau_are_left_out_and_counted():
    found = rank([Pair(0.1, 0.2, 1), Pair(0.2, 0.3, 2), Pair(0.3, 0.1, 3)], resamples=500)
    assert 0.05 < found.undefined / 500 < 0.2  # three times the same network, in 1 of 9 resamples
    assert f"{found.undefined} in which tau is undefined" in str(found)
    assert np.isfinite([found.tau.low, found.tau.high]).all()


def test_a_rank_is_told_and_kept_as_plain_data():
    for networks in (pairs(), pairs(4), [pair._replace(supernet=0.1) for pair in pairs()]):
        found = rank(networks)
        assert TypeAdapter(Rank).validate_json(json.dumps(found.to_json(), allow_nan=False)) == found
    text = str(rank(pairs(60, supernet=0.95, macs=0.1)))
    expected = "the supernet ranks these 60 networks better than their multiply-adds alone do: difference of tau +"
    assert text.startswith(expected)
    assert "95 % intervals of 2,000 bootstrap resamples" in text


def test_too_few_networks_and_accuracies_that_are_none_are_refused():
    with pytest.raises(SearchError, match="2 networks are too few for a ranking; take at least 3"):
        rank(pairs(2))
    with pytest.raises(SearchError, match="not a number"):
        rank([*pairs(5), Pair(0.5, float("nan"), 1)])


def mixers(depth, *, kernels=(3, 5, 7, 9)):
    block = OneOf(tuple(ConvMixerLayer(k) for k in kernels))
    return Architecture("mixers", (), (Stage(3, (block,) * depth),), (Mean(), Linear(2)), Grid(3, 8, 8))


@pytest.mark.parametrize("space", [mixers(4), mixers(12)], ids=["enumerated", "drawn"])
def test_sheets_are_spread_over_multiply_adds(space):
    samples = stratified_sample(space, 20, seed=0)
    assert len(set(samples)) == 20
    assert all(canonical(space, answers) == answers for answers in samples)
    macs = [cost(decide(space, answers)).macs for answers in samples]
    assert macs == sorted(macs)
    rng = random.Random(1)
    every = sorted(
        cost(decide(space, tuple(rng.randrange(4) for _ in range(len(samples[0]))))).macs for _ in range(500)
    )
    below = [sum(m < cut for m in macs) for cut in (every[125], every[250], every[375])]
    assert below == pytest.approx([5, 10, 15], abs=2)
    assert stratified_sample(space, 20, seed=0) == samples != stratified_sample(space, 20, seed=1)


def test_sheets_keep_within_limits_and_too_few_are_refused():
    space = mixers(4)
    light = sorted(cost(decide(space, answers)).macs for answers in stratified_sample(space, 200, seed=0))[60]

    def allow(arch):
        return cost(arch).macs <= light

    samples = stratified_sample(space, 10, is_allowed=allow, seed=0)
    assert all(allow(decide(space, answers)) for answers in samples)
    with pytest.raises(
        SearchError, match=f"different networks are within the limits, of {size(space)} sampled, and 256 are"
    ):
        stratified_sample(space, 256, is_allowed=allow, seed=0)


def test_sheets_of_the_same_network_count_once():
    space = mixers(3, kernels=(3, 3, 5))  # two answers that say the same
    assert len(stratified_sample(space, 8, seed=0)) == 8
    with pytest.raises(SearchError, match="8 different networks"):
        stratified_sample(space, 9, seed=0)


def test_the_ceiling_of_tau_is_told_beside_it():
    rng = np.random.default_rng(0)
    networks = pairs(20, supernet=0.5)
    right = rng.random((20, 2, 300)) < np.array([pair.alone for pair in networks])[:, None, None]
    measured = reliability(right)
    found = rank(networks, measured=measured)
    assert found.ceiling.value == measured.ceiling
    assert f"tau_b {found.tau} of at most {found.ceiling}, of multiply-adds" in str(found)
    assert TypeAdapter(Rank).validate_json(json.dumps(found.to_json())) == found
    assert "of at most" not in str(rank(networks))
